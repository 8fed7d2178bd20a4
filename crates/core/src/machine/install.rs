//! Publishing a snapshot: the bracket, the position, the ledger.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::connector::{Numbering, SnapshotBody};
use crate::fold::OpenGap;
use crate::ids::{Key, SnapshotId};
use crate::machine::context::Cx;
use crate::machine::link::{Late, NewEpoch, Parked};
use crate::machine::mutant::Mutant;
use crate::machine::number::is_opaque;
use crate::machine::stream::{Jump, Stream};
use crate::machine::{Proof, Report, Rung};
use crate::position::Position;
use crate::record::{
    Body, Change, Effect, GapCause, GapClosed, GapOutcome, Origin, SnapshotBegin, SnapshotEnd,
    Witness,
};
use crate::snapshot::{Collected, RowAt, diff, is_newer};
use crate::time::UnixMicros;

impl Stream {
    /// A Rebase was proved: its snapshot is installed before any event above the tag. What the
    /// proved socket itself has brought too early goes on waiting for its turn.
    pub(super) fn install_prepared(&mut self, cx: &mut Cx<'_>) {
        let Some(prepared) = self.prepared.take() else { return };
        let new_epoch = self.link.as_ref().is_some_and(|link| link.new_epoch.is_some());
        if new_epoch || prepared.collected.tag != self.held_sequence() {
            let cause = self.gap_cause(cx);
            let conn = self.link.as_ref().map(|link| link.conn);
            let early = conn.map(|conn| self.take_held_of(conn)).unwrap_or_default();
            self.release_held(cx, cause);
            self.open_gap(cx, cause);
            let numbered = |event: Parked| event.event.sequence.map(|at| (at, event));
            self.held.extend(early.into_iter().filter_map(numbered));
        }
        self.install(cx, prepared.collected, Witness::Resumed, None);
    }

    /// Installs a snapshot and takes the stream as near to Live as that allows.
    /// One of named keys says nothing of the others, nor of the ledger.
    pub(super) fn install(
        &mut self,
        cx: &mut Cx<'_>,
        mut collected: Collected,
        witness: Witness,
        keys: Option<BTreeSet<Key>>,
    ) {
        let drift = self.weigh_drift(cx, &collected, keys.as_ref());
        let new_epoch = self.enter_epoch(cx);
        if new_epoch && collected.tag.is_none() {
            let bookmark = collected.bookmark.as_ref();
            collected.tag = bookmark.and_then(|bookmark| self.number_of_tag(cx, bookmark));
        }
        self.note_place(&collected);
        let keyed = keys.is_some() && !cx.mutated(Mutant::KeyedSpeaksForAll);
        let is_fuzzy_marked = !keyed && !cx.mutated(Mutant::NoConvergingMark);
        let gaps = if keyed { Vec::new() } else { self.gaps_to_close() };
        let numbered = cx.caps().position != Numbering::None;
        let at = |sequence: Option<u64>| sequence.filter(|_| numbered).map(|s| self.position(s));
        let (tag, head) = (at(collected.tag), at(collected.head));
        let snapshot = self.seen.last_snapshot.next();
        let rows_are_state = cx.caps().snapshot_body == SnapshotBody::State;
        let named = keys.as_ref().map(|keys| keys.iter().cloned().collect());
        let begin = SnapshotBegin { snapshot, tag, rows_are_state, keys: named };
        self.write(cx, Body::SnapshotBegin(begin));
        if cx.mutated(Mutant::PositionBeforeEnd) {
            self.take_position(cx, tag, new_epoch, false);
        }
        let counts = match rows_are_state {
            true => self.write_items(cx, snapshot, &collected, tag, keys.as_ref()),
            false => Counts::default(),
        };
        let end = SnapshotEnd {
            snapshot,
            count: counts.changed + counts.deleted,
            rows: collected.received,
            digest: counts.digest,
            tag,
            rows_are_state,
            keyed,
            converging_until: head.filter(|head| Some(*head) > tag && is_fuzzy_marked),
            witness,
        };
        self.write(cx, Body::SnapshotEnd(end));
        let through = match gaps.is_empty() && !new_epoch {
            true => None,
            false => self.take_position(cx, tag, new_epoch, self.is_poison_last(cx, &gaps)),
        };
        for gap in gaps {
            let closed = self.closing(cx, &gap, through, Some(snapshot), rows_are_state);
            if let Some(late) = self.link.as_mut().and_then(|link| link.late.as_mut()) {
                late.row = Some(closed.clone());
            }
            self.close_gap(cx, closed);
        }
        self.settle_drift(cx, snapshot, drift, keyed);
        if !keyed {
            self.forget_debts();
        }
        cx.report(Report::Installed {
            stream: self.id.clone(),
            snapshot,
            rows: collected.received,
            changed: counts.changed,
            deleted: counts.deleted,
            tag,
            witness,
        });
        self.finish_install(cx);
    }

    /// A subscription from a snapshot stands where the snapshot does; one beside it, before that.
    fn note_place(&mut self, collected: &Collected) {
        let Some(link) = self.link.as_mut().filter(|_| collected.bookmark.is_some()) else {
            return;
        };
        let place = if link.rung == Rung::Rebase { &mut link.said } else { &mut link.beside };
        place.clone_from(&collected.bookmark);
    }

    /// No snapshot is to be had: the ledger row ends where events begin, and state says that it may
    /// be stale.
    pub(super) fn finish_without_snapshot(&mut self, cx: &mut Cx<'_>) {
        let new_epoch = self.enter_epoch(cx);
        let gaps = self.gaps_to_close();
        let through = self.take_position(cx, None, new_epoch, false);
        for gap in gaps {
            let closed = self.closing(cx, &gap, through, None, false);
            self.close_gap(cx, closed);
        }
        self.forget_debts();
        self.finish_install(cx);
    }

    /// What was asked of a snapshot of all keys, one has brought (or none can).
    fn forget_debts(&mut self) {
        self.deletes_expected = false;
        self.resync_owed = false;
        self.keys_owed.clear();
        self.audit.forget_doubt();
    }

    fn finish_install(&mut self, cx: &mut Cx<'_>) {
        self.touched.clear();
        let parked = match &mut self.link {
            Some(link) => {
                link.settled = true;
                link.anchor = None;
                if link.rung == Rung::Resume {
                    link.proof.get_or_insert(Proof::Head);
                }
                std::mem::take(&mut link.parked)
            }
            None => return,
        };
        // Not Live yet, and the connection may break before: the new numbering is resumed from.
        if self.outage.new_epoch {
            self.outage.enter_numbering();
        }
        for event in parked {
            self.take_event(cx, event);
        }
        if self.link.as_ref().is_some_and(|link| link.settled) && self.run.is_none() {
            self.settle(cx);
        }
    }

    /// Enters the numbering that the link has met, if any. True if it is a new one. What came of
    /// one that was over before it could be installed is entered first: it was received.
    fn enter_epoch(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(new) = self.link.as_mut().and_then(|link| link.new_epoch.take()) else {
            return false;
        };
        let cause = self.gap_cause(cx);
        let held = &self.seen.epoch_name;
        let passed = self.stash.as_ref().map(|(stashed, _)| stashed.clone());
        let is_other =
            |stashed: &NewEpoch| *stashed != new && (stashed.over || stashed.name != *held);
        if let Some(passed) = passed.filter(is_other) {
            self.enter_passed(cx, &passed, cause);
        }
        self.enter(cx, &new, cause);
        true
    }

    /// What came of numberings without a name is of as many as there were sockets, for all that is
    /// known: it is entered one after the other, as it came.
    fn enter_passed(&mut self, cx: &mut Cx<'_>, passed: &NewEpoch, cause: GapCause) {
        let is_one = !passed.over || passed.name.is_some();
        let Some((_, events)) = self.stash.take_if(|_| !is_one) else {
            return self.enter(cx, passed, cause);
        };
        for piece in events.chunk_by(|one, next| one.conn == next.conn) {
            self.stash = Some((passed.clone(), piece.to_vec()));
            self.enter(cx, passed, cause);
        }
    }

    fn enter(&mut self, cx: &mut Cx<'_>, new: &NewEpoch, cause: GapCause) {
        let fresh = self.seen.position.is_none() && self.seen.epoch_name.is_none();
        let epoch = if fresh { self.seen.epoch } else { self.seen.epoch.next() };
        self.write(cx, Body::EpochChanged { epoch, name: new.name.clone() });
        self.release_stash(cx, new, cause);
    }

    fn write_items(
        &mut self,
        cx: &mut Cx<'_>,
        snapshot: SnapshotId,
        collected: &Collected,
        tag: Option<Position>,
        keys: Option<&BTreeSet<Key>>,
    ) -> Counts {
        let absent = self.absent_keys(cx, collected, keys);
        let newer = |key: &Key, at: &RowAt| is_newer(self.touched.get(key), at.version);
        let rows: Vec<(&Key, &RowAt)> = match keys {
            // Who asks for a key wants to see what the vendor says, even if nothing has changed.
            Some(_) => collected.rows.iter().filter(|(key, at)| !newer(key, at)).collect(),
            None => diff(&self.seen.keys, &collected.rows, &self.touched).upserts,
        };
        let upserts: Vec<Change> =
            rows.into_iter().map(|(key, at)| self.item(key, at, tag)).collect();
        let unit_items = cx.timing().snapshot_unit_items.max(1);
        let mut counts = Counts { changed: upserts.len() as u64, ..Counts::default() };
        counts.deleted = absent.len() as u64;
        let deletes = absent.into_iter().map(|key| absence(key, tag));
        for (index, change) in upserts.into_iter().chain(deletes).enumerate() {
            counts.digest ^= change.digest;
            self.write(cx, Body::SnapshotItem { snapshot, change });
            if (index as u64 + 1).is_multiple_of(unit_items) {
                self.flush(cx);
            }
        }
        counts
    }

    fn item(&self, key: &Key, at: &RowAt, tag: Option<Position>) -> Change {
        let position = match (tag, at.version) {
            (Some(_), Some(version)) => Some(self.position(version)),
            _ => tag,
        };
        Change {
            key: key.clone(),
            position,
            bookmark: None,
            ordinal: 0,
            event_id: None,
            kind: None,
            deleted: false,
            origin: Origin::Snapshot,
            effect: Effect::State,
            occurred_at: at.row.occurred_at,
            digest: at.row.digest,
            payload: at.row.payload.clone(),
        }
    }

    /// Bytes that could not be understood are the last that came, and no hole will tell of them.
    fn is_poison_last(&self, cx: &Cx<'_>, gaps: &[OpenGap]) -> bool {
        let last = |gap: &OpenGap| gap.first.is_none() && gap.opened.cause == GapCause::Poison;
        cx.caps().position != Numbering::Contiguous && gaps.iter().any(last)
    }

    /// Moves the position after an install, and says where ledger rows end that no event has ended.
    ///
    /// Without a ledger row the position stays: only a row may cover what lies below the tag. Where
    /// events have come, or are known to come from a base on, the position stays with the stream:
    /// events between it and the tag will still arrive, and enter as history. Only where nothing is
    /// known, or what came last could not be understood, does it move to the tag; events that
    /// arrive from below it all the same are taken as late ones.
    fn take_position(
        &mut self,
        cx: &mut Cx<'_>,
        tag: Option<Position>,
        new_epoch: bool,
        poison_last: bool,
    ) -> Option<Position> {
        let held = self.seen.position;
        let link = self.link.as_ref()?;
        let link_rebased = link.rung == Rung::Rebase;
        if new_epoch && is_opaque(cx) && !link.parked.is_empty() {
            let before = self.position(self.next_number(cx) - 1);
            self.seen.advance(before);
            self.jump = Jump::Unwritten;
            return Some(before);
        }
        let parked = link.parked.iter().filter_map(|p| p.event.sequence).min();
        if new_epoch && let Some(first) = parked {
            let before =
                self.position(first.saturating_sub(1)).max(held.unwrap_or(self.position(0)));
            self.seen.advance(before);
            self.jump = Jump::Unwritten;
            return Some(before);
        }
        if let Some(base) = link.base.filter(|_| !poison_last) {
            let (base, said) = (self.position(base), link.said.clone());
            self.seen.advance(base);
            self.jump = Jump::Unwritten;
            // A later snapshot on the same socket has a bookmark of its own, not the base's.
            if let Some(said) = said.filter(|_| link_rebased && held < Some(base)) {
                self.book(cx, base, said);
            }
            // The row of a loss that an audit has found begins before what is held.
            return Some(base).max(held);
        }
        if link.first.is_some() && !poison_last {
            return held;
        }
        if is_opaque(cx) && tag.is_none() {
            return Some(self.adopt_bookmark(cx, poison_last));
        }
        let tag = tag?;
        self.seen.advance(tag);
        self.jump = Jump::Unwritten;
        // In a new numbering what earlier sockets brought of it is held already.
        let floor = held.filter(|held| held.epoch == tag.epoch).map_or(0, |p| p.sequence);
        if let Some(link) = &mut self.link {
            link.late = Some(Late::new(floor, tag));
        }
        Some(tag)
    }

    /// The place of an opaque stream after an install that no event has preceded: where the stream
    /// itself says that it stands, unless what came from there could not be understood. Else it is
    /// known only when the stream names one, or is over (see [`Stream::adopt_beside`]).
    fn adopt_bookmark(&mut self, cx: &mut Cx<'_>, poison_last: bool) -> Position {
        let position = self.position(self.next_number(cx));
        let said = self.link.as_ref().and_then(|link| link.said.clone()).filter(|_| !poison_last);
        match said.filter(|said| self.seen.bookmarks.sequence_of(said).is_none()) {
            Some(bookmark) => self.book(cx, position, bookmark),
            None => self.seen.advance(position),
        }
        self.jump = Jump::Unwritten;
        let floor = position.sequence - 1;
        if let Some(link) = &mut self.link {
            link.late = Some(Late::new(floor, position));
        }
        position
    }

    fn closing(
        &self,
        cx: &Cx<'_>,
        gap: &OpenGap,
        through: Option<Position>,
        closed_by: Option<SnapshotId>,
        reconciled: bool,
    ) -> GapClosed {
        let opened = &gap.opened;
        // What comes does not end a row for keys of which nothing comes.
        let first = gap.first.filter(|_| opened.cause != GapCause::Partial);
        let left_out = match (cx.mutated(Mutant::RowTooLong), cx.mutated(Mutant::RowTooShort)) {
            (true, _) => 0,
            (_, true) => 2,
            _ => 1,
        };
        let before_first =
            first.map(|first| Position::new(first.epoch, first.sequence.saturating_sub(left_out)));
        let through = before_first.or(through).map(|through| match opened.after {
            Some(after) if after.epoch == through.epoch => after.max(through),
            _ => through,
        });
        let numbered = cx.caps().position != Numbering::None;
        let outcome = match opened.cause {
            _ if numbered && through.is_some() && through == opened.after => GapOutcome::Repaired,
            GapCause::Drift => GapOutcome::Drift,
            GapCause::Unproven | GapCause::Partial => GapOutcome::Unproven,
            _ if !numbered => GapOutcome::Unproven,
            _ => GapOutcome::Unrecoverable,
        };
        GapClosed {
            gap: opened.gap,
            outcome,
            after: opened.after,
            through: through.filter(|_| numbered),
            wall_from: opened.wall_from,
            wall_to: self.covered_again_at(cx),
            cause: opened.cause,
            closed_by,
            reconciled,
        }
    }

    /// The socket brings everything from its confirmation on, and from behind the last bytes on it
    /// that could not be understood; of another numbering, what has come since that was known.
    fn covered_again_at(&self, cx: &Cx<'_>) -> UnixMicros {
        let link = self.link.as_ref();
        let acked = link.and_then(|link| link.acked).map_or(cx.now.wall, |acked| acked.wall);
        let later = link.map(|link| link.poisoned_wall.max(link.recognised_wall));
        later.flatten().map_or(acked, |later| acked.max(later))
    }
}

#[derive(Default)]
struct Counts {
    changed: u64,
    deleted: u64,
    digest: u128,
}

/// The item of a key that is no more.
pub(super) fn absence(key: Key, tag: Option<Position>) -> Change {
    Change {
        key,
        position: tag,
        bookmark: None,
        ordinal: 0,
        event_id: None,
        kind: None,
        deleted: true,
        origin: Origin::Snapshot,
        effect: Effect::State,
        occurred_at: None,
        digest: 0,
        payload: Bytes::new(),
    }
}
