//! What a target must be able to do.

use std::fmt;
use std::time::Duration;

use crate::{Batch, Checkpoint, Claim, SinkError};

/// A target that holds its own checkpoint, and commits it with the data.
///
/// Two rules make each record arrive as the guarantee says, whatever fails:
/// * the target holds the checkpoint, and [`Sink::commit`] makes data and checkpoint durable
///   together, or changes nothing that a reader could count;
/// * [`Sink::open`] raises the fence in the step that reads the checkpoint, and a commit with an
///   older fence is [`SinkError::Fenced`]: the same sink started twice is one sink.
///
/// How a commit ended may be unknown (the connection was cut in the middle of it): that is
/// [`SinkError::Unreachable`], and opening again tells.
pub trait Sink: Send {
    /// What it promises of each record.
    fn guarantee(&self) -> Guarantee;

    /// Makes the target ready, takes it over from whoever had it, and tells how far it is. It asks
    /// [`Claim::accept`] about the checkpoint first, and changes nothing of a sink that is refused.
    fn open(&mut self, claim: &Claim) -> impl Future<Output = Result<Opened, SinkError>> + Send;

    /// Makes a batch and its checkpoint durable. It follows [`Batch::base`], or it is
    /// [`SinkError::Moved`].
    fn commit(
        &mut self,
        fence: Fence,
        batch: &Batch,
    ) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Something to do beside the log, between two batches: called every second or so, also while
    /// nothing comes. Most have nothing. What fails here is no commit that failed: the log goes on.
    fn tend(&mut self, _fence: Fence) -> impl Future<Output = Result<(), SinkError>> + Send {
        async { Ok(()) }
    }
}

/// Which of the instances that have opened a sink this is; the highest one has it. It counts
/// openings, and names the instance in its last bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence(pub u64);

/// A sink that was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// To be given with each commit.
    pub fence: Fence,
    /// How far it is; `None`: nothing was ever committed.
    pub checkpoint: Option<Checkpoint>,
    /// A batch was begun behind the checkpoint, and parts of it may be there: the next one is to
    /// end where that one ends. Only of targets that cannot write a batch in one step.
    pub until: Option<Checkpoint>,
    /// Such parts are never given again, also where the log does not have the batch's beginning any
    /// more: they would be there twice.
    pub keeps_parts: bool,
}

/// What a sink promises of each record that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// It is there once, with its checkpoint, or not at all.
    Transactional,
    /// The target drops a second copy, if it comes within this time.
    Deduplicated {
        /// How long the target remembers.
        window: Duration,
    },
    /// It is there, and may be there again after a failure: with the same key, by which a reader
    /// can tell.
    AtLeastOnce,
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transactional => f.write_str("transactional"),
            Self::Deduplicated { window } => write!(f, "deduplicated within {window:?}"),
            Self::AtLeastOnce => f.write_str("at least once"),
        }
    }
}
