//! What a log says of itself when it opens a sink.

use unbroken_journal::JournalId;

use crate::{Checkpoint, SinkError};

/// A target looks at it before it raises the fence: whoever may not have the sink must not take it
/// from who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The sink's name.
    pub sink: String,
    /// The log.
    pub journal: JournalId,
    /// The log ends before this offset.
    pub end_offset: u64,
    /// A checkpoint from which this log cannot go on is given up.
    pub adopt: bool,
}

impl Claim {
    /// Whether this log may have a target that holds this checkpoint.
    ///
    /// # Errors
    /// [`SinkError::Blocked`]: it cannot go on from there, and is not told to begin anew.
    pub fn accept(&self, held: Option<&Checkpoint>) -> Result<(), SinkError> {
        let Some(fault) = held.and_then(|held| self.fault(held)).filter(|_| !self.adopt) else {
            return Ok(());
        };
        let todo = format!(
            "if this log is to be the target's from now on, `unbroken run --adopt {}` begins anew \
             behind what is there",
            self.sink
        );
        Err(SinkError::blocked(fault, todo))
    }

    /// Why this log cannot go on from a checkpoint.
    pub(crate) fn fault(&self, held: &Checkpoint) -> Option<String> {
        if held.journal != self.journal {
            return Some(format!("checkpoint in the target, {held}, is of another log"));
        }
        let end = self.end_offset;
        (held.needed_from() > end).then(|| {
            format!("checkpoint in the target, {held}, is beyond the end of the log, {end}")
        })
    }
}
