//! The log's records in the terms of the simulator's verdict, with our clocks put right: the judge
//! knows the vendor's time only.

use std::collections::BTreeMap;

use unbroken_core::fold::Fold;
use unbroken_core::ids::{GapId, SnapshotId};
use unbroken_core::position::Position;
use unbroken_core::record::{Body, Change, Effect, GapCause, GapOutcome, Origin, Record, Turn};
use unbroken_core::time::UnixMicros;
use unbroken_journal::Batch;
use unbroken_sim::verdict::{
    self, Death, Evidence, FinalValue, LedgerRow, LiveInterval, Outcome, Place, Stored,
};

use crate::agenda::Micros;
use crate::clocks::{Clocks, ORIGIN_US};
use crate::log::Archive;
use crate::setting::STREAM;

/// Reads batches in order.
pub(crate) struct Collector<'a> {
    clocks: &'a Clocks,
    archive: &'a Archive,
    evidence: Evidence,
    fold: Fold,
    ledger: BTreeMap<GapId, LedgerRow>,
    live_since: BTreeMap<u64, i64>,
    staged: BTreeMap<SnapshotId, Vec<Stored>>,
    epoch_names: BTreeMap<u32, String>,
    /// Which commit and which process the next batch is of.
    commit: usize,
    start: usize,
    /// When the present batch was committed.
    now_us: Micros,
    last_us: i64,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(clocks: &'a Clocks, archive: &'a Archive) -> Self {
        Self {
            clocks,
            archive,
            evidence: Evidence::default(),
            fold: Fold::new(true),
            ledger: BTreeMap::new(),
            live_since: BTreeMap::new(),
            staged: BTreeMap::new(),
            epoch_names: BTreeMap::new(),
            commit: 0,
            start: 0,
            now_us: 0,
            last_us: ORIGIN_US,
        }
    }

    /// The next batch.
    pub(crate) fn add(&mut self, batch: &Batch) {
        while let Some((first, at_us)) = self.archive.commits.get(self.commit)
            && *first <= batch.first_offset
        {
            self.now_us = *at_us;
            self.commit += 1;
        }
        while self.archive.starts.get(self.start).is_some_and(|end| *end <= batch.first_offset) {
            self.start += 1;
            // A process died before: nothing was live from its last record on.
            for (_, from_us) in std::mem::take(&mut self.live_since) {
                self.live(from_us, self.last_us);
            }
        }
        for (offset, record) in batch.entries() {
            self.fold.apply(offset, record);
            let at_us = self.true_us(record.received_at);
            self.last_us = self.last_us.max(at_us);
            self.record(offset, record, at_us);
        }
        for mark in &batch.marks {
            self.fold.mark(mark);
        }
    }

    /// Everything, with what is live ending now.
    pub(crate) fn finish(mut self, now_us: Micros) -> Evidence {
        for (_, from_us) in std::mem::take(&mut self.live_since) {
            self.live(from_us, ORIGIN_US + now_us as i64);
        }
        let wall_us = |at_us: Micros| ORIGIN_US + at_us as i64;
        let deaths = self.archive.deaths.iter();
        let deaths = deaths.map(|(born_us, died_us, is_orderly)| Death {
            born_us: wall_us(*born_us),
            died_us: wall_us(*died_us),
            is_orderly: *is_orderly,
        });
        self.evidence.deaths = deaths.collect();
        self.evidence.ledger = self.ledger.into_values().collect();
        self.evidence.epoch_names = self.epoch_names.into_iter().collect();
        for stream in self.fold.streams.values() {
            self.evidence.state.extend(stream.keys.iter().map(|(key, state)| FinalValue {
                key: key.to_string(),
                payload: state.present.then(|| state.payload.clone()),
                is_marked_stale: stream.stale_since(state).is_some(),
            }));
        }
        self.evidence
    }

    fn true_us(&self, wall: UnixMicros) -> i64 {
        self.clocks.true_wall(wall.0, self.now_us)
    }

    fn record(&mut self, offset: u64, record: &Record, at_us: i64) {
        match &record.body {
            Body::Change(change) => {
                let stored = self.stored(offset, change, at_us);
                self.evidence.stored.push(stored);
            }
            Body::SnapshotItem { snapshot, change } => {
                let stored = self.stored(offset, change, at_us);
                self.staged.entry(*snapshot).or_default().push(stored);
            }
            Body::SnapshotEnd(end) => {
                // What was staged becomes visible now.
                let staged = self.staged.remove(&end.snapshot).unwrap_or_default();
                let shown = staged.into_iter().map(|item| Stored { received_us: at_us, ..item });
                self.evidence.stored.extend(shown);
            }
            Body::SnapshotAbort { snapshot } => {
                self.staged.remove(snapshot);
            }
            Body::GapOpened(gap) => {
                let row = LedgerRow {
                    stream: STREAM.to_owned(),
                    after: gap.after.map(place),
                    through: None,
                    wall_from_us: self.true_us(gap.wall_from),
                    wall_to_us: None,
                    outcome: Outcome::Open,
                    cause: cause(gap.cause),
                };
                self.ledger.insert(gap.gap, row);
            }
            Body::GapClosed(gap) => {
                let row = LedgerRow {
                    stream: STREAM.to_owned(),
                    after: gap.after.map(place),
                    through: gap.through.map(place),
                    wall_from_us: self.true_us(gap.wall_from),
                    wall_to_us: Some(self.true_us(gap.wall_to)),
                    outcome: outcome(gap.outcome),
                    cause: cause(gap.cause),
                };
                self.ledger.insert(gap.gap, row);
            }
            Body::EpochChanged { epoch, name: Some(name) } => {
                self.epoch_names.insert(epoch.0, name.to_string());
            }
            Body::Connection(turn) => match turn.turn {
                Turn::Live => {
                    self.live_since.entry(turn.conn.0).or_insert(at_us);
                }
                Turn::Doubted | Turn::Closed => {
                    if let Some(from_us) = self.live_since.remove(&turn.conn.0) {
                        self.live(from_us, at_us);
                    }
                }
                Turn::Opened => {}
            },
            Body::EpochChanged { name: None, .. }
            | Body::SnapshotBegin(_)
            | Body::Progress { .. }
            | Body::Quarantined(_)
            | Body::Forgotten { .. }
            | Body::Directive(_)
            | Body::HistoryOwed(_)
            | Body::HistoryForgone { .. } => {}
        }
    }

    /// While it slept a process claimed nothing: nobody could ask it.
    fn live(&mut self, from_us: i64, to_us: i64) {
        let stream = || STREAM.to_owned();
        let mut from_us = from_us;
        for (slept, woke) in &self.clocks.sleeps {
            let (slept, woke) = (ORIGIN_US + *slept as i64, ORIGIN_US + *woke as i64);
            if slept >= to_us || woke <= from_us {
                continue;
            }
            if slept > from_us {
                self.evidence.live.push(LiveInterval { stream: stream(), from_us, to_us: slept });
            }
            from_us = woke;
        }
        if from_us < to_us {
            self.evidence.live.push(LiveInterval { stream: stream(), from_us, to_us });
        }
    }

    fn stored(&self, offset: u64, change: &Change, at_us: i64) -> Stored {
        let present = || self.fold.streams.values().next().map(|stream| stream.epoch);
        let epoch = change.position.map(|at| at.epoch).or_else(present).unwrap_or_default();
        Stored {
            stream: STREAM.to_owned(),
            epoch: epoch.0,
            epoch_name: self.epoch_names.get(&epoch.0).cloned(),
            sequence: change.position.map(|at| at.sequence),
            key: change.key.to_string(),
            ordinal: change.ordinal,
            deleted: change.deleted,
            payload: change.payload.clone(),
            origin: origin(change.origin),
            is_state: change.effect == Effect::State,
            occurred_us: change.occurred_at.map(|at| at.0),
            received_us: at_us,
            offset,
        }
    }
}

fn place(position: Position) -> Place {
    Place { epoch: position.epoch.0, sequence: position.sequence }
}

/// The judge knows one cause by its name.
fn cause(cause: GapCause) -> String {
    format!("{cause:?}").to_lowercase()
}

fn origin(origin: Origin) -> verdict::Origin {
    match origin {
        Origin::Live => verdict::Origin::Live,
        Origin::Replay => verdict::Origin::Replay,
        Origin::Snapshot => verdict::Origin::Snapshot,
        Origin::Backfill => verdict::Origin::Backfill,
        Origin::Synthetic => verdict::Origin::Synthetic,
    }
}

fn outcome(outcome: GapOutcome) -> Outcome {
    match outcome {
        GapOutcome::Repaired => Outcome::Repaired,
        GapOutcome::Summarised => Outcome::Summarised,
        GapOutcome::Unproven => Outcome::Unproven,
        GapOutcome::Unrecoverable => Outcome::Unrecoverable,
        GapOutcome::Drift => Outcome::Drift,
    }
}
