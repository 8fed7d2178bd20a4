//! Which profile, and what the user changes in it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use toml::{Table, Value};

use crate::generic::{Generic, ProfileError, embedded, merge};

/// The key by which a profile, or a profile's file, is laid over an embedded one.
const EXTENDS: &str = "extends";

/// `profile = "cxone"`, or a table with `extends = "cxone"` or `file = "my.toml"` whose other keys
/// are laid over that profile.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileChoice {
    /// What is changed.
    pub origin: ProfileOrigin,
    /// Keys laid over it.
    pub over: Table,
}

/// Where a profile's text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileOrigin {
    /// In this program, by name.
    Embedded(String),
    /// In a file, which may itself have a key `extends`.
    File(PathBuf),
}

impl ProfileChoice {
    /// An embedded profile as it is.
    pub fn embedded(name: &str) -> Self {
        Self { origin: ProfileOrigin::Embedded(name.to_owned()), over: Table::new() }
    }

    /// The connector that it makes; `keyed`: the subscription will name keys.
    ///
    /// # Errors
    /// If there is no such profile or it does not fit.
    pub fn connector(&self, keyed: bool) -> Result<Generic, ProfileError> {
        let named = |name: &str| {
            embedded(name).ok_or_else(|| ProfileError::UnknownName { name: name.to_owned() })
        };
        let path = match &self.origin {
            ProfileOrigin::Embedded(name) => {
                return Generic::from_toml(named(name)?, self.over.clone(), keyed);
            }
            ProfileOrigin::File(path) => path,
        };
        let text = read(path)?;
        let mut table: Table = text.parse().map_err(ProfileError::NotToml)?;
        match table.remove(EXTENDS) {
            None => Generic::from_toml(&text, self.over.clone(), keyed),
            Some(Value::String(name)) => {
                merge(&mut table, self.over.clone());
                Generic::from_toml(named(&name)?, table, keyed)
            }
            Some(_) => Err(ProfileError::Extends),
        }
    }

    /// The embedded profile that it begins from, where it does, and whether anything is changed.
    pub fn provenance(&self) -> (Option<String>, bool) {
        match &self.origin {
            ProfileOrigin::Embedded(name) => (Some(name.clone()), !self.over.is_empty()),
            ProfileOrigin::File(_) => (None, true),
        }
    }
}

fn read(path: &Path) -> Result<String, ProfileError> {
    std::fs::read_to_string(path)
        .map_err(|source| ProfileError::Unreadable { path: path.display().to_string(), source })
}

impl<'de> Deserialize<'de> for ProfileChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut over = match Value::deserialize(deserializer)? {
            Value::String(name) => return Ok(Self::embedded(&name)),
            Value::Table(table) => table,
            other => {
                let found = other.type_str();
                return Err(D::Error::custom(format!(
                    "profile is a name or a table, found {found}"
                )));
            }
        };
        let origin = match (over.remove(EXTENDS), over.remove("file")) {
            (Some(Value::String(name)), None) => ProfileOrigin::Embedded(name),
            (None, Some(Value::String(path))) => ProfileOrigin::File(path.into()),
            _ => {
                return Err(D::Error::custom(
                    "profile names what it changes: either `extends` (an embedded profile) or \
                     `file`",
                ));
            }
        };
        Ok(Self { origin, over })
    }
}
