//! What came of a numbering that could not be installed before its socket went.

use crate::ids::Label;
use crate::machine::context::Cx;
use crate::machine::link::{Link, NewEpoch, Parked};
use crate::machine::mutant::Mutant;
use crate::machine::number::is_opaque;
use crate::machine::stream::Stream;
use crate::record::GapCause;

impl Stream {
    /// Keeps what a socket brought of a numbering that could not be installed.
    pub(super) fn stash_events(&mut self, cx: &mut Cx<'_>, link: &mut Link) {
        if cx.mutated(Mutant::StashDropped) {
            return;
        }
        let Some(mut new_epoch) = link.new_epoch.clone() else { return };
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

    /// Events of this numbering that an earlier socket brought: the row that was opened before them
    /// ends there, and another begins after them.
    pub(super) fn release_stash(&mut self, cx: &mut Cx<'_>, new: &NewEpoch, cause: GapCause) {
        let stash = self.stash.take().filter(|(stashed, _)| stashed == new);
        let Some((_, events)) = stash else { return };
        if is_opaque(cx) {
            self.release_counted(cx, events);
            return self.open_gap(cx, cause);
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

    /// The highest position that an earlier socket brought of a numbering not installed yet.
    pub(super) fn stashed_sequence(&self, epoch: &Option<Label>) -> Option<u64> {
        let (_, events) =
            self.stash.as_ref().filter(|(stashed, _)| stashed.name == *epoch && !stashed.over)?;
        events.iter().filter_map(|event| event.event.sequence).max()
    }
}
