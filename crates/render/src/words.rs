//! The words by which states, rungs, causes and outcomes are told, in logs, tables and JSON alike.

use unbroken_core::connector::Class;
use unbroken_core::directive::Act;
use unbroken_core::machine::{Allowance, Blocked, Halt, Phase, Proof, Rung};
use unbroken_core::record::{Closer, Effect, GapCause, GapOutcome, Origin, Turn, Witness};

macro_rules! words {
    ($(
        $(#[$doc:meta])*
        $name:ident($of:ident) { $($variant:ident => $word:literal),* $(,)? }
    )*) => {
        $($(#[$doc])*
        pub fn $name(value: $of) -> &'static str {
            match value { $($of::$variant => $word),* }
        })*
    };
}

/// The same, with a list of all the words.
macro_rules! listed_words {
    ($(
        $(#[$doc:meta])*
        $name:ident($of:ident), $all:ident { $($variant:ident => $word:literal),* $(,)? }
    )*) => {
        words! { $($(#[$doc])* $name($of) { $($variant => $word),* })* }
        $(
            /// All of them.
            pub const $all: &[&str] = &[$($word),*];
        )*
    };
}

listed_words! {
    /// Why a gap was opened.
    cause(GapCause), CAUSES {
        Start => "start",
        Refused => "refused",
        Clamped => "clamped",
        NoReplay => "no_replay",
        Unproven => "unproven",
        EpochChanged => "epoch_changed",
        Hole => "hole",
        Drift => "drift",
        Mute => "mute",
        Poison => "poison",
        Partial => "partial",
        Operator => "operator",
    }
    /// How a gap ended.
    outcome(GapOutcome), OUTCOMES {
        Repaired => "repaired",
        Summarised => "summarised",
        Unproven => "unproven",
        Unrecoverable => "unrecoverable",
        Drift => "drift",
    }
    /// What a budget is of.
    allowance(Allowance), ALLOWANCES {
        Handshakes => "handshakes",
        Requests => "requests",
    }
}

words! {
    /// A rung of the recovery ladder.
    rung(Rung) {
        Resume => "resume",
        Floor => "floor",
        Rebase => "rebase",
        Overlap => "overlap",
    }
    /// What proved a resume.
    proof(Proof) {
        Ack => "ack",
        Head => "head",
        Next => "next",
        Anchor => "anchor",
    }
    /// What proved that snapshot and subscription overlap.
    witness(Witness) {
        AckPosition => "ack_position",
        Contiguous => "contiguous",
        FirstEvent => "first_event",
        Resumed => "resumed",
        HeadUnmoved => "head_unmoved",
        Assumed => "assumed",
    }
    /// How a change came.
    origin(Origin) {
        Live => "live",
        Replay => "replay",
        Snapshot => "snapshot",
        Backfill => "backfill",
        Synthetic => "synthetic",
    }
    /// Whether a change touches state.
    effect(Effect) {
        State => "state",
        History => "history",
    }
    /// A turn in a connection's life.
    turn(Turn) {
        Opened => "opened",
        Live => "live",
        Doubted => "doubted",
        Closed => "closed",
    }
    /// Who brought a turn about.
    closer(Closer) {
        Vendor => "vendor",
        Us => "us",
        Transport => "transport",
    }
}

/// Every phase, in the order of an attempt.
pub const PHASES: &[&str] = &[
    "idle",
    "authorizing",
    "fetching",
    "connecting",
    "subscribing",
    "catching_up",
    "live",
    "waiting",
    "blocked",
    "draining",
    "paused",
];

/// What a failure calls for.
pub fn class(class: Class) -> &'static str {
    match class {
        Class::Retry { .. } => "retry",
        Class::Reauthorize => "reauthorize",
        Class::Stale { .. } => "stale",
        Class::Closing => "closing",
        Class::Fatal => "fatal",
    }
}

/// Every class of failure.
pub const CLASSES: &[&str] = &["retry", "reauthorize", "stale", "closing", "fatal"];

/// What a person decided.
pub fn act(act: &Act) -> &'static str {
    match act {
        Act::Pause => "pause",
        Act::Resume => "resume",
        Act::SetPosition { .. } => "set_position",
        Act::ForgetPosition { .. } => "forget_position",
    }
}

/// A stream's phase.
pub fn phase(phase: &Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Authorizing => "authorizing",
        Phase::Fetching => "fetching",
        Phase::Connecting => "connecting",
        Phase::Subscribing => "subscribing",
        Phase::CatchingUp => "catching_up",
        Phase::Live { .. } => "live",
        Phase::Waiting { .. } => "waiting",
        Phase::Blocked { .. } => "blocked",
        Phase::Draining => "draining",
        Phase::Paused { .. } => "paused",
    }
}

/// Why a stream is blocked.
pub fn blocked(why: &Blocked) -> String {
    match why {
        Blocked::Auth { failure } => format!("credentials refused: {}", failure.what),
        Blocked::MassDelete { lacks, of } => {
            format!("a snapshot that would delete keys lacks {lacks} of {of}")
        }
        Blocked::Fatal { failure } => failure.what.to_string(),
        Blocked::NoWay => "the source declares no way that could lead to live".to_owned(),
    }
}

/// Why a source stopped.
pub fn halt(halt: &Halt) -> String {
    match halt {
        Halt::Stopped => "stopped as asked".to_owned(),
        Halt::Journal { what } => format!("the journal cannot write: {what}"),
    }
}

/// A ledger row's cause, as a newcomer understands it.
pub fn cause_plainly(cause: GapCause) -> &'static str {
    match cause {
        GapCause::Start => "the record begins here",
        GapCause::Refused => "the vendor refused the position as too old",
        GapCause::Clamped => "the vendor began later than it was asked to",
        GapCause::NoReplay => "the vendor cannot replay",
        GapCause::Unproven => "the vendor gave no proof that nothing is missing",
        GapCause::EpochChanged => "the vendor began a new numbering",
        GapCause::Hole => "the vendor left out events",
        GapCause::Drift => "state changed without an event",
        GapCause::Mute => "the subscription had gone mute",
        GapCause::Poison => "bytes that cannot be understood",
        GapCause::Partial => "a part of the keys was not in the subscription",
        GapCause::Operator => "a person moved the position",
    }
}

/// The same, of a cause's word.
pub fn cause_plainly_by_name(name: &str) -> String {
    const ALL: [GapCause; 12] = [
        GapCause::Start,
        GapCause::Refused,
        GapCause::Clamped,
        GapCause::NoReplay,
        GapCause::Unproven,
        GapCause::EpochChanged,
        GapCause::Hole,
        GapCause::Drift,
        GapCause::Mute,
        GapCause::Poison,
        GapCause::Partial,
        GapCause::Operator,
    ];
    let known = ALL.into_iter().find(|known| cause(*known) == name);
    known.map_or_else(|| name.to_owned(), |known| cause_plainly(known).to_owned())
}

/// What an alarm about the vendor's frames says.
pub fn schema_changed(strange: u32, frames: u32) -> String {
    format!("{strange} of the last {frames} frames were not understood")
}
