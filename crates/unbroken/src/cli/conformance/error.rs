//! Why a suite could not be played.

use thiserror::Error;
use unbroken_sim::conformance::ConformanceError;

/// See the module.
#[derive(Debug, Error)]
pub(crate) enum SuiteError {
    #[error("there is no scenario called `{name}`")]
    UnknownScenario { name: String, nearest: Option<&'static str> },
    #[error(transparent)]
    Play(ConformanceError),
    #[error("{0} scenarios could not be played")]
    Unplayed(usize),
    #[error("told to stop before the end")]
    Interrupted,
}

impl SuiteError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownScenario { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{nearest}`?"))
            }
            Self::UnknownScenario { .. } => {
                Some("`unbroken conformance --list` shows them".to_owned())
            }
            Self::Play(error) => error.hint(),
            Self::Unplayed(_) => Some("play fewer at once: --jobs 1".to_owned()),
            Self::Interrupted => None,
        }
    }
}
