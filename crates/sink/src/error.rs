//! Why a sink did not take a batch. Never with a payload in it.

use std::error::Error;
use std::time::Duration;

use crate::Checkpoint;

/// Says what is the matter, and so what the pump does next.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Another instance has opened the same sink since: this one ends.
    #[error("sink was taken over by a newer instance")]
    Fenced,
    /// The checkpoint is not where it was left: somebody has moved it. It is opened again.
    #[error("checkpoint in the target is {found}, not the one that was left there")]
    Moved {
        /// What is there.
        found: Checkpoint,
    },
    /// It cannot be reached, or went away in the middle. Tried again.
    #[error("target cannot be reached while {doing}")]
    Unreachable {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It asks to be left alone for a time. Tried again after it.
    #[error("{what}")]
    Busy {
        /// What it says.
        what: String,
        /// How long.
        after: Duration,
    },
    /// It does not take what is in the batch: this row, or one of them. The row is parked.
    #[error("target refuses a row: {why}")]
    Refused {
        /// Which one, if it says so.
        offset: Option<u64>,
        /// Why, without anything of the row in it.
        why: String,
    },
    /// It takes less at once: what is before this offset, and then the rest.
    #[error("target takes less at once")]
    TooMuch {
        /// The first one that it has no room for; never the batch's first.
        from: u64,
    },
    /// A person must help. Tried again, seldom.
    #[error(transparent)]
    Blocked(Blocked),
}

/// Why a person must help.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Blocked {
    /// What is the matter.
    pub what: String,
    /// What to do.
    pub todo: String,
    /// What was underneath, if anything was.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl SinkError {
    /// As [`SinkError::Unreachable`], to be given an error.
    pub fn unreachable<E: Into<Box<dyn Error + Send + Sync>>>(
        doing: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Unreachable { doing, source: source.into() }
    }

    /// As [`SinkError::Blocked`], with nothing underneath.
    pub fn blocked(what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::Blocked(Blocked { what: what.into(), todo: todo.into(), source: None })
    }

    /// What a person should do, if anything.
    pub fn todo(&self) -> &str {
        match self {
            Self::Fenced => "run one instance for each sink, or give the sinks different names",
            Self::Blocked(blocked) => &blocked.todo,
            Self::Moved { .. }
            | Self::Unreachable { .. }
            | Self::Busy { .. }
            | Self::Refused { .. }
            | Self::TooMuch { .. } => "",
        }
    }
}
