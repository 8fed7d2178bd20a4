//! The numbers that stand for the core's enumerations on disk. They never change their meaning.

use unbroken_core::record::{Closer, Effect, GapCause, GapOutcome, Origin, Turn, Witness};

use crate::codec::take::{Malformed, Take};

/// An enumeration with a number for each variant.
pub(crate) trait Code: Sized {
    fn code(self) -> u8;
    fn take(take: &mut Take) -> Result<Self, Malformed>;
}

macro_rules! code {
    ($type:ident, $what:literal, $($variant:ident = $code:literal),+ $(,)?) => {
        impl Code for $type {
            fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code),+
                }
            }

            fn take(take: &mut Take) -> Result<Self, Malformed> {
                match take.byte($what)? {
                    $($code => Ok(Self::$variant),)+
                    _ => Err(take.fault($what)),
                }
            }
        }
    };
}

code!(Origin, "origin", Live = 0, Replay = 1, Snapshot = 2, Backfill = 3, Synthetic = 4);
code!(Effect, "effect", State = 0, History = 1);
code!(
    Witness,
    "witness",
    AckPosition = 0,
    Contiguous = 1,
    FirstEvent = 2,
    Resumed = 3,
    HeadUnmoved = 4,
    Assumed = 5,
);
code!(
    GapCause,
    "gap cause",
    Start = 0,
    Refused = 1,
    Clamped = 2,
    NoReplay = 3,
    Unproven = 4,
    EpochChanged = 5,
    Hole = 6,
    Drift = 7,
    Mute = 8,
    Poison = 9,
    Partial = 10,
    Operator = 11,
);
code!(
    GapOutcome,
    "gap outcome",
    Repaired = 0,
    Summarised = 1,
    Unproven = 2,
    Unrecoverable = 3,
    Drift = 4,
);
code!(Turn, "turn", Opened = 0, Live = 1, Doubted = 2, Closed = 3);
code!(Closer, "closer", Vendor = 0, Us = 1, Transport = 2);
