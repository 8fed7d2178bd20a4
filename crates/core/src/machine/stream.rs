//! One stream: what it holds, and how its records become units for the journal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::connector::Failure;
use crate::fold::{OpenGap, StreamFold};
use crate::ids::{AppendId, ConnId, GapId, Key, Label, StreamId};
use crate::machine::audit::Audit;
use crate::machine::context::Cx;
use crate::machine::drift::Clean;
use crate::machine::history::Inquiry;
use crate::machine::link::{Link, NewEpoch, Parked};
use crate::machine::mutant::Mutant;
use crate::machine::outage::Outage;
use crate::machine::reconcile::{Prepared, Run};
use crate::machine::schema::Schema;
use crate::machine::timer::{Timer, TimerTable};
use crate::machine::tombstone::Tombstones;
use crate::machine::{Output, Phase, Report};
use crate::position::Position;
use crate::record::{
    Append, Body, Closer, ConnectionTurn, GapCause, GapClosed, GapOpened, GapOutcome, Mark, Record,
    Turn,
};
use crate::time::{Millis, UnixMicros};

/// Where a move of the position over a hole (or a pause) stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Jump {
    /// None is on its way to the disk.
    None,
    /// It is in the unit of this input.
    Unwritten,
    /// It is in this unit, which is not durable yet.
    Written(AppendId),
}

/// Whether a record is one of the ledger's.
fn is_row(record: &Record) -> bool {
    matches!(record.body, Body::GapOpened(_) | Body::GapClosed(_) | Body::HistoryOwed(_))
}

/// One subscription of a source.
///
/// Two positions, never one: `seen.position` is everything that was handed to the journal, and what
/// dedup compares with; `durable` moves only on `Appended`, and is what a resume asks from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) seen: StreamFold,
    pub(super) durable: Option<Position>,
    marked: Option<Position>,
    marks: VecDeque<(AppendId, Position)>,
    unit: Vec<Record>,
    /// The position was moved over a hole: until that is durable, a resume would ask for what the
    /// ledger has given up, and could not take it. A pause is one when it is durable.
    pub(super) jump: Jump,
    pub(super) phase: Phase,
    pub(super) timers: TimerTable,
    pub(super) outage: Outage,
    pub(super) link: Option<Link>,
    /// The second connection of a hand-over.
    pub(super) spare: Option<Link>,
    pub(super) run: Option<Run>,
    pub(super) prepared: Option<Prepared>,
    /// Events behind a hole of a contiguous numbering. They outlive their socket: what was received
    /// is never dropped, because the vendor may not serve it again.
    pub(super) held: BTreeMap<u64, Parked>,
    /// Events of a numbering whose socket went before it could be installed.
    pub(super) stash: Option<(NewEpoch, Vec<Parked>)>,
    /// Keys that events touched since the snapshot was begun, and where.
    pub(super) touched: BTreeMap<Key, Option<u64>>,
    /// Keys that were absent from the last snapshot of this reconciliation.
    pub(super) absent_once: BTreeSet<Key>,
    pub(super) audit: Audit,
    /// When rows and stream last agreed, as far as this process knows.
    pub(super) clean: Option<Clean>,
    /// An audit has found drift that no snapshot has corrected yet.
    pub(super) drifted: bool,
    pub(super) live_since: Option<Millis>,
    /// When the first socket (or the log, at the start) last told something.
    pub(super) heard_at: Millis,
    /// It refused a position that it had issued moments before: its snapshot's tag cannot be
    /// subscribed from, and that outlives this many outages more.
    pub(super) rebase_incapable: u8,
    pub(super) progress_at: Option<Millis>,
    /// The keys have changed, or a person asked: state has to be fetched before Live.
    pub(super) resync_owed: bool,
    /// Keys that a person has asked to be fetched, and that were not yet.
    pub(super) keys_owed: BTreeSet<Key>,
    /// Keys were taken out on purpose: their deletion is no surprise.
    pub(super) deletes_expected: bool,
    /// The position held when such bytes first came there, and the socket that brought them.
    pub(super) poison_at: Option<(Option<Position>, ConnId)>,
    /// The position held when a frame that could not be read last ended a socket, and how often
    /// one did there.
    pub(super) unread_at: (Option<Position>, u32),
    /// Bytes in a row that could not be understood.
    pub(super) poison_run: u32,
    pub(super) schema: Schema,
    /// What is being asked of the vendor's history.
    pub(super) history: Option<Inquiry>,
    pub(super) tombstones: Tombstones,
    duplicates: u64,
    foreign: u64,
    unknown: u64,
}

impl Stream {
    pub(super) fn new(id: StreamId) -> Self {
        Self {
            id,
            seen: StreamFold::default(),
            durable: None,
            marked: None,
            marks: VecDeque::new(),
            unit: Vec::new(),
            jump: Jump::None,
            phase: Phase::Idle,
            timers: TimerTable::default(),
            outage: Outage::default(),
            link: None,
            spare: None,
            run: None,
            prepared: None,
            held: BTreeMap::new(),
            stash: None,
            touched: BTreeMap::new(),
            absent_once: BTreeSet::new(),
            audit: Audit::default(),
            clean: None,
            drifted: false,
            live_since: None,
            heard_at: Millis(0),
            rebase_incapable: 0,
            progress_at: None,
            resync_owed: false,
            keys_owed: BTreeSet::new(),
            deletes_expected: false,
            poison_at: None,
            unread_at: (None, 0),
            poison_run: 0,
            schema: Schema::default(),
            history: None,
            tombstones: Tombstones::default(),
            duplicates: 0,
            foreign: 0,
            unknown: 0,
        }
    }

    pub(super) fn restore(&mut self, cx: &mut Cx<'_>, mut fold: StreamFold) {
        for state in fold.keys.values_mut() {
            state.payload = bytes::Bytes::new();
        }
        if cx.mutated(Mutant::KeysNotRebuilt) {
            fold.keys = Default::default();
        }
        if cx.mutated(Mutant::ConvergingForgotten) {
            fold.converging_until = None;
        }
        self.durable = fold.position;
        self.heard_at = cx.now.at;
        self.marked = fold.position;
        self.seen = fold;
        self.tombstones = Tombstones::of(self, cx.shared.clock, cx.now.at);
        if let Some(staged) = &self.seen.staged {
            let snapshot = staged.snapshot;
            self.write(cx, Body::SnapshotAbort { snapshot });
        }
        if let Some(conn) = self.seen.open_conn {
            self.write_turn(cx, conn, Turn::Closed, Closer::Us, "the process that held it is gone");
        }
    }

    /// The position held, as a number.
    pub(super) fn held_sequence(&self) -> Option<u64> {
        self.seen.position.map(|p| p.sequence)
    }

    /// The position that state shows: a snapshot may have taken it beyond the position held. A
    /// snapshot from below would travel back in time.
    pub(super) fn shown_sequence(&self, cx: &Cx<'_>) -> Option<u64> {
        if cx.mutated(Mutant::TagAgainstDurable) {
            return self.durable.map(|p| p.sequence);
        }
        let seen = &self.seen;
        let shown = [seen.position, seen.snapshot_tag, seen.converging_until, seen.keyed_tag];
        shown.into_iter().flatten().filter(|p| p.epoch == seen.epoch).map(|p| p.sequence).max()
    }

    pub(super) fn position(&self, sequence: u64) -> Position {
        Position::new(self.seen.epoch, sequence)
    }

    /// Whether this socket is the stream's first or second.
    pub(super) fn has_conn(&self, conn: ConnId) -> bool {
        [&self.link, &self.spare].into_iter().flatten().any(|link| link.conn == conn)
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live { .. })
    }

    pub(super) fn set_phase(&mut self, cx: &mut Cx<'_>, phase: Phase) {
        if self.phase != phase {
            self.phase = phase.clone();
            cx.report(Report::Phase { stream: self.id.clone(), phase });
        }
    }

    /// Adds a record to the unit of this input; it counts as seen from here on.
    pub(super) fn write(&mut self, cx: &mut Cx<'_>, body: Body) {
        self.write_at(cx, cx.now.wall, body);
    }

    pub(super) fn write_at(&mut self, cx: &mut Cx<'_>, received_at: UnixMicros, body: Body) {
        let record = Record { stream: self.id.clone(), received_at, body };
        self.note_tombstone(cx, &record);
        self.seen.apply(cx.shared.clock, &record, false);
        cx.shared.clock += 1;
        self.unit.push(record);
    }

    /// Whether this input has written records.
    pub(super) fn has_unit(&self) -> bool {
        !self.unit.is_empty()
    }

    /// Hands the unit to the journal. A position moves with the records that justify it, never
    /// alone: heartbeats must not force a sync.
    pub(super) fn flush(&mut self, cx: &mut Cx<'_>) {
        if self.unit.is_empty() {
            return;
        }
        let records = std::mem::take(&mut self.unit);
        if cx.mutated(Mutant::PositionAlone) {
            self.append(cx, Vec::new());
        }
        if cx.mutated(Mutant::LedgerAfterRecords) {
            let (rows, others) = records.into_iter().partition(is_row);
            self.append(cx, others);
            return self.append(cx, rows);
        }
        self.append(cx, records);
    }

    fn append(&mut self, cx: &mut Cx<'_>, records: Vec<Record>) {
        cx.shared.last_append = cx.shared.last_append.next();
        let id = cx.shared.last_append;
        if self.jump == Jump::Unwritten {
            self.jump = Jump::Written(id);
        }
        let mark = self.seen.position.filter(|p| self.marked != Some(*p)).map(|position| {
            self.marked = Some(position);
            self.marks.push_back((id, position));
            Mark { stream: self.id.clone(), position }
        });
        cx.emit(Output::Append(Append { id, records, mark }));
    }

    pub(super) fn handle_appended(&mut self, append: AppendId) {
        while let Some((id, position)) = self.marks.front().copied() {
            if id > append {
                break;
            }
            self.durable = Some(position);
            self.marks.pop_front();
        }
        if matches!(self.jump, Jump::Written(id) if id <= append) {
            self.jump = Jump::None;
        }
    }

    pub(super) fn write_turn(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        turn: Turn,
        by: Closer,
        why: &str,
    ) {
        let why = Label::from(why);
        self.write(cx, Body::Connection(ConnectionTurn { conn, turn, by, why }));
    }

    /// Opens a ledger row, unless one is open that no event has ended yet: then the outage inside
    /// the outage is the same interval of doubt.
    pub(super) fn open_gap(&mut self, cx: &mut Cx<'_>, cause: GapCause) {
        if !self.seen.open_gaps.values().any(|gap| self.is_same_doubt(cx, gap)) {
            self.write_gap(cx, cause);
        }
    }

    pub(super) fn write_gap(&mut self, cx: &mut Cx<'_>, cause: GapCause) {
        let since = self.covered_until(cx);
        let gap = self.open_since(cx, since, cause);
        cx.report(Report::GapOpened { stream: self.id.clone(), gap, cause });
    }

    pub(super) fn open_since(&mut self, cx: &mut Cx<'_>, since: Clean, cause: GapCause) -> GapId {
        let gap = self.seen.last_gap.next();
        let Clean { position: after, wall: wall_from } = since;
        self.write(cx, Body::GapOpened(GapOpened { gap, after, wall_from, cause }));
        gap
    }

    /// Up to where the stream is known to have told everything, at the latest.
    pub(super) fn covered_until(&self, cx: &Cx<'_>) -> Clean {
        // Where no event has ever come, the last snapshot is the last that is known.
        let shown_at = || self.seen.keys.values().map(|value| value.received_at).max();
        let covered_at = self.seen.covered_at.or_else(shown_at);
        let covered_at = covered_at.filter(|_| !cx.mutated(Mutant::RowFromTheReturn));
        // Coverage begins with a confirmation; what is written down of it may come later.
        let acked_at = self.link.as_ref().and_then(|link| link.acked).map(|acked| acked.wall);
        let wall = covered_at.or(acked_at).unwrap_or(cx.now.wall);
        let skew = i64::try_from(cx.caps().clock_skew_ms_max).unwrap_or(i64::MAX);
        let wall = UnixMicros(wall.0.saturating_sub(skew.saturating_mul(1_000)));
        Clean { position: self.seen.position, wall }
    }

    pub(super) fn close_gap(&mut self, cx: &mut Cx<'_>, closed: GapClosed) {
        let (gap, outcome) = (closed.gap, closed.outcome);
        self.write(cx, Body::GapClosed(closed.clone()));
        self.owe_history(cx, closed);
        cx.report(Report::GapClosed { stream: self.id.clone(), gap, outcome });
    }

    /// Closes open rows that begin at the position held as `repaired`: a proof has shown that the
    /// stream goes on from there without a hole.
    pub(super) fn repair_gaps(&mut self, cx: &mut Cx<'_>) {
        let seen = self.seen.position;
        let begins_here = |gap: &OpenGap| gap.first.is_none() && gap.opened.after == seen;
        let gaps = self.gaps_to_close().into_iter();
        let open: Vec<GapOpened> = gaps.filter(begins_here).map(|gap| gap.opened).collect();
        for gap in open {
            let closed = GapClosed {
                gap: gap.gap,
                outcome: GapOutcome::Repaired,
                after: gap.after,
                through: gap.after,
                wall_from: gap.wall_from,
                wall_to: cx.now.wall,
                cause: gap.cause,
                closed_by: None,
                reconciled: true,
            };
            self.close_gap(cx, closed);
        }
    }

    pub(super) fn count_duplicate(&mut self) {
        self.duplicates += 1;
    }

    pub(super) fn count_foreign(&mut self) {
        self.foreign += 1;
    }

    pub(super) fn count_unknown(&mut self) {
        self.unknown += 1;
    }

    #[cfg(feature = "proof")]
    pub(super) fn marks_mut(&mut self) -> impl Iterator<Item = &mut AppendId> {
        let jump = match &mut self.jump {
            Jump::Written(id) => Some(id),
            Jump::None | Jump::Unwritten => None,
        };
        self.marks.iter_mut().map(|(id, _)| id).chain(jump)
    }

    #[cfg(feature = "proof")]
    pub(super) fn forget_counts(&mut self) {
        self.duplicates = 0;
        self.foreign = 0;
        self.unknown = 0;
        self.schema.forget_count();
    }

    pub(super) fn report_counts(&mut self, cx: &mut Cx<'_>) {
        let count = std::mem::take(&mut self.duplicates);
        if count > 0 {
            cx.report(Report::Duplicates { stream: self.id.clone(), count });
        }
        let count = std::mem::take(&mut self.foreign);
        if count > 0 {
            cx.report(Report::Foreign { stream: self.id.clone(), count });
        }
        let count = std::mem::take(&mut self.unknown);
        if count > 0 {
            cx.report(Report::Unknown { stream: self.id.clone(), count });
        }
    }

    pub(super) fn alarm(&self, cx: &mut Cx<'_>, what: impl Into<String>) {
        let what: String = what.into();
        cx.report(Report::Alarm { stream: self.id.clone(), what: Label::new(what) });
    }

    pub(super) fn report_lost(&self, cx: &mut Cx<'_>, conn: ConnId, failure: Failure) {
        cx.report(Report::Lost { stream: self.id.clone(), conn, failure });
    }

    pub(super) fn set_timer(&mut self, cx: &Cx<'_>, timer: Timer, delay_ms: u64) {
        self.timers.set(timer, cx.now.at + delay_ms);
    }
}
