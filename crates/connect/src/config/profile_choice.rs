//! Which profile, and what the user changes in it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use toml::{Table, Value};

use crate::generic::{Generic, ProfileError, embedded};

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
    /// In a file.
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
        let text = match &self.origin {
            ProfileOrigin::Embedded(name) => embedded(name)
                .ok_or_else(|| ProfileError::UnknownName { name: name.clone() })?
                .to_owned(),
            ProfileOrigin::File(path) => read(path)?,
        };
        Generic::from_toml(&text, self.over.clone(), keyed)
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
        let origin = match (over.remove("extends"), over.remove("file")) {
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
