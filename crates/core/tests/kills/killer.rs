//! Which killer is the cheapest for which mutant.

use std::fmt;

use unbroken_core::machine::Mutant;

/// An exhaustive search of a small world, or a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Killer {
    /// The world's name and its setting's.
    World(&'static str, &'static str),
    /// The story's name.
    Scene(&'static str),
}

impl fmt::Display for Killer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World(world, setting) => write!(f, "world `{world}`: {setting}"),
            Self::Scene(name) => write!(f, "story: {name}"),
        }
    }
}

const REFUSES: &str = "contiguous, refuses";
const OPAQUE: &str = "opaque, clamps";

/// The killer of a mutant.
pub fn killer_of(mutant: Mutant) -> Killer {
    let story = || story_of(mutant).map(Killer::Scene);
    world_of(mutant).or_else(story).expect("every mutant has a killer")
}

/// The small world whose search finds it.
fn world_of(mutant: Mutant) -> Option<Killer> {
    let crash = |setting| Killer::World("crash_append", setting);
    let pages = |setting| Killer::World("pages_deletes", setting);
    let epochs = |setting| Killer::World("epochs", setting);
    let handover = |setting| Killer::World("handover", setting);
    let ladder = |setting| Killer::World("refusal_ladder", setting);
    let unpositioned = |setting| Killer::World("unpositioned", setting);
    Some(match mutant {
        Mutant::DedupAgainstDurable
        | Mutant::ResumeFromSeen
        | Mutant::QuietVendorWaits
        | Mutant::PositionBeforeEnd
        | Mutant::PositionAlone
        | Mutant::LedgerAfterRecords
        | Mutant::RowTooLong
        | Mutant::RowTooShort
        | Mutant::HeldDropped => crash(REFUSES),
        Mutant::JumpUnawaited | Mutant::UnprovenGoesLive => crash("increasing, clamps"),
        Mutant::HoleNotHeld => crash("contiguous, clamps"),
        Mutant::LateEventTouchesState
        | Mutant::LateRowKept
        | Mutant::NoWitness
        | Mutant::KeysNotRebuilt => crash("live only"),
        Mutant::HoleWithoutNumber => crash("opaque, confirms with its place, clamps"),
        Mutant::LooseSnapshotAtOnce => crash(OPAQUE),
        Mutant::CorrectedInSilence => pages("an event is dropped, and a person looks"),
        Mutant::TagMaximum | Mutant::TouchedForgotten => pages("by key"),
        Mutant::TornPagesAccepted => pages("by row number"),
        Mutant::SocketDroppedForRefetch => pages("from a cache"),
        Mutant::TagAgainstDurable | Mutant::StaleSnapshotAccepted => {
            pages("from a cache, before the subscription")
        }
        Mutant::EpochFenceOpen | Mutant::StashDropped => epochs("named, contiguous"),
        Mutant::LateHoleForgotten => ladder("bytes that nobody can read"),
        Mutant::MuteUnnoticed => ladder("confirmed and mute"),
        Mutant::SpareNotHeld => handover("increasing"),
        Mutant::ClosedAtConfirmation | Mutant::PromotedUnproved => handover("live only"),
        Mutant::ExpectedForgotten => unpositioned("hand-over, a socket breaks"),
        Mutant::EchoTaken => unpositioned("hand-over, a frame twice"),
        Mutant::PoisonWithoutRow => ladder("bytes that nobody can read, with holes"),
        _ => return None,
    })
}

/// The story that finds it.
fn story_of(mutant: Mutant) -> Option<&'static str> {
    Some(match mutant {
        Mutant::ClampInAckBelieved => "a confirmation from later than asked",
        Mutant::RefusalsUncounted => "a vendor that refuses every position",
        Mutant::RefusalRemembered => "a refusal, and later an outage like any other",
        Mutant::MuteUncounted => "a vendor that is mute on every position",
        Mutant::IdleClosesUncounted => "a vendor that closes on every position",
        Mutant::DeletesOutsideScope => "a look at one key of four",
        Mutant::KeyedSpeaksForAll => "a look at one key while another changes",
        Mutant::ShiftingPagesBelieved => "a row moves to a page that was read",
        Mutant::EmptyAnswerBelieved => "empty answers about two keys",
        Mutant::OldRowBelieved => "an old row beside a complete stream",
        Mutant::ResumeCompares => "an event was lost, and found behind a resume",
        Mutant::MassDeleteApplied => "an empty answer about twenty keys",
        Mutant::NoConvergingMark | Mutant::QuietWhileConverging => {
            "two moments on a stream that is quiet before the later one"
        }
        Mutant::EndedDoubtForgotten => {
            "a numbering begins again, and a death inside its first snapshot"
        }
        Mutant::StashUnasked => "a coming numbering breaks off, and is served on",
        Mutant::StashJoinedUnproved => "a coming numbering breaks off, and begins later",
        Mutant::ConvergingForgotten => "two moments, and a restart before the later one",
        Mutant::RowFromTheReturn => "an event falls into the end of a numbering",
        Mutant::HoleAskedForEver => "a vendor that has lost one event for good",
        Mutant::ForeignFramesTaken => "a context of ours that was never ended speaks too",
        Mutant::DriftOfTouchedKeys => "a busy key under audit",
        Mutant::DriftAtFirstSight => "an event is late for an audit",
        Mutant::UnheardTakesOver => "a first connection that is slow",
        Mutant::HushTakesOver => "a second connection that is mute",
        Mutant::HiddenEpochKept | Mutant::CanaryUnasked | Mutant::CanaryNotCompared => {
            "a numbering without a name begins again"
        }
        Mutant::SplitFrameWhole | Mutant::AheadForgotten => {
            "a position goes on in the next frame, after a break"
        }
        Mutant::TombstoneAtOnce => "an event from before a deletion comes a second late",
        Mutant::TombstoneInHandover => "a deletion, while older events wait on a second connection",
        Mutant::TombstoneAbovePosition => {
            "a deletion beyond the position, and older events after an hour"
        }
        Mutant::TombstoneKept => "keys that come and go, numbered",
        Mutant::EchoKept => "keys that come and go, without positions",
        Mutant::UnreadForEver => "a message that ends every socket",
        Mutant::SchemaChangeUnnoticed => "a vendor renames its fields",
        Mutant::SchemaChangeFromTheAlarm => "a vendor without positions renames its fields",
        Mutant::AlarmReleases => "every second event is garbled, and comes whole when asked for",
        Mutant::DoubtReleases => "what was garbled comes garbled again, and the rest whole",
        Mutant::PartialGoesLive => "a subscription without one of the keys",
        Mutant::OldTokenBlamed => "two sockets of an old token",
        Mutant::SilenceBelieved => "a socket falls silent where nobody can be asked",
        Mutant::HistoryAtFirstSight => "an index that is still being filled",
        Mutant::HistoryTotalIgnored => "a walk that ends before its total",
        Mutant::EndUnheeded => "the end of a key falls into a gap",
        Mutant::EndAtFirstSight => "an answer that is wrong once about the end of a key",
        Mutant::EndOfTheRevived => "the end of a key falls into a gap, and it comes again",
        Mutant::HistoryTouchesState => "a fact about what was long ago",
        Mutant::BudgetIgnored => "twenty cuts in ten seconds",
        Mutant::RetryAfterIgnored => "a vendor that says when to come again",
        Mutant::AuditSpendsAll => "an audit each second",
        Mutant::PausedAsksOn => "a paused stream through a restart and a night",
        _ => return None,
    })
}
