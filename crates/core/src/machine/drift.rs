//! What the vendor's state shows and the stream never did: on the ledger from where it may have
//! been missed.
//!
//! A stream that is complete has told all that the vendor has. If a snapshot contradicts it all the
//! same, about keys that no event has touched meanwhile, something was lost without a visible
//! outage. Whoever asked for the snapshot (an audit, a person, other keys), what it corrects is
//! never corrected in silence.

use std::collections::BTreeSet;

use crate::connector::SnapshotBody;
use crate::fold::OpenGap;
use crate::ids::{Key, SnapshotId};
use crate::machine::Report;
use crate::machine::audit::Audit;
use crate::machine::context::Cx;
use crate::machine::link::Link;
use crate::machine::mutant::Mutant;
use crate::machine::number::{is_opaque, is_unpositioned};
use crate::machine::stream::Stream;
use crate::position::Position;
use crate::record::{GapCause, GapClosed, GapOutcome};
use crate::snapshot::{Collected, diff};
use crate::time::{Millis, UnixMicros};

/// A moment up to which state was known to be the vendor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Clean {
    pub(super) position: Option<Position>,
    pub(super) wall: UnixMicros,
}

/// What a snapshot corrects on a stream that was complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drift {
    since: Clean,
    outcome: GapOutcome,
    /// What was missed lies at or below this, where it may lie beyond the position held.
    tag: Option<u64>,
}

impl Stream {
    /// Where the stream stands.
    pub(super) fn here(&self, cx: &Cx<'_>) -> Clean {
        Clean { position: self.seen.position, wall: cx.now.wall }
    }

    /// A snapshot of all keys takes the place of an audit: touched keys are recorded from here on.
    pub(super) fn begin_comparison(&mut self, cx: &Cx<'_>) {
        self.audit = Audit::default();
        self.audit.since = Some(self.here(cx));
    }

    /// A snapshot of all keys is installed: state is the vendor's, as of the moment from which
    /// touched keys were left to the stream. A resume alone compares nothing: what was lost before
    /// it is lost behind it.
    fn note_compared(&mut self, cx: &Cx<'_>) {
        let acked = self.link.as_ref().and_then(|link| link.acked);
        let wall = acked.map_or(cx.now.wall, |acked| acked.wall);
        let position = acked.and_then(|acked| acked.held).or(self.seen.position);
        self.clean = self.audit.since.take().or(Some(Clean { position, wall }));
    }

    /// All that the vendor has told is here, and no open row says that something may be missing.
    fn is_whole(&self) -> bool {
        let settled = |link: &Link| link.settled && link.new_epoch.is_none();
        self.link.as_ref().is_some_and(settled) && self.seen.open_gaps.is_empty()
    }

    /// Whether every row shows a moment that the stream has passed: then what it contradicts is
    /// wrong for certain. A bookmark says nothing of what its rows show beyond it.
    pub(super) fn is_exact(&self, cx: &Cx<'_>, collected: &Collected) -> bool {
        let reach = collected.tag.max(collected.head);
        collected.tag.is_some() && reach <= self.held_sequence() && !is_opaque(cx)
    }

    /// Keys of which a snapshot shows something else than the stream, although no event touched
    /// them meanwhile. Where keys were put in and taken out on purpose, that they come and go is
    /// no surprise.
    fn contradicted(
        &self,
        cx: &Cx<'_>,
        collected: &Collected,
        keys: Option<&BTreeSet<Key>>,
    ) -> BTreeSet<Key> {
        let found = diff(&self.seen.keys, &collected.rows, &self.touched);
        let is_held = |key: &Key| self.seen.keys.get(key).is_some_and(|held| held.present);
        let rows = found.upserts.into_iter().map(|(key, _)| key);
        let rows = rows.filter(|key| !self.deletes_expected || is_held(key)).cloned();
        let mut contradicted: BTreeSet<Key> = rows.collect();
        if !self.deletes_expected {
            contradicted.extend(self.absent_keys(cx, collected, keys));
        }
        contradicted
    }

    /// Now, on a stream that is complete, if nothing but its age says how old a row is.
    pub(super) fn complete_since(&self, cx: &Cx<'_>) -> Option<Millis> {
        let settled = self.link.as_ref().is_some_and(|link| link.settled);
        let is_old = settled && is_unpositioned(cx) && !cx.mutated(Mutant::OldRowBelieved);
        is_old.then_some(cx.now.at)
    }

    /// Whether a snapshot without a position contradicts a stream that was complete: an event may
    /// be under way that says the same, and is given time to come.
    pub(super) fn is_contradicted(&self, cx: &Cx<'_>) -> bool {
        let loose = self.run.as_ref().filter(|run| run.collected.tag.is_none() && !is_opaque(cx));
        let rows_are_state = cx.caps().snapshot_body == SnapshotBody::State;
        loose
            .filter(|_| rows_are_state && self.is_whole())
            .is_some_and(|run| !self.contradicted(cx, &run.collected, run.keys.as_ref()).is_empty())
    }

    /// What is to be written down if this snapshot is installed now. Certain where an audit has
    /// decided or the snapshot is exact; else it may be under way, and the row says no more.
    pub(super) fn weigh_drift(
        &self,
        cx: &Cx<'_>,
        collected: &Collected,
        keys: Option<&BTreeSet<Key>>,
    ) -> Option<Drift> {
        let whole = self.is_whole() && !cx.mutated(Mutant::CorrectedInSilence);
        if cx.caps().snapshot_body != SnapshotBody::State || !(whole || self.drifted) {
            return None;
        }
        let contradicted = self.contradicted(cx, collected, keys);
        if contradicted.is_empty() {
            return None;
        }
        let since = self.agreed_until(cx, &contradicted);
        Some(match self.drifted || self.is_exact(cx, collected) {
            true => Drift { since, outcome: GapOutcome::Drift, tag: None },
            false => Drift { since, outcome: GapOutcome::Unproven, tag: collected.tag },
        })
    }

    /// The last moment at which all of these keys were surely the vendor's: when they were last
    /// compared, or when their value came. The process may have begun after either.
    fn agreed_until(&self, cx: &Cx<'_>, keys: &BTreeSet<Key>) -> Clean {
        let here = |at: &Position| at.epoch == self.seen.epoch;
        let compared = self.clean;
        let position = compared.and_then(|clean| clean.position).filter(here);
        let wall = compared.map(|clean| clean.wall);
        let skew_ms = i64::try_from(cx.caps().clock_skew_ms_max).unwrap_or(i64::MAX);
        let skew_us = skew_ms.saturating_mul(1_000);
        let each = keys.iter().map(|key| {
            let held = self.seen.keys.get(key);
            let version = held.and_then(|held| held.version).filter(here);
            let came_at = held.map(|held| {
                let at = held.occurred_at.map_or(held.received_at, |at| at.min(held.received_at));
                UnixMicros(at.0.saturating_sub(skew_us))
            });
            (position.max(version), wall.max(came_at))
        });
        let (positions, walls): (Vec<_>, Vec<_>) = each.unzip();
        // Of a key that was never held nothing is known but when the record began.
        let first = || self.seen.keys.values().map(|held| held.received_at).min();
        Clean {
            position: positions.into_iter().min().flatten(),
            wall: walls.into_iter().min().flatten().or_else(first).unwrap_or(cx.now.wall),
        }
    }

    /// Opens a row that begins where these keys were last the vendor's.
    pub(super) fn open_drift(&mut self, cx: &mut Cx<'_>, keys: &BTreeSet<Key>) {
        let since = self.agreed_until(cx, keys);
        let gap = self.open_since(cx, since, GapCause::Drift);
        cx.report(Report::GapOpened { stream: self.id.clone(), gap, cause: GapCause::Drift });
    }

    /// The same before a person is asked whether a snapshot may be believed at all.
    pub(super) fn open_doubt(&mut self, cx: &mut Cx<'_>, absent: &BTreeSet<Key>) {
        let is_asked = |gap: &OpenGap| gap.first.is_none() && gap.opened.cause == GapCause::Drift;
        if self.is_whole() {
            self.open_drift(cx, absent);
        } else if !self.seen.open_gaps.values().any(is_asked) {
            self.open_gap(cx, GapCause::Drift);
        }
    }

    /// A snapshot is installed: what it has corrected is written down.
    pub(super) fn settle_drift(
        &mut self,
        cx: &mut Cx<'_>,
        snapshot: SnapshotId,
        drift: Option<Drift>,
        keyed: bool,
    ) {
        if let Some(drift) = drift {
            self.write_drift(cx, snapshot, drift);
        }
        if !keyed {
            self.drifted = false;
            if cx.caps().snapshot_body == SnapshotBody::State {
                self.note_compared(cx);
            }
        }
    }

    fn write_drift(&mut self, cx: &mut Cx<'_>, snapshot: SnapshotId, drift: Drift) {
        let Drift { since, outcome, tag } = drift;
        let gap = self.open_since(cx, since, GapCause::Drift);
        let beyond = tag.filter(|_| self.seen.position.is_some()).map(|tag| self.position(tag));
        let closed = GapClosed {
            gap,
            outcome,
            after: since.position,
            through: self.seen.position.max(beyond),
            wall_from: since.wall,
            wall_to: cx.now.wall,
            cause: GapCause::Drift,
            closed_by: Some(snapshot),
            reconciled: true,
        };
        self.close_gap(cx, closed);
    }
}
