//! Where secrets are read from.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::secret::{Secret, command};

/// Most bytes of a secret. A certificate-bound token has some thousands.
pub(super) const SECRET_BYTES_MAX: usize = 64 * 1024;

/// Where a secret is read from. It is read each time it is needed, so a rotated secret takes effect
/// with the next token request.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// `{ env = "NAME" }`: an environment variable.
    Env(String),
    /// `{ file = "path" }`: a file; one trailing line end is not part of the secret.
    File(PathBuf),
    /// `{ command = ["program", "argument"] }`: what a program prints; one trailing line end is not
    /// part of the secret. No shell takes part.
    Command(Vec<String>),
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
        /// Variable, file or command.
        origin: String,
    },
    /// There is far too much in it.
    #[error("secret of {origin} is longer than 65536 bytes")]
    TooLong {
        /// File or command.
        origin: String,
    },
    /// It is no text.
    #[error("secret of {origin} is no UTF-8 text")]
    NotText {
        /// File or command.
        origin: String,
    },
    /// A command without a program.
    #[error("secret command is empty")]
    CommandEmpty,
    /// The program cannot be started.
    #[error("secret command {program} cannot be run")]
    CommandNotRun {
        /// Its name.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The program said that it failed.
    #[error("secret command {program} failed ({how}, {stderr_bytes} bytes on stderr)")]
    CommandFailed {
        /// Its name.
        program: String,
        /// Exit code or signal.
        how: String,
        /// How much it said; what it said may hold a secret.
        stderr_bytes: u64,
    },
    /// The program did not end in time.
    #[error("secret command {program} took longer than {limit_s} s")]
    CommandTimeout {
        /// Its name.
        program: String,
        /// The limit.
        limit_s: u64,
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
            Self::TooLong { origin } | Self::NotText { origin } => {
                format!("let {origin} hold the secret and nothing else")
            }
            Self::CommandEmpty => "name a program: command = [\"vault\", \"read\", …]".into(),
            Self::CommandNotRun { program, .. } => {
                format!("is {program} installed, executable and in the PATH of the process?")
            }
            Self::CommandFailed { .. } | Self::CommandTimeout { .. } => {
                "run the command by hand as the user that runs unbroken".into()
            }
        }
    }
}

impl SecretSource {
    /// Reads the secret.
    ///
    /// # Errors
    /// If the variable, the file or what the command prints is missing or empty.
    pub async fn read(&self) -> Result<Secret, SecretError> {
        let text = match self {
            Self::Env(name) => {
                std::env::var(name).map_err(|_| SecretError::EnvMissing { name: name.clone() })?
            }
            Self::File(path) => without_line_end(read_file(path)?),
            Self::Command(command) => without_line_end(command::run(command).await?),
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
            Self::Command(command) => {
                format!("command {}", command.first().map_or("", String::as_str))
            }
            Self::Literal(_) => "the configuration".into(),
        }
    }
}

fn read_file(path: &Path) -> Result<String, SecretError> {
    let failed = |source| SecretError::FileUnreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(SECRET_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    let origin = || path.display().to_string();
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(SecretError::TooLong { origin: origin() });
    }
    String::from_utf8(bytes).map_err(|_| SecretError::NotText { origin: origin() })
}

fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
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
    command: Option<Vec<String>>,
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            r#"{ env = "NAME" }, { file = "path" }, { command = ["program", …] } or a text"#,
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SecretSource, E> {
        Ok(SecretSource::Literal(Secret::new(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SecretSource, A::Error> {
        let table = SourceTable::deserialize(MapAccessDeserializer::new(map))?;
        match (table.env, table.file, table.command) {
            (Some(name), None, None) => Ok(SecretSource::Env(name)),
            (None, Some(path), None) => Ok(SecretSource::File(path)),
            (None, None, Some(command)) if command.is_empty() => {
                Err(A::Error::custom("a secret's `command` names no program"))
            }
            (None, None, Some(command)) => Ok(SecretSource::Command(command)),
            _ => Err(A::Error::custom("a secret names one of `env`, `file` and `command`")),
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

    #[tokio::test]
    async fn secrets_never_show_in_debug_or_display() {
        let holder: Holder = toml::from_str(r#"secret = "hunter2""#).unwrap();
        let secret = holder.secret.read().await.unwrap();
        let shown = format!("{holder:?} {secret:?} {secret}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[tokio::test]
    async fn a_rotated_secret_file_is_read_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "first\n").unwrap();
        let source = SecretSource::File(path.clone());
        assert_eq!(source.read().await.unwrap().expose(), "first");
        std::fs::write(&path, "second\r\n").unwrap();
        assert_eq!(source.read().await.unwrap().expose(), "second");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(source.read().await, Err(SecretError::Empty { .. })));
    }

    #[tokio::test]
    async fn a_missing_variable_is_named_and_hinted() {
        let source = SecretSource::Env("UNBROKEN_TEST_NO_SUCH_VARIABLE".into());
        let error = source.read().await.unwrap_err();
        assert!(error.to_string().contains("UNBROKEN_TEST_NO_SUCH_VARIABLE"));
        assert!(error.hint().contains("UNBROKEN_TEST_NO_SUCH_VARIABLE"));
    }

    #[tokio::test]
    async fn a_command_is_written_as_program_and_arguments() {
        let text = r#"secret = { command = ["echo", "hunter2"] }"#;
        let holder: Holder = toml::from_str(text).unwrap();
        assert_eq!(holder.secret.read().await.unwrap().expose(), "hunter2");
        let source = SecretSource::Command(vec!["true".into()]);
        let error = source.read().await.unwrap_err();
        assert_eq!(error.to_string(), "secret of command true is empty");
    }

    #[test]
    fn a_secret_with_two_sources_or_no_program_is_refused() {
        for (text, why) in [
            (r#"secret = { env = "A", file = "b" }"#, "one of `env`, `file` and `command`"),
            (r#"secret = { file = "b", command = ["c"] }"#, "one of `env`, `file` and `command`"),
            ("secret = {}", "one of `env`, `file` and `command`"),
            ("secret = { command = [] }", "names no program"),
        ] {
            let error = toml::from_str::<Holder>(text).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
