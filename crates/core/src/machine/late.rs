//! Events that arrive from below a snapshot's tag after the position has moved there.
//!
//! They fill the end of a ledger row that is closed already. At each step the ledger covers exactly
//! what is not in the log yet, so that a crash between two late events hides nothing.

use crate::connector::Numbering;
use crate::machine::context::Cx;
use crate::machine::link::Late;
use crate::machine::mutant::Mutant;
use crate::machine::stream::Stream;
use crate::record::{Body, GapClosed, GapOpened, GapOutcome};

impl Stream {
    /// A late event at `at` was written: the row ends before it, and its rest begins after it.
    /// Where something is missing since the late event before it, that is what the row keeps.
    pub(super) fn narrow(&mut self, cx: &mut Cx<'_>, at: u64) {
        if cx.mutated(Mutant::LateRowKept) {
            return;
        }
        let Some(late) = self.link.as_mut().and_then(|link| link.late.take()) else { return };
        let Late { floor, tag, row, rest, torn } = late;
        let before = Some(self.position(at.saturating_sub(1)));
        let is_whole = |rest: &GapClosed| match shows_holes(cx) {
            true => rest.after >= before,
            false => !torn,
        };
        let rest = match (row, rest) {
            (Some(row), _) => Some(self.split(cx, row, at)),
            (None, Some(rest)) if !is_whole(&rest) && !cx.mutated(Mutant::LateHoleForgotten) => {
                Some(self.split(cx, rest, at))
            }
            (None, Some(mut rest)) => {
                rest.after = Some(self.position(at));
                self.close_rest(cx, rest.clone());
                Some(rest)
            }
            (None, None) => None,
        };
        if let Some(link) = &mut self.link {
            link.late = Some(Late { rest, ..Late::new(floor, tag) });
        }
    }

    /// An event above the tag has come: on this socket nothing below it is to come. What numbers
    /// show to be missing up to the tag, or bytes that could not be understood, stays in the row.
    pub(super) fn end_late(&mut self, cx: &mut Cx<'_>) {
        let Some(late) = self.link.as_mut().and_then(|link| link.late.take()) else { return };
        let is_whole = !(shows_holes(cx) || late.torn) || cx.mutated(Mutant::LateHoleForgotten);
        if let Some(mut rest) = late.rest.filter(|_| is_whole) {
            rest.after = rest.through;
            self.close_rest(cx, rest);
        }
    }

    fn split(&mut self, cx: &mut Cx<'_>, mut row: GapClosed, at: u64) -> GapClosed {
        let gap = self.seen.last_gap.next();
        let rest = GapClosed { gap, after: Some(self.position(at)), ..row.clone() };
        let before = self.position(at.saturating_sub(1));
        let through = match row.after {
            Some(after) if after.epoch == before.epoch => after.max(before),
            _ => before,
        };
        if row.after == Some(through) {
            row.outcome = GapOutcome::Repaired;
        }
        row.through = Some(through);
        self.close_gap(cx, row);
        let (after, wall_from, cause) = (rest.after, rest.wall_from, rest.cause);
        self.write(cx, Body::GapOpened(GapOpened { gap, after, wall_from, cause }));
        self.close_rest(cx, rest.clone());
        rest
    }

    fn close_rest(&mut self, cx: &mut Cx<'_>, mut rest: GapClosed) {
        if rest.after >= rest.through {
            rest.outcome = GapOutcome::Repaired;
        }
        self.close_gap(cx, rest);
    }
}

fn shows_holes(cx: &Cx<'_>) -> bool {
    cx.caps().position == Numbering::Contiguous
}
