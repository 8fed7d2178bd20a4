//! What can be wrong with a configuration file. Found before anything is opened.

use std::path::PathBuf;

use thiserror::Error;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key that means nothing here: a typing error that would otherwise be passed over in
    /// silence, and be a wrong setting.
    #[error("{}:{line}: unknown key `{key}`", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// The key.
        key: String,
        /// The known key that it is most like, if it is like any.
        nearest: Option<String>,
        /// What is known at this place.
        known: Vec<String>,
    },
    /// Not TOML, or a value of the wrong kind.
    #[error("{}:{line}: {what}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What.
        what: String,
    },
    /// Well-formed, but it cannot be meant.
    #[error("{}: {what}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What.
        what: String,
        /// What to do.
        hint: String,
    },
}

impl ConfigError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Some(
                "make one with `unbroken init cxone > unbroken.toml`, or name it with --config"
                    .to_owned(),
            ),
            Self::Read { .. } => None,
            Self::UnknownKey { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{nearest}`?"))
            }
            Self::UnknownKey { known, .. } if !known.is_empty() => {
                Some(format!("known here: {}", known.join(", ")))
            }
            Self::UnknownKey { .. } | Self::Syntax { .. } => {
                Some("`unbroken init cxone` prints a configuration that is right".to_owned())
            }
            Self::Invalid { hint, .. } => Some(hint.clone()),
        }
    }
}
