//! The vendor's numbering of its stream.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One numbering of the vendor's stream. A local counter: the vendor's own name for the epoch,
/// where it has one, is kept beside it. Positions of different epochs are never compared as
/// numbers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch that follows this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A place in the vendor's stream: an epoch and the vendor's sequence in it. Not an offset (ours).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Which numbering.
    pub epoch: Epoch,
    /// The vendor's sequence; events of one epoch have strictly increasing sequences, except where
    /// the capability `position_unique` is false and one sequence names several events.
    pub sequence: u64,
}

impl Position {
    /// Epoch and sequence as one value.
    pub fn new(epoch: Epoch, sequence: u64) -> Self {
        Self { epoch, sequence }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch.0, self.sequence)
    }
}
