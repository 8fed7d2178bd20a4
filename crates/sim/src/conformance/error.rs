//! Why a scenario could not be played.

use std::io;

use crate::SimError;

/// Why a scenario could not be played; what a client does wrong is no such reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConformanceError {
    /// There is no command.
    #[error("client: no command was given")]
    NoCommand,
    /// The client's command cannot be started.
    #[error("client {program}: cannot be started")]
    Start {
        /// As typed.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The client's folder cannot be made.
    #[error("client's folder: cannot be made")]
    Folder {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The vendor cannot run.
    #[error("simulated vendor: cannot run")]
    Vendor(#[from] SimError),
    /// The machine is too slow: events that are due are not made.
    #[error("simulated vendor: {0} events behind, so nothing can be judged")]
    TooSlow(u64),
}

impl ConformanceError {
    /// The next step, where a person can take one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoCommand => Some("write the command behind `--`".to_owned()),
            Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("is it installed, and on the PATH? A script needs its interpreter".to_owned())
            }
            Self::Start { .. } | Self::Folder { .. } => None,
            Self::Vendor(error) => error.hint(),
            Self::TooSlow(_) => Some("play fewer scenarios at once: --jobs 1".to_owned()),
        }
    }
}
