//! Which fields are not kept, as the user writes it.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::generic::{FieldKey, FieldRules, PointerError};

/// Bytes that a key has at least: half of what HMAC-SHA-256 can use, and more than anybody types.
const KEY_BYTES_MIN: usize = 16;

/// `[source.fields]`: JSON pointers into the payloads of events and rows. A token `*` stands for
/// every element of an array, or every member of an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldsConfig {
    /// Fields that are taken out.
    pub drop: Vec<String>,
    /// Fields whose value becomes its HMAC-SHA-256 in hexadecimal digits.
    pub hash: Vec<String>,
    /// File with the key of the hashes, at least 16 bytes, readable for its owner alone. One
    /// trailing line end is not part of the key.
    pub hash_key_file: Option<PathBuf>,
}

/// Why the rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FieldsError {
    /// A hash without a key could be looked up.
    #[error("fields are to be hashed, but `hash_key_file` is missing")]
    NoKeyFile,
    /// The key cannot be read.
    #[error("hash key file {} cannot be read", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others can read it.
    #[error("hash key file {} is readable for others (mode {mode:04o})", path.display())]
    Exposed {
        /// Its path.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It could be guessed.
    #[error("hash key file {} has {length} bytes, fewer than {KEY_BYTES_MIN}", path.display())]
    Short {
        /// Its path.
        path: PathBuf,
        /// Bytes in it.
        length: usize,
    },
    /// A pointer is none.
    #[error("field is no pointer")]
    Pointer(#[from] PointerError),
}

impl FieldsError {
    /// What a person can do.
    pub fn hint(&self) -> String {
        match self {
            Self::NoKeyFile | Self::Short { .. } => {
                "make a key: `head -c 32 /dev/urandom | base64 > hash.key; chmod 600 hash.key`"
                    .into()
            }
            Self::Unreadable { path, .. } => {
                format!("make {} readable for the user that runs unbroken", path.display())
            }
            Self::Exposed { path, .. } => format!("chmod 600 {}", path.display()),
            Self::Pointer(_) => "write it like /contact/phone".into(),
        }
    }
}

impl FieldsConfig {
    /// The rules; `None` where there are none.
    ///
    /// # Errors
    /// See [`FieldsError`].
    pub fn rules(&self) -> Result<Option<FieldRules>, FieldsError> {
        if self.hash_key_file.is_none() && !self.hash.is_empty() {
            return Err(FieldsError::NoKeyFile);
        }
        if self.drop.is_empty() && self.hash.is_empty() {
            return Ok(None);
        }
        let key = self.hash_key_file.as_ref().map(read_key).transpose()?;
        Ok(Some(FieldRules::new(&self.drop, &self.hash, key)?))
    }
}

fn read_key(path: &PathBuf) -> Result<FieldKey, FieldsError> {
    let unreadable = |source| FieldsError::Unreadable { path: path.clone(), source };
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(FieldsError::Exposed { path: path.clone(), mode });
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let key = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if key.len() < KEY_BYTES_MIN {
        return Err(FieldsError::Short { path: path.clone(), length: key.len() });
    }
    Ok(FieldKey::new(key))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    fn config(path: Option<PathBuf>) -> FieldsConfig {
        FieldsConfig { drop: vec![], hash: vec!["/a".into()], hash_key_file: path }
    }

    #[test]
    fn a_key_must_be_there_secret_and_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let rules = |path: &PathBuf| config(Some(path.clone())).rules();
        assert!(matches!(config(None).rules(), Err(FieldsError::NoKeyFile)));
        assert!(matches!(rules(&path), Err(FieldsError::Unreadable { .. })));
        fs::write(&path, "0123456789abcdef\r\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let error = rules(&path).unwrap_err();
        assert!(error.to_string().ends_with("is readable for others (mode 0640)"), "{error}");
        assert!(error.hint().starts_with("chmod 600"));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(rules(&path).unwrap().is_some());
        fs::write(&path, "0123456789abcde\n").unwrap();
        assert!(matches!(rules(&path), Err(FieldsError::Short { length: 15, .. })));
    }

    #[test]
    fn without_rules_there_is_nothing_to_do_and_a_wrong_pointer_is_refused() {
        assert!(FieldsConfig::default().rules().unwrap().is_none());
        let wrong = FieldsConfig { drop: vec!["phone".into()], ..FieldsConfig::default() };
        assert!(matches!(wrong.rules(), Err(FieldsError::Pointer(_))));
    }
}
