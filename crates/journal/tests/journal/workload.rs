//! Random, well-formed histories of two streams: what the machine might hand to the journal.

use std::collections::BTreeMap;

use bytes::Bytes;
use unbroken_core::bookmark::Bookmark;
use unbroken_core::directive::{Act, Directive};
use unbroken_core::fold::Fold;
use unbroken_core::ids::{AppendId, ConnId, GapId, Key, Label, SnapshotId, StreamId};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{
    Append, Body, Change, Closer, ConnectionTurn, Effect, GapCause, GapClosed, GapOpened,
    GapOutcome, HistoryOwed, Mark, Origin, Quarantined, Record, SnapshotBegin, SnapshotEnd, Turn,
    Witness, digest,
};
use unbroken_core::time::UnixMicros;
use unbroken_journal::simdisk::Dice;

#[derive(Clone, Debug)]
pub(crate) struct Workload {
    dice: Dice,
    next_append: AppendId,
    wall: i64,
    streams: Vec<Stream>,
}

#[derive(Clone, Debug)]
struct Stream {
    id: StreamId,
    position: Position,
    bracket: Option<(SnapshotId, u64, u128)>,
    last_snapshot: SnapshotId,
    gaps: BTreeMap<GapId, GapOpened>,
    last_gap: GapId,
    last_conn: ConnId,
}

impl Workload {
    pub(crate) fn new(seed: u64) -> Self {
        let streams = ["north/agents", "south/agents"].map(|id| Stream {
            id: id.into(),
            position: Position::new(Epoch(0), 0),
            bracket: None,
            last_snapshot: SnapshotId(0),
            gaps: BTreeMap::new(),
            last_gap: GapId(0),
            last_conn: ConnId(0),
        });
        Self {
            dice: Dice::new(seed),
            next_append: AppendId(1),
            wall: 1_700_000_000_000_000,
            streams: streams.into(),
        }
    }

    /// Some units, to be committed together.
    pub(crate) fn units(&mut self, max: u64) -> Vec<Append> {
        let count = 1 + self.dice.below(max);
        (0..count).map(|_| self.unit()).collect()
    }

    /// What the machine does first with a bracket that it finds open.
    pub(crate) fn abort_open_brackets(&mut self) -> Vec<Append> {
        let mut aborts = Vec::new();
        for at in 0..self.streams.len() {
            if let Some((snapshot, ..)) = self.streams[at].bracket.take() {
                let records = vec![self.record(at, Body::SnapshotAbort { snapshot })];
                aborts.push(self.append(records, None));
            }
        }
        aborts
    }

    fn unit(&mut self) -> Append {
        let at = self.dice.below(self.streams.len() as u64) as usize;
        let records = match self.dice.below(20) {
            0..=9 => {
                let count = 1 + self.dice.below(6);
                (0..count).map(|_| self.event(at)).collect()
            }
            10..=13 => self.snapshot_step(at),
            14..=15 => self.gap_step(at),
            16 => {
                let stream = &mut self.streams[at];
                stream.position.sequence += 5;
                let position = stream.position;
                let bookmark = self.dice.chance(50).then(|| bookmark(position)).flatten();
                vec![self.record(at, Body::Progress { position, bookmark })]
            }
            17 => vec![self.rarity(at)],
            18 => {
                let stream = &mut self.streams[at];
                stream.position = Position::new(stream.position.epoch.next(), 0);
                let (epoch, name) = (stream.position.epoch, Some(Label::from("boot")));
                vec![self.record(at, Body::EpochChanged { epoch, name })]
            }
            _ => Vec::new(),
        };
        let stream = &self.streams[at];
        let mark = Mark { stream: stream.id.clone(), position: stream.position };
        let is_marked = records.is_empty() || self.dice.chance(70);
        self.append(records, is_marked.then_some(mark))
    }

    fn append(&mut self, records: Vec<Record>, mark: Option<Mark>) -> Append {
        let id = self.next_append;
        self.next_append = id.next();
        Append { id, records, mark }
    }

    fn record(&mut self, at: usize, body: Body) -> Record {
        self.wall += self.dice.below(2_000_000) as i64 - 1_000;
        Record { stream: self.streams[at].id.clone(), received_at: UnixMicros(self.wall), body }
    }

    fn change(&mut self, origin: Origin, position: Option<Position>) -> Change {
        let deleted = self.dice.chance(15);
        // Some span many sectors, so that they can be torn.
        let longest = if self.dice.chance(25) { 4_000 } else { 500 };
        let len = if deleted { 0 } else { self.dice.below(longest) as usize };
        let byte = self.dice.roll() as u8;
        let payload = Bytes::from(vec![byte; len]);
        Change {
            key: Key::from(format!("agent-{}", self.dice.below(12)).as_str()),
            position,
            bookmark: position.filter(|_| self.dice.chance(50)).and_then(bookmark),
            ordinal: 0,
            event_id: self.dice.chance(30).then(|| Label::from("event")),
            kind: self.dice.chance(80).then(|| Label::from("adherence")),
            deleted,
            origin,
            effect: Effect::State,
            occurred_at: self.dice.chance(90).then_some(UnixMicros(self.wall - 40_000)),
            digest: if deleted { 0 } else { digest(&payload) },
            payload,
        }
    }

    fn event(&mut self, at: usize) -> Record {
        let step = 1 + self.dice.below(3);
        let stream = &mut self.streams[at];
        stream.position.sequence += step;
        let position = stream.position;
        let origin = if self.dice.chance(80) { Origin::Live } else { Origin::Replay };
        let change = self.change(origin, Some(position));
        self.record(at, Body::Change(change))
    }

    fn snapshot_step(&mut self, at: usize) -> Vec<Record> {
        let stream = &mut self.streams[at];
        let tag = Some(stream.position);
        let Some((snapshot, count, sum)) = stream.bracket else {
            stream.last_snapshot = stream.last_snapshot.next();
            let snapshot = stream.last_snapshot;
            stream.bracket = Some((snapshot, 0, 0));
            let begin = SnapshotBegin { snapshot, tag, rows_are_state: true, keys: None };
            return vec![self.record(at, Body::SnapshotBegin(begin))];
        };
        if self.dice.chance(60) {
            let change = self.change(Origin::Snapshot, tag);
            self.streams[at].bracket = Some((snapshot, count + 1, sum ^ change.digest));
            return vec![self.record(at, Body::SnapshotItem { snapshot, change })];
        }
        self.streams[at].bracket = None;
        if self.dice.chance(20) {
            return vec![self.record(at, Body::SnapshotAbort { snapshot })];
        }
        let end = SnapshotEnd {
            snapshot,
            count,
            rows: count + 3,
            digest: sum,
            tag,
            rows_are_state: true,
            keyed: false,
            converging_until: self.dice.chance(30).then(|| {
                let position = self.streams[at].position;
                Position { sequence: position.sequence + 4, ..position }
            }),
            witness: Witness::Contiguous,
        };
        vec![self.record(at, Body::SnapshotEnd(end))]
    }

    fn gap_step(&mut self, at: usize) -> Vec<Record> {
        let wall_from = UnixMicros(self.wall);
        let stream = &mut self.streams[at];
        let oldest = stream.gaps.keys().next().copied();
        let Some(opened) = oldest.and_then(|id| stream.gaps.remove(&id)) else {
            stream.last_gap = stream.last_gap.next();
            let gap = GapOpened {
                gap: stream.last_gap,
                after: Some(stream.position),
                wall_from,
                cause: GapCause::Refused,
            };
            stream.gaps.insert(gap.gap, gap.clone());
            return vec![self.record(at, Body::GapOpened(gap))];
        };
        let closed = GapClosed {
            gap: opened.gap,
            outcome: GapOutcome::Unrecoverable,
            after: opened.after,
            through: None,
            wall_from: opened.wall_from,
            wall_to: UnixMicros(self.wall),
            cause: opened.cause,
            closed_by: None,
            reconciled: self.dice.chance(50),
        };
        vec![self.record(at, Body::GapClosed(closed))]
    }

    fn history_owed(&mut self, at: usize) -> HistoryOwed {
        let row = GapClosed {
            gap: self.streams[at].last_gap,
            outcome: GapOutcome::Unproven,
            after: None,
            through: None,
            wall_from: UnixMicros(self.wall - 60_000_000),
            wall_to: UnixMicros(self.wall),
            cause: GapCause::NoReplay,
            closed_by: None,
            reconciled: true,
        };
        HistoryOwed { row, since: UnixMicros(self.wall - 120_000_000) }
    }

    fn rarity(&mut self, at: usize) -> Record {
        let body = match self.dice.below(8) {
            0 => Body::Quarantined(Quarantined {
                conn: Some(self.streams[at].last_conn),
                reason: "body: expected object".into(),
                length: 3,
                digest: 7,
                bytes: Bytes::from_static(b"{x}"),
            }),
            1 => {
                let stream = &mut self.streams[at];
                stream.last_conn = stream.last_conn.next();
                Body::Connection(ConnectionTurn {
                    conn: stream.last_conn,
                    turn: Turn::Opened,
                    by: Closer::Us,
                    why: "start".into(),
                })
            }
            2 => {
                let act = if self.dice.chance(50) { Act::Pause } else { Act::Resume };
                Body::Directive(Directive { act, by: "anna".into(), why: "works".into() })
            }
            3 => Body::HistoryOwed(self.history_owed(at)),
            4 => Body::HistoryForgone { gap: self.streams[at].last_gap, why: "no answer".into() },
            5 => {
                let fact = Label::from(format!("fact-{}", self.dice.below(40)).as_str());
                let mut change = self.change(Origin::Backfill, None);
                (change.event_id, change.effect) = (Some(fact), Effect::History);
                Body::Change(change)
            }
            _ => Body::Forgotten {
                key: Key::from(format!("agent-{}", self.dice.below(12)).as_str()),
            },
        };
        self.record(at, body)
    }
}

/// What was acknowledged, and what it adds up to.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) fold: Fold,
    pub(crate) records: Vec<Record>,
}

impl Acknowledged {
    pub(crate) fn nothing() -> Self {
        Self { fold: Fold::new(true), records: Vec::new() }
    }

    pub(crate) fn add(&mut self, units: &[Append]) {
        for unit in units {
            for record in &unit.records {
                self.fold.apply(self.records.len() as u64, record);
                self.records.push(record.clone());
            }
            // Unit by unit, where the journal folds batch by batch: both must mean the same.
            if let Some(mark) = &unit.mark {
                self.fold.mark(mark);
            }
        }
    }

    pub(crate) fn end(&self) -> u64 {
        self.records.len() as u64
    }
}

fn bookmark(position: Position) -> Option<Bookmark> {
    Bookmark::new(position.to_string().as_bytes())
}
