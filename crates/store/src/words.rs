//! The words by which the tables name what the records say.

use unbroken_core::record::{Closer, Effect, GapCause, GapOutcome, Origin, Turn, Witness};

/// An enum of the record's that has a word in a text column.
pub(crate) trait Word: Sized {
    /// The word.
    fn word(self) -> &'static str;
    /// What the word stands for.
    fn from_word(word: &str) -> Option<Self>;
}

/// One list per enum, so that writing and reading cannot disagree; a variant left out does not
/// compile.
macro_rules! words {
    ($($name:ident { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        impl Word for $name {
            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
            fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    )*};
}

words! {
    Origin {
        Live = "live", Replay = "replay", Snapshot = "snapshot", Backfill = "backfill",
        Synthetic = "synthetic",
    }
    Effect { State = "state", History = "history" }
    GapCause {
        Start = "start", Refused = "refused", Clamped = "clamped", NoReplay = "no_replay",
        Unproven = "unproven", EpochChanged = "epoch_changed", Hole = "hole", Drift = "drift",
        Mute = "mute", Poison = "poison", Partial = "partial", Operator = "operator",
    }
    GapOutcome {
        Repaired = "repaired", Summarised = "summarised", Unproven = "unproven",
        Unrecoverable = "unrecoverable", Drift = "drift",
    }
    Turn { Opened = "opened", Live = "live", Doubted = "doubted", Closed = "closed" }
    Closer { Vendor = "vendor", Us = "us", Transport = "transport" }
    Witness {
        AckPosition = "ack_position", Contiguous = "contiguous", FirstEvent = "first_event",
        Resumed = "resumed", HeadUnmoved = "head_unmoved", Assumed = "assumed",
    }
}
