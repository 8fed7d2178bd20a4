//! What came of a numbering that could not be installed before its socket went.

use std::collections::BTreeSet;

use crate::connector::{Class, Failure, Numbering};
use crate::ids::Label;
use crate::machine::context::Cx;
use crate::machine::link::{Link, NewEpoch, Parked};
use crate::machine::mutant::Mutant;
use crate::machine::number::is_opaque;
use crate::machine::stream::Stream;
use crate::machine::{CloseHow, Report, Rung};
use crate::record::GapCause;

impl Stream {
    /// Keeps what a socket brought of a numbering that could not be installed.
    pub(super) fn stash_events(&mut self, cx: &mut Cx<'_>, link: &mut Link) {
        if cx.mutated(Mutant::StashDropped) {
            return;
        }
        let Some(mut new_epoch) = link.new_epoch.clone() else { return };
        // What was refused lies before what has come since.
        if link.parked.len() > link.stashed.unwrap_or(0) {
            self.outage.forget_refusals();
        }
        // Without a name, what the next socket meets may be another.
        new_epoch.over |= !cx.caps().tells_numberings();
        let mut events = std::mem::take(&mut link.parked);
        events.extend(self.take_held_of(link.conn));
        match &mut self.stash {
            Some((stashed, earlier)) if *stashed == new_epoch => earlier.extend(events),
            stash if !events.is_empty() => *stash = Some((new_epoch, events)),
            _ => {}
        }
        let held_max = usize::try_from(cx.timing().held_max).unwrap_or(usize::MAX);
        let Some((_, stashed)) = self.stash.as_mut().filter(|(_, held)| held.len() > held_max)
        else {
            return;
        };
        // The ledger row that follows the stash begins behind its last event: what comes after it
        // is written down as missing.
        stashed.truncate(held_max);
        self.alarm(cx, "more events of a new numbering have come than can wait for a snapshot");
    }

    /// From where a numbering goes on that was met and is not installed yet: behind what came last
    /// of it without a break. What is missing before that was refused, or can no more be known.
    pub(super) fn stashed_place(&self, cx: &Cx<'_>) -> Option<u64> {
        let (new_epoch, events) = self.stash.as_ref()?;
        let caps = cx.caps();
        let is_numbered = !matches!(caps.position, Numbering::None | Numbering::Opaque);
        let is_coming = self.outage.new_epoch || self.seen.position.is_none();
        let has_room = (events.len() as u64) < cx.timing().held_max;
        let is_known = is_numbered && new_epoch.name.is_some() && !new_epoch.over;
        if !(is_known && is_coming && has_room) || cx.mutated(Mutant::StashUnasked) {
            return None;
        }
        let piece = events.chunk_by(|one, next| one.conn == next.conn).last()?;
        let came: BTreeSet<u64> = piece.iter().filter_map(|event| event.event.sequence).collect();
        let last = *came.last()?;
        let asked = match caps.position {
            Numbering::Contiguous => (*came.first()?..).take_while(|at| came.contains(at)).last(),
            // Of the last position more may be to come.
            _ if !caps.position_unique => came.range(..last).next_back().copied(),
            _ => Some(last),
        };
        asked.filter(|asked| self.outage.stash_refused < Some(*asked))
    }

    /// The subscription is of the numbering that it was asked for a place of. Where it is known to
    /// go on there, what came before is as if this socket had brought it.
    pub(super) fn join_stash(&mut self, cx: &Cx<'_>) {
        let Some(link) = self.link.as_mut().filter(|link| link.rung == Rung::Overlap) else {
            return;
        };
        let goes_on = match link.acked.and_then(|acked| acked.position) {
            Some(position) => Some(position) == link.asked,
            // What is missing shows as a hole.
            None => cx.caps().position == Numbering::Contiguous,
        };
        let is_asked = link.stashed == Some(0);
        let is_same = |(stashed, _): &&mut (NewEpoch, _)| Some(stashed) == link.new_epoch.as_ref();
        let Some((_, events)) = self.stash.as_mut().filter(is_same) else { return };
        if !is_asked || !(goes_on || cx.mutated(Mutant::StashJoinedUnproved)) {
            return;
        }
        let last = events.last().map(|event| event.conn);
        let begin = events.iter().rposition(|event| Some(event.conn) != last);
        let mut piece = events.split_off(begin.map_or(0, |before| before + 1));
        piece.iter_mut().for_each(|event| event.conn = link.conn);
        if events.is_empty() {
            self.stash = None;
        }
        link.stashed = Some(piece.len());
        piece.append(&mut link.parked);
        link.parked = piece;
    }

    /// Nothing has come that shows whether the stream goes on behind what was kept, although there
    /// is more.
    pub(super) fn is_stash_unproved(&self, tag: Option<u64>) -> bool {
        self.link.as_ref().is_some_and(|link| {
            link.new_epoch.is_some()
                && link.base.is_none()
                && link.stashed.is_some_and(|count| count > 0)
                && !link.has_brought()
                && link.poisoned_at.is_none()
                && tag > link.asked
        })
    }

    /// The place behind what was kept is not served, as it seems: the next one is asked from now.
    pub(super) fn leave_stash(&mut self, cx: &mut Cx<'_>) {
        let what = "asked for what follows, but no event came";
        let asked = self.link.as_ref().and_then(|link| link.asked);
        self.outage.stash_refused = self.outage.stash_refused.max(asked);
        cx.report(Report::Stale { stream: self.id.clone(), what: Label::from(what) });
        let class = Class::Retry { after_ms: None };
        self.give_up(cx, CloseHow::Polite, Failure { class, code: None, what: Label::from(what) });
    }

    /// The place behind what was kept is not served.
    pub(super) fn note_stash_refused(&mut self, link: &Link) {
        if link.stashed.is_some() {
            self.outage.stash_refused = self.outage.stash_refused.max(link.asked);
        }
    }

    /// Events of this numbering that earlier sockets brought: the row that was opened before them
    /// ends there, and another begins after them.
    pub(super) fn release_stash(&mut self, cx: &mut Cx<'_>, new: &NewEpoch, cause: GapCause) {
        let stash = self.stash.take().filter(|(stashed, _)| stashed == new);
        let Some((_, events)) = stash else { return };
        if is_opaque(cx) {
            self.release_counted(cx, events);
            return self.open_gap(cx, cause);
        }
        if cx.caps().position != Numbering::Contiguous {
            return self.release_pieces(cx, &events, cause);
        }
        let numbered = |event: Parked| event.event.sequence.map(|at| (at, event));
        let stashed = events.into_iter().filter_map(numbered).collect();
        let waiting = std::mem::replace(&mut self.held, stashed);
        if let Some(first) = self.held.keys().next() {
            self.seen.advance(self.position(first.saturating_sub(1)));
            self.release_held(cx, cause);
            self.open_gap(cx, cause);
        }
        self.held = waiting;
    }

    /// Numbers with holes: between what one socket brought and what the next one did, events may
    /// be missing. Of what was asked for, and never refused, nobody can say that they are.
    fn release_pieces(&mut self, cx: &mut Cx<'_>, events: &[Parked], cause: GapCause) {
        let between = match self.outage.stash_refused {
            Some(_) => cause,
            None => GapCause::Unproven,
        };
        for piece in events.chunk_by(|one, next| one.conn == next.conn) {
            let Some(first) = piece.iter().filter_map(|event| event.event.sequence).min() else {
                continue;
            };
            self.seen.advance(self.position(first.saturating_sub(1)));
            for event in piece {
                let Some(at) = event.event.sequence else { continue };
                let identity = (self.position(at), event.event.key.clone(), event.ordinal);
                if self.held_sequence() >= Some(at) || self.seen.ahead.contains(&identity) {
                    self.count_duplicate();
                } else {
                    self.apply(cx, event.clone(), Some(at));
                }
            }
            self.open_gap(cx, between);
        }
    }

    /// The highest position that an earlier socket brought of a numbering not installed yet.
    pub(super) fn stashed_sequence(&self, epoch: &Option<Label>) -> Option<u64> {
        let (_, events) =
            self.stash.as_ref().filter(|(stashed, _)| stashed.name == *epoch && !stashed.over)?;
        events.iter().filter_map(|event| event.event.sequence).max()
    }
}
