//! The real journal on a simulated disk, with a model of the thread that commits: whatever arrived
//! while the last sync ran is the next batch.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use unbroken_core::fold::Fold;
use unbroken_core::ids::AppendId;
use unbroken_core::position::Epoch;
use unbroken_core::record::{Append, Body, Origin};
use unbroken_journal::simdisk::SimDisk;
use unbroken_journal::{ImagePolicy, JournalError, JournalId, Options, Writer};

use crate::agenda::Micros;
use crate::clocks::wall_clock;

/// Where the log is on its disk.
pub(crate) const DIR: &str = "/log";
/// Zeros written ahead: little, so that a full disk is met early.
const PREALLOCATED_BYTES: u64 = 4 << 10;
/// How long a batch of nothing but `Progress` stays open, as [`unbroken_journal::Gathering`] has
/// it.
pub(crate) const PROGRESS_LINGER_US: Micros = 200_000;

/// What the committer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// Nothing: there is nothing to do.
    Idle,
    /// It waits for more than progress.
    Lingering,
    /// Write and sync are under way.
    UnderWay,
}

/// The open log of one process.
#[derive(Debug)]
pub(crate) struct Log {
    writer: Writer,
    waiting: Vec<Append>,
    units: Vec<Append>,
    pub(crate) commit: Commit,
}

/// What outlives processes: the disk, and what the simulation knows of the log on it.
#[derive(Debug)]
pub(crate) struct Archive {
    pub(crate) disk: SimDisk,
    segment_bytes: u64,
    /// Of each batch: its first offset, and when it was committed.
    pub(crate) commits: Vec<(u64, Micros)>,
    /// Of units with events: the log's end behind them, and the last event's numbering and number.
    lasts: Vec<(u64, Epoch, u64)>,
    /// The log's end when each process began.
    pub(crate) starts: Vec<u64>,
    /// Of each process that has ended: when it began, when it did, and whether it was told to.
    pub(crate) deaths: Vec<(Micros, Micros, bool)>,
    /// Everything below was told to a consumer, which has synced it.
    told_offset: u64,
}

/// A log opened.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) log: Log,
    pub(crate) restored: Fold,
    pub(crate) next_offset: u64,
}

impl Archive {
    pub(crate) fn new(segment_bytes: u64) -> Self {
        Self {
            disk: SimDisk::new(),
            segment_bytes,
            commits: Vec::new(),
            lasts: Vec::new(),
            starts: Vec::new(),
            deaths: Vec::new(),
            told_offset: 0,
        }
    }

    /// Opens the log as a process does at its start.
    pub(crate) fn open(&mut self) -> Result<Opening, JournalError> {
        let mut options = Options::new(Path::new(DIR));
        options.disk = Arc::new(self.disk.clone());
        options.wall_clock = wall_clock;
        options.new_id = only_id;
        options.segment_bytes = self.segment_bytes;
        options.preallocated_bytes = PREALLOCATED_BYTES;
        options.images = ImagePolicy::SealAndClose;
        options.images_beside = false;
        options.checkpoints = vec![self.told_offset];
        let opened = unbroken_journal::open(options)?;
        let next_offset = opened.next_offset;
        self.commits.retain(|(first, _)| *first < next_offset);
        self.lasts.retain(|(end, _, _)| *end <= next_offset);
        self.starts.push(next_offset);
        let log = Log {
            writer: opened.writer,
            waiting: Vec::new(),
            units: Vec::new(),
            commit: Commit::Idle,
        };
        Ok(Opening { log, restored: opened.restored, next_offset })
    }

    /// The last event of each numbering in the log.
    pub(crate) fn last_events(&self) -> BTreeMap<Epoch, u64> {
        self.lasts.iter().map(|(_, epoch, sequence)| (*epoch, *sequence)).collect()
    }

    /// A commit begins to touch the disk: from now on it may be in the log.
    fn note(&mut self, first_offset: u64, units: &[Append], now_us: Micros) {
        self.commits.push((first_offset, now_us));
        // A batch is whole or not at all, so its end counts for each of its events.
        let count: usize = units.iter().map(|unit| unit.records.len()).sum();
        let end_offset = first_offset + count as u64;
        for record in units.iter().flat_map(|unit| &unit.records) {
            if let Body::Change(change) = &record.body
                && matches!(change.origin, Origin::Live | Origin::Replay)
                && let Some(at) = change.position
            {
                self.lasts.push((end_offset, at.epoch, at.sequence));
            }
        }
    }
}

impl Log {
    /// Takes a unit.
    pub(crate) fn submit(&mut self, append: Append) {
        self.waiting.push(append);
    }

    /// What to do next, if nothing is under way: gathers what waits.
    pub(crate) fn gather(&mut self, lingered: bool) -> Commit {
        if self.commit == Commit::UnderWay || self.waiting.is_empty() {
            return self.commit;
        }
        let is_progress = self
            .waiting
            .iter()
            .flat_map(|unit| &unit.records)
            .all(|record| matches!(record.body, Body::Progress { .. }));
        if is_progress && !lingered {
            self.commit = Commit::Lingering;
            return self.commit;
        }
        self.units = std::mem::take(&mut self.waiting);
        self.commit = Commit::UnderWay;
        self.commit
    }

    /// Writes and syncs what was gathered; returns the highest unit.
    pub(crate) fn finish(
        &mut self,
        archive: &mut Archive,
        now_us: Micros,
    ) -> Result<AppendId, JournalError> {
        let units = std::mem::take(&mut self.units);
        self.commit = Commit::Idle;
        archive.note(self.writer.next_offset(), &units, now_us);
        let committed = self.writer.commit(&units)?;
        archive.told_offset = committed.end_offset;
        Ok(units.last().map(|unit| unit.id).unwrap_or_default())
    }

    /// The process dies in the middle of a commit: what it had begun to write may be there, and
    /// nobody is told.
    pub(crate) fn abandon(&mut self, archive: &mut Archive, now_us: Micros) {
        if self.commit == Commit::UnderWay {
            archive.note(self.writer.next_offset(), &self.units, now_us);
            // Whether it came through is for the next open to find out.
            let _ = self.writer.commit(&self.units);
        }
    }

    /// What the log adds up to.
    pub(crate) fn state(&self) -> &Fold {
        self.writer.state()
    }

    /// A clean stop.
    pub(crate) fn close(self) -> Result<(), JournalError> {
        self.writer.close().map(drop)
    }
}

/// Every simulation has the same journal, so that its bytes are the same.
fn only_id() -> JournalId {
    JournalId::from_bytes(*b"unbroken-virtual")
}
