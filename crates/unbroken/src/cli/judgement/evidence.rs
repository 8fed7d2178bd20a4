//! The log on disk, read back record by record, in the terms of the simulator's verdict.

use std::collections::BTreeMap;

use super::naming::{Naming, fact};
use super::places::Places;
use unbroken::words;
use unbroken_core::bookmark::Bookmark;
use unbroken_core::fold::Fold;
use unbroken_core::ids::{GapId, SnapshotId, StreamId};
use unbroken_core::position::Position;
use unbroken_core::record::{
    Body, Change, Effect, GapClosed, GapOpened, GapOutcome, Mark, Origin, Record, Turn,
};
use unbroken_core::time::UnixMicros;
use unbroken_sim::verdict::{
    self, Death, Evidence, FinalValue, LedgerRow, LiveInterval, Outcome, Place, Stored, StoredFact,
};

/// Collects evidence from a log's records in order.
#[derive(Debug)]
pub(crate) struct Witnesses {
    naming: Naming,
    evidence: Evidence,
    facts: Vec<StoredFact>,
    fold: Fold,
    ledger: BTreeMap<(StreamId, GapId), LedgerRow>,
    live_since: BTreeMap<(StreamId, u64), UnixMicros>,
    staged: BTreeMap<(StreamId, SnapshotId), Vec<Stored>>,
    epoch_names: BTreeMap<u32, String>,
    places: Places,
    last_at: UnixMicros,
}

impl Default for Witnesses {
    fn default() -> Self {
        Self {
            naming: Naming::Plain,
            evidence: Evidence::default(),
            facts: Vec::new(),
            fold: Fold::new(true),
            ledger: BTreeMap::new(),
            live_since: BTreeMap::new(),
            staged: BTreeMap::new(),
            epoch_names: BTreeMap::new(),
            places: Places::default(),
            last_at: UnixMicros(0),
        }
    }
}

/// What the witnesses have seen.
pub(super) struct Testimony {
    pub(super) evidence: Evidence,
    /// Facts of the vendor's history, which are none of the events.
    pub(super) facts: Vec<StoredFact>,
}

impl Witnesses {
    /// Of a vendor whose ledger has other names.
    pub(crate) fn naming(naming: Naming) -> Self {
        Self { naming, ..Self::default() }
    }

    /// What the ledger calls their keys.
    pub(super) fn named(&self) -> Naming {
        self.naming
    }

    /// The next record of the log.
    pub(crate) fn add(&mut self, offset: u64, record: &Record) {
        self.last_at = self.last_at.max(record.received_at);
        self.fold.apply(offset, record);
        match &record.body {
            Body::Change(change) => {
                self.place(record, change.position, change.bookmark.as_ref());
                if change.origin == Origin::Backfill
                    && self.naming.has_facts(record.stream.as_str())
                {
                    let id = change.event_id.as_ref().map_or("", |id| id.as_str());
                    return self.facts.push(fact(id));
                }
                let stored = self.stored(offset, record, change);
                self.evidence.stored.push(stored);
            }
            Body::SnapshotItem { snapshot, change } => {
                let stored = self.stored(offset, record, change);
                self.staged.entry((record.stream.clone(), *snapshot)).or_default().push(stored);
            }
            Body::SnapshotEnd(end) => self.publish(record, end.snapshot),
            Body::SnapshotAbort { snapshot } => {
                self.staged.remove(&(record.stream.clone(), *snapshot));
            }
            Body::GapOpened(gap) => self.gap_opened(&record.stream, gap),
            Body::GapClosed(gap) => self.gap_closed(&record.stream, gap),
            Body::EpochChanged { epoch, name: Some(name) } => {
                self.epoch_names.insert(epoch.0, name.to_string());
            }
            Body::Progress { position, bookmark } => {
                self.place(record, Some(*position), bookmark.as_ref());
            }
            Body::Connection(turn) => {
                self.turned(&record.stream, turn.conn.0, turn.turn, record.received_at);
            }
            Body::EpochChanged { name: None, .. }
            | Body::SnapshotBegin(_)
            | Body::Quarantined(_)
            | Body::Forgotten { .. }
            | Body::Directive(_)
            | Body::HistoryOwed(_)
            | Body::HistoryForgone { .. } => {}
        }
    }

    /// A position has become a stream's resume position.
    pub(crate) fn mark(&mut self, mark: &Mark) {
        self.fold.mark(mark);
    }

    /// The processes that wrote the log and died.
    pub(crate) fn bury(&mut self, deaths: &[Death]) {
        self.evidence.deaths = deaths.to_vec();
    }

    /// The log was cut by a repair at these times.
    #[cfg(feature = "proof")]
    pub(crate) fn cut(&mut self, repairs: &[UnixMicros]) {
        self.evidence.repairs = repairs.iter().map(|at| at.0).collect();
    }

    /// A process died here: nothing was live from its last record on.
    pub(crate) fn died(&mut self) {
        let open = std::mem::take(&mut self.live_since);
        for ((stream, _), from) in open {
            self.live(&stream, from, self.last_at);
        }
    }

    /// Whether the vendor's history is still to be asked about a row.
    pub(crate) fn owes_history(&self) -> bool {
        self.fold.streams.values().any(|stream| !stream.history_owed.is_empty())
    }

    /// Everything, with live intervals that are still open ending `now`.
    pub(super) fn finish(mut self, now: UnixMicros) -> Testimony {
        for ((stream, _), from) in std::mem::take(&mut self.live_since) {
            self.live(&stream, from, now);
        }
        self.evidence.ledger = self.ledger.into_values().collect();
        self.evidence.epoch_names = self.epoch_names.into_iter().collect();
        for (id, stream) in &self.fold.streams {
            self.evidence.state.extend(stream.keys.iter().map(|(key, state)| FinalValue {
                key: self.naming.key(id.as_str(), key.as_str()),
                payload: state.present.then(|| state.payload.clone()),
                is_marked_stale: stream.stale_since(state).is_some(),
            }));
        }
        self.places.translate(&mut self.evidence);
        Testimony { evidence: self.evidence, facts: self.facts }
    }

    fn place(&mut self, record: &Record, at: Option<Position>, bookmark: Option<&Bookmark>) {
        if let (Some(at), Some(bookmark)) = (at, bookmark) {
            self.places.add(record.stream.as_str(), at, bookmark);
        }
    }

    fn stored(&self, offset: u64, record: &Record, change: &Change) -> Stored {
        let epoch = change
            .position
            .map(|position| position.epoch)
            .or_else(|| self.fold.streams.get(&record.stream).map(|stream| stream.epoch))
            .unwrap_or_default();
        Stored {
            stream: record.stream.to_string(),
            epoch: epoch.0,
            epoch_name: self.epoch_names.get(&epoch.0).cloned(),
            sequence: change.position.map(|position| position.sequence),
            key: self.naming.key(record.stream.as_str(), change.key.as_str()),
            ordinal: change.ordinal,
            deleted: change.deleted,
            payload: change.payload.clone(),
            origin: origin(change.origin),
            is_state: change.effect == Effect::State,
            occurred_us: change.occurred_at.map(|at| at.0),
            received_us: record.received_at.0,
            offset,
        }
    }

    /// What was staged becomes visible now.
    fn publish(&mut self, end: &Record, snapshot: SnapshotId) {
        let staged = self.staged.remove(&(end.stream.clone(), snapshot)).unwrap_or_default();
        self.evidence.stored.extend(
            staged.into_iter().map(|item| Stored { received_us: end.received_at.0, ..item }),
        );
    }

    fn gap_opened(&mut self, stream: &StreamId, gap: &GapOpened) {
        let row = LedgerRow {
            stream: stream.to_string(),
            after: gap.after.map(place),
            through: None,
            wall_from_us: gap.wall_from.0,
            wall_to_us: None,
            outcome: Outcome::Open,
            cause: words::cause(gap.cause).to_owned(),
        };
        self.ledger.insert((stream.clone(), gap.gap), row);
    }

    fn gap_closed(&mut self, stream: &StreamId, gap: &GapClosed) {
        let row = LedgerRow {
            stream: stream.to_string(),
            after: gap.after.map(place),
            through: gap.through.map(place),
            wall_from_us: gap.wall_from.0,
            wall_to_us: Some(gap.wall_to.0),
            outcome: outcome(gap.outcome),
            cause: words::cause(gap.cause).to_owned(),
        };
        self.ledger.insert((stream.clone(), gap.gap), row);
    }

    fn turned(&mut self, stream: &StreamId, conn: u64, turn: Turn, at: UnixMicros) {
        let key = (stream.clone(), conn);
        match turn {
            Turn::Live => {
                self.live_since.entry(key).or_insert(at);
            }
            Turn::Doubted | Turn::Closed => {
                if let Some(from) = self.live_since.remove(&key) {
                    self.live(stream, from, at);
                }
            }
            Turn::Opened => {}
        }
    }

    fn live(&mut self, stream: &StreamId, from: UnixMicros, to: UnixMicros) {
        let stream = stream.to_string();
        self.evidence.live.push(LiveInterval { stream, from_us: from.0, to_us: to.0 });
    }
}

fn place(position: Position) -> Place {
    Place { epoch: position.epoch.0, sequence: position.sequence }
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
