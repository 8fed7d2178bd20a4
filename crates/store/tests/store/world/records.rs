use std::collections::BTreeMap;

use bytes::Bytes;
use fastrand::Rng;
use unbroken_core::directive::{Act, Directive};
use unbroken_core::ids::{ConnId, GapId, Key, Label, SnapshotId, StreamId};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{
    Body, Change, Closer, ConnectionTurn, Effect, GapCause, GapClosed, GapOpened, GapOutcome, Mark,
    Origin, Quarantined, Record, SnapshotBegin, SnapshotEnd, Turn, Witness, digest,
};
use unbroken_core::time::UnixMicros;

use super::MemoryLog;

pub(crate) fn record(stream: &str, at: i64, body: Body) -> Record {
    Record { stream: StreamId::from(stream), received_at: UnixMicros(at), body }
}

pub(crate) fn change(key: &str, sequence: u64, payload: &str) -> Change {
    Change {
        key: Key::from(key),
        position: Some(Position::new(Epoch(0), sequence)),
        bookmark: None,
        ordinal: 0,
        event_id: None,
        kind: None,
        deleted: false,
        origin: Origin::Live,
        effect: Effect::State,
        occurred_at: None,
        digest: digest(payload.as_bytes()),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }
}

/// Random records of every kind. Their order is mostly one that a machine would write, sometimes
/// not: the store must follow the fold in both.
pub(crate) struct Draw {
    pub(crate) rng: Rng,
    at: i64,
    /// The last bracket of each stream, and whether it is open.
    brackets: BTreeMap<usize, (u64, bool)>,
    well_formed: bool,
}

const BATCHES: usize = 120;

pub(crate) fn filled_log(draw: &mut Draw) -> MemoryLog {
    let log = MemoryLog::new("journal-1");
    for _ in 0..BATCHES {
        let (records, marks) = draw.batch();
        log.append(records, marks);
    }
    log
}

const STREAMS: [&str; 3] = ["cxone/adherence", "cxone/presence", "etcd/keys"];
const ORIGINS: [Origin; 5] =
    [Origin::Live, Origin::Replay, Origin::Snapshot, Origin::Backfill, Origin::Synthetic];

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = Rng::with_seed(seed);
        let at = 1_700_000_000_000_000;
        Self { rng, at, brackets: BTreeMap::new(), well_formed: false }
    }

    /// Items, Ends and Aborts only of the bracket that is open, as a machine writes them.
    pub(crate) fn well_formed(seed: u64) -> Self {
        Self { well_formed: true, ..Self::new(seed) }
    }

    pub(crate) fn batch(&mut self) -> (Vec<Record>, Vec<Mark>) {
        let records = (0..self.rng.usize(0..12)).map(|_| self.record()).collect();
        let marks = (0..self.rng.usize(0..3)).map(|_| self.mark()).collect();
        (records, marks)
    }

    fn mark(&mut self) -> Mark {
        let stream = StreamId::from(STREAMS[self.rng.usize(0..STREAMS.len())]);
        Mark { stream, position: self.position() }
    }

    fn record(&mut self) -> Record {
        let index = self.rng.usize(0..STREAMS.len());
        self.at += self.rng.i64(0..5_000_000);
        let body = self.body(index);
        record(STREAMS[index], self.at, body)
    }

    fn body(&mut self, stream: usize) -> Body {
        match self.rng.u8(0..20) {
            0..=6 => self.bracket(stream),
            7 => Body::GapOpened(self.gap_opened()),
            8 => Body::GapClosed(self.gap_closed()),
            9 => Body::Progress { position: self.position(), bookmark: None },
            10 if self.rng.u8(0..4) == 0 => Body::EpochChanged {
                epoch: Epoch(self.rng.u32(0..3)),
                name: self.rng.bool().then(|| Label::from("boot-7")),
            },
            11 => self.quarantined(),
            12 => self.turn(),
            13 => Body::Forgotten { key: self.key() },
            14 => Body::Directive(self.directive()),
            _ => Body::Change(self.change()),
        }
    }

    fn directive(&mut self) -> Directive {
        let act = match self.rng.u8(0..6) {
            0 | 1 => Act::Pause,
            2 | 3 => Act::Resume,
            4 => Act::SetPosition { position: self.position(), bookmark: None },
            _ => Act::ForgetPosition { epoch: Epoch(self.rng.u32(0..3)) },
        };
        Directive { act, by: Label::from("anna"), why: Label::from("because") }
    }

    fn bracket(&mut self, stream: usize) -> Body {
        let (last, open) = self.brackets.get(&stream).copied().unwrap_or((0, false));
        let choice = match self.rng.u8(0..7) {
            _ if self.well_formed && !open => 0,
            0 if self.well_formed => 1,
            choice => choice,
        };
        // Mostly the bracket that was begun last, sometimes one that was not.
        let stray = !self.well_formed && self.rng.u8(0..12) == 0;
        let snapshot = SnapshotId(last + u64::from(stray));
        match choice {
            0 => {
                self.brackets.insert(stream, (last + 1, true));
                self.begin(SnapshotId(last + 1))
            }
            5 => {
                self.brackets.insert(stream, (last, false));
                self.end(snapshot)
            }
            6 => {
                self.brackets.insert(stream, (last, false));
                Body::SnapshotAbort { snapshot }
            }
            _ => Body::SnapshotItem { snapshot, change: self.change() },
        }
    }

    fn begin(&mut self, snapshot: SnapshotId) -> Body {
        Body::SnapshotBegin(SnapshotBegin {
            snapshot,
            tag: self.maybe_position(),
            rows_are_state: self.rng.bool(),
            keys: self.rng.bool().then(|| vec![self.key()]),
        })
    }

    fn end(&mut self, snapshot: SnapshotId) -> Body {
        Body::SnapshotEnd(SnapshotEnd {
            snapshot,
            count: self.rng.u64(0..9),
            rows: self.rng.u64(0..9),
            digest: self.rng.u128(..),
            tag: self.maybe_position(),
            rows_are_state: self.rng.bool(),
            keyed: self.rng.bool(),
            converging_until: self.maybe_position(),
            witness: Witness::FirstEvent,
        })
    }

    fn change(&mut self) -> Change {
        let payload = match self.rng.u8(0..8) {
            0 => Bytes::from_static(b"\xff\xfe not utf-8"),
            1 => Bytes::new(),
            _ => Bytes::from(format!("{{\"state\":\"s{}\"}}", self.rng.u32(0..100))),
        };
        let deleted = self.rng.u8(0..6) == 0;
        Change {
            key: self.key(),
            position: self.maybe_position(),
            bookmark: None,
            ordinal: self.rng.u16(0..3),
            event_id: self.rng.bool().then(|| Label::from("id")),
            kind: self.rng.bool().then(|| Label::from("AgentStateChanged")),
            deleted,
            origin: ORIGINS[self.rng.usize(0..ORIGINS.len())],
            effect: if self.rng.u8(0..4) == 0 { Effect::History } else { Effect::State },
            occurred_at: self.rng.bool().then_some(UnixMicros(self.at)),
            digest: if deleted { 0 } else { digest(&payload) },
            payload,
        }
    }

    fn gap_opened(&mut self) -> GapOpened {
        GapOpened {
            gap: GapId(self.rng.u64(1..9)),
            after: self.maybe_position(),
            wall_from: UnixMicros(self.at),
            cause: GapCause::NoReplay,
        }
    }

    fn gap_closed(&mut self) -> GapClosed {
        GapClosed {
            gap: GapId(self.rng.u64(1..9)),
            outcome: match self.rng.u8(0..4) {
                0 | 1 => GapOutcome::Repaired,
                2 => GapOutcome::Unproven,
                _ => GapOutcome::Summarised,
            },
            after: self.maybe_position(),
            through: self.maybe_position(),
            wall_from: UnixMicros(self.at - 10),
            wall_to: UnixMicros(self.at),
            cause: GapCause::Refused,
            closed_by: self.rng.bool().then_some(SnapshotId(1)),
            reconciled: self.rng.bool(),
        }
    }

    fn quarantined(&mut self) -> Body {
        Body::Quarantined(Quarantined {
            conn: self.rng.bool().then_some(ConnId(4)),
            reason: Label::from("/events: expected an array, found a number"),
            length: 3,
            digest: self.rng.u128(..),
            bytes: Bytes::from_static(b"{1}"),
        })
    }

    fn turn(&mut self) -> Body {
        let turns = [Turn::Opened, Turn::Live, Turn::Doubted, Turn::Closed];
        Body::Connection(ConnectionTurn {
            conn: ConnId(self.rng.u64(1..4)),
            turn: turns[self.rng.usize(0..turns.len())],
            by: Closer::Vendor,
            why: Label::from("idle"),
        })
    }

    fn key(&mut self) -> Key {
        Key::new(format!("agent-{}", self.rng.u32(0..12)))
    }

    fn position(&mut self) -> Position {
        // The top of the range too: the vendor's numbers are unsigned, SQLite's are not.
        let high = if self.rng.u8(0..10) == 0 { u64::MAX - 40 } else { 0 };
        Position::new(Epoch(self.rng.u32(0..3)), high + self.rng.u64(0..40))
    }

    fn maybe_position(&mut self) -> Option<Position> {
        (self.rng.u8(0..5) > 0).then(|| self.position())
    }
}
