//! How a sink is doing, as others see it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use unbroken_core::time::UnixMicros;

use crate::{Checkpoint, Guarantee};

/// What a sink is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Doing {
    /// It is being opened.
    #[default]
    Opening,
    /// It takes what comes.
    Running,
    /// It failed, and is tried again.
    Retrying,
    /// A person must help; it is tried again, seldom.
    Blocked,
    /// It has ended: another instance has it.
    Fenced,
    /// It has ended as it was asked to.
    Stopped,
}

impl Doing {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Blocked => "blocked",
            Self::Fenced => "fenced",
            Self::Stopped => "stopped",
        }
    }
}

/// Why a sink does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Since when.
    pub since: UnixMicros,
    /// What is the matter.
    pub why: String,
    /// What a person should do; may be empty.
    pub todo: String,
}

/// See the module. Written by the pump alone.
#[derive(Debug, Default)]
pub struct Progress {
    next_offset: AtomicU64,
    /// One above it; 0 while it is not known.
    needed_from: AtomicU64,
    records: AtomicU64,
    batches: AtomicU64,
    parked: AtomicU64,
    failures: AtomicU64,
    lapsed: AtomicU64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    doing: Doing,
    guarantee: Option<Guarantee>,
    trouble: Option<Trouble>,
}

/// Counts since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkCounts {
    /// Everything below is in the target.
    pub next_offset: u64,
    /// Records committed.
    pub records: u64,
    /// Batches committed.
    pub batches: u64,
    /// Records put aside.
    pub parked: u64,
    /// Commits and opens that failed.
    pub failures: u64,
    /// Records that were lost to this sink, since retention had deleted them.
    pub lapsed: u64,
}

impl Progress {
    /// The figures.
    pub fn counts(&self) -> SinkCounts {
        let read = |figure: &AtomicU64| figure.load(Ordering::Acquire);
        SinkCounts {
            next_offset: read(&self.next_offset),
            records: read(&self.records),
            batches: read(&self.batches),
            parked: read(&self.parked),
            failures: read(&self.failures),
            lapsed: read(&self.lapsed),
        }
    }

    /// Nothing before this offset of the log will be asked for again; `None`: the target has not
    /// said yet.
    pub fn needed_from(&self) -> Option<u64> {
        let needed_from = self.needed_from.load(Ordering::Acquire);
        needed_from.checked_sub(1)
    }

    /// What it is about.
    pub fn doing(&self) -> Doing {
        self.held().doing
    }

    /// What it promises; `None` before it was started.
    pub fn guarantee(&self) -> Option<Guarantee> {
        self.held().guarantee
    }

    /// Why it does not run, if it does not.
    pub fn trouble(&self) -> Option<Trouble> {
        self.held().trouble.clone()
    }

    pub(crate) fn promises(&self, guarantee: Guarantee) {
        self.held().guarantee = Some(guarantee);
    }

    pub(crate) fn is_at(&self, checkpoint: &Checkpoint) {
        self.next_offset.store(checkpoint.next_offset, Ordering::Release);
        self.needed_from.store(checkpoint.needed_from() + 1, Ordering::Release);
    }

    pub(crate) fn committed(&self, checkpoint: &Checkpoint, records: u64, parked: u64) {
        self.is_at(checkpoint);
        self.records.fetch_add(records, Ordering::AcqRel);
        self.parked.fetch_add(parked, Ordering::AcqRel);
        self.batches.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn lapsed(&self, records: u64) {
        self.lapsed.fetch_add(records, Ordering::AcqRel);
    }

    pub(crate) fn runs(&self) {
        let mut held = self.held();
        held.doing = Doing::Running;
        held.trouble = None;
    }

    /// Since when is that of the first failure of a row of them.
    pub(crate) fn fails(&self, doing: Doing, now: UnixMicros, why: String, todo: String) {
        self.failures.fetch_add(1, Ordering::AcqRel);
        let mut held = self.held();
        let since = held.trouble.as_ref().map_or(now, |trouble| trouble.since);
        held.doing = doing;
        held.trouble = Some(Trouble { since, why, todo });
    }

    pub(crate) fn stops(&self) {
        self.held().doing = Doing::Stopped;
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
