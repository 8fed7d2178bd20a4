//! The invariants by name, and how often each had something to say.

/// What must hold. The names are those of the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// All up to the position, seen or durable, is in the log or in the ledger.
    CursorCovered,
    /// No event is in the log twice.
    AtMostOnce,
    /// State is the last write in offset order among records with `effect = state`, published
    /// outside brackets: for the journal's fold, and for what the machine holds.
    StateIsFold,
    /// A key never goes back to an older event, the position never back inside an epoch.
    NoTimeTravel,
    /// An event of another numbering is never applied; only an install enters one.
    EpochFence,
    /// What a process hands over after another has begun is not written.
    OneWriter,
    /// A reader sees one generation: nothing of a bracket before its End, no position at its tag.
    AtomicInstall,
    /// By the time a later event is written, what is missing before it is in a row; and an
    /// unrecoverable row holds nothing that is in the log.
    GapHonesty,
    /// Live: no row is open, nothing staged or converging; once quiet, state is the vendor's.
    LiveMeansLive,
    /// No window holds more than its bound.
    BoundedMemory,
    /// A snapshot is installed only if it shows what happened before the subscription begins.
    OverlapProved,
    /// A resume asks from what is durable.
    ResumeFromDurable,
    /// An event that reached this process is in the log when the stream is Live and quiet, if its
    /// numbering was ever entered.
    NothingReceivedIsDropped,
    /// When nothing more happens, Live follows, or Blocked with a cause, within the world's steps.
    FinallyLive,
    /// Live and quiet: no row is open.
    GapsClose,
    /// What cannot be understood is kept, and the stream gets past it.
    ProgressPastPoison,
    /// A hand-over ends, with one socket.
    HandoverEnds,
    /// Nothing is done again and again for ever.
    NoFruitlessResync,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::CursorCovered,
        Self::AtMostOnce,
        Self::StateIsFold,
        Self::NoTimeTravel,
        Self::EpochFence,
        Self::OneWriter,
        Self::AtomicInstall,
        Self::GapHonesty,
        Self::LiveMeansLive,
        Self::BoundedMemory,
        Self::OverlapProved,
        Self::ResumeFromDurable,
        Self::NothingReceivedIsDropped,
        Self::FinallyLive,
        Self::GapsClose,
        Self::ProgressPastPoison,
        Self::HandoverEnds,
        Self::NoFruitlessResync,
    ];
}

/// In how many states an invariant could have been broken: a check that never had anything to look
/// at has shown nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; Invariant::ALL.len()]);

impl Tally {
    pub fn count(&mut self, invariant: Invariant) {
        self.0[invariant as usize] += 1;
    }

    pub fn of(&self, invariant: Invariant) -> u64 {
        self.0[invariant as usize]
    }

    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}
