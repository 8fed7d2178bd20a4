//! Why the control socket could not be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// See the module.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody listens: no service runs on this data directory.
    #[error("no service is running on {}", .0.display())]
    NotRunning(PathBuf),
    /// The socket could not be made.
    #[error("control socket {} cannot be made", path.display())]
    Bind {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The service did not answer.
    #[error("the service did not answer")]
    Io(#[source] io::Error),
    /// The service answered something else.
    #[error("the service's answer is not understood")]
    Answer(#[source] serde_json::Error),
}

impl ControlError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotRunning(_) => Some("start it with `unbroken run`".to_owned()),
            Self::Bind { path, .. } if path.as_os_str().len() > 100 => Some(
                "use a data directory with a shorter path: sockets allow about 100 letters"
                    .to_owned(),
            ),
            Self::Answer(_) => {
                Some("use the same version of unbroken for the service and for this".to_owned())
            }
            Self::Bind { .. } | Self::Io(_) => None,
        }
    }
}
