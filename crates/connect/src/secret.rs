//! Secrets that cannot be printed, and where they are read from.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// A text that neither `Debug` nor `Display` shows, and that is wiped when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself: only for the wire.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where a secret is read from. It is read each time it is needed, so a rotated secret takes effect
/// with the next token request.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// `{ env = "NAME" }`: an environment variable.
    Env(String),
    /// `{ file = "path" }`: a file; one trailing line end is not part of the secret.
    File(PathBuf),
    /// `"text"`: in the configuration itself. Accepted with a warning.
    Literal(Secret),
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not there.
    #[error("environment variable {name} is not set")]
    EnvMissing {
        /// Its name.
        name: String,
    },
    /// The file cannot be read.
    #[error("secret file {} cannot be read", path.display())]
    FileUnreadable {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("secret of {origin} is empty")]
    Empty {
        /// Variable or file.
        origin: String,
    },
}

impl SecretError {
    /// What a person can do.
    pub fn hint(&self) -> String {
        match self {
            Self::EnvMissing { name } => format!("set {name} in the environment of the process"),
            Self::FileUnreadable { path, .. } => {
                format!("make {} readable for the user that runs unbroken", path.display())
            }
            Self::Empty { origin } => format!("write the secret into {origin}"),
        }
    }
}

impl SecretSource {
    /// Reads the secret.
    ///
    /// # Errors
    /// If the variable or the file is missing or empty.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let text = match self {
            Self::Env(name) => {
                std::env::var(name).map_err(|_| SecretError::EnvMissing { name: name.clone() })?
            }
            Self::File(path) => read_file(path)?,
            Self::Literal(secret) => return Ok(secret.clone()),
        };
        if text.is_empty() {
            return Err(SecretError::Empty { origin: self.origin() });
        }
        Ok(Secret::new(text))
    }

    /// Whether the secret stands in the configuration itself.
    pub fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    fn origin(&self) -> String {
        match self {
            Self::Env(name) => name.clone(),
            Self::File(path) => path.display().to_string(),
            Self::Literal(_) => "the configuration".into(),
        }
    }
}

fn read_file(path: &Path) -> Result<String, SecretError> {
    let mut text = std::fs::read_to_string(path)
        .map_err(|source| SecretError::FileUnreadable { path: path.to_owned(), source })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceTable {
    env: Option<String>,
    file: Option<PathBuf>,
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"{ env = "NAME" }, { file = "path" } or a text"#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SecretSource, E> {
        Ok(SecretSource::Literal(Secret::new(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SecretSource, A::Error> {
        let table = SourceTable::deserialize(MapAccessDeserializer::new(map))?;
        match (table.env, table.file) {
            (Some(name), None) => Ok(SecretSource::Env(name)),
            (None, Some(path)) => Ok(SecretSource::File(path)),
            _ => Err(A::Error::custom("a secret names either `env` or `file`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        secret: SecretSource,
    }

    #[test]
    fn secrets_never_show_in_debug_or_display() {
        let holder: Holder = toml::from_str(r#"secret = "hunter2""#).unwrap();
        let secret = holder.secret.read().unwrap();
        let shown = format!("{holder:?} {secret:?} {secret}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_rotated_secret_file_is_read_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "first\n").unwrap();
        let source = SecretSource::File(path.clone());
        assert_eq!(source.read().unwrap().expose(), "first");
        std::fs::write(&path, "second\r\n").unwrap();
        assert_eq!(source.read().unwrap().expose(), "second");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(source.read(), Err(SecretError::Empty { .. })));
    }

    #[test]
    fn a_missing_variable_is_named_and_hinted() {
        let error = SecretSource::Env("UNBROKEN_TEST_NO_SUCH_VARIABLE".into()).read().unwrap_err();
        assert!(error.to_string().contains("UNBROKEN_TEST_NO_SUCH_VARIABLE"));
        assert!(error.hint().contains("UNBROKEN_TEST_NO_SUCH_VARIABLE"));
    }

    #[test]
    fn a_secret_with_two_sources_is_refused() {
        let text = r#"secret = { env = "A", file = "b" }"#;
        let error = toml::from_str::<Holder>(text).unwrap_err();
        assert!(error.to_string().contains("either `env` or `file`"), "{error}");
    }
}
