//! Numbers for events whose positions are opaque: counted here in the order of arrival, so that the
//! rest of the machine need not know.
//!
//! A bookmark that is known gives an event its old number, and makes it a duplicate. One that is
//! not known proves nothing: only the confirmation, or the last event coming again, shows that a
//! resume goes on where it should. Where a ledger row was opened, a number is left out for what is
//! missing, so that its interval is one.

use std::collections::BTreeSet;

use crate::bookmark::{After, Bookmark};
use crate::connector::{Class, EventBody, Failure, Numbering, Page, SnapshotKind};
use crate::fold::OpenGap;
use crate::ids::{ConnId, Label};
use crate::machine::context::Cx;
use crate::machine::link::{Link, Parked, Stage};
use crate::machine::mutant::Mutant;
use crate::machine::reconcile::Purpose;
use crate::machine::stream::Stream;
use crate::machine::timer::Timer;
use crate::machine::{Blocked, Proof, Rung};
use crate::position::Position;
use crate::record::{Body, GapCause};

/// So many events after the last bookmark, and no resume could begin behind them: the profile names
/// bookmarks that never come.
const UNBOOKED_MAX: usize = 10_000;

pub(super) fn is_opaque(cx: &Cx<'_>) -> bool {
    cx.caps().position == Numbering::Opaque
}

/// Nothing in a snapshot beside an open stream says of which moment its rows are.
pub(super) fn is_unpositioned(cx: &Cx<'_>) -> bool {
    let caps = cx.caps();
    caps.snapshot == SnapshotKind::Unpositioned
        || matches!(caps.position, Numbering::None | Numbering::Opaque)
}

impl Stream {
    /// Gives an event of an opaque stream its number. False if the attempt is over.
    pub(super) fn number(&mut self, cx: &mut Cx<'_>, parked: &mut Parked) -> bool {
        if !is_opaque(cx) {
            return true;
        }
        let bookmark = parked.event.bookmark.as_ref();
        let known = bookmark.and_then(|bookmark| self.seen.bookmarks.sequence_of(bookmark));
        let counted = self.link.as_ref().and_then(|link| link.counted);
        // A state that is told again is known by its value, before it is numbered: what comes in
        // the place of one that is in the log already is another.
        let counted = counted.filter(|_| cx.caps().event_body == EventBody::Change);
        let again = counted.map(|at| at.saturating_add(1)).filter(|at| {
            let identity = (self.position(*at), parked.event.key.clone(), parked.ordinal);
            bookmark.is_none() && self.seen.ahead.contains(&identity)
        });
        let at = known.or(again).unwrap_or_else(|| self.next_number(cx));
        parked.event.sequence = Some(at);
        if let Some(link) = &mut self.link {
            link.counted = Some(at);
        }
        if self.seen.ahead.len() > UNBOOKED_MAX {
            let what = Label::from("no bookmark comes with the events of an opaque stream");
            let failure = Failure { class: Class::Fatal, code: None, what };
            self.block(cx, Blocked::Fatal { failure });
            return false;
        }
        true
    }

    fn highest_number(&self) -> u64 {
        let ahead = self.seen.ahead.last().map(|position| position.sequence);
        let rebased = self.link.as_ref().filter(|link| link.rung == Rung::Rebase);
        let asked = rebased.and_then(|link| link.asked);
        let numbers = [self.held_sequence(), ahead, asked, self.seen.bookmarks.last_sequence()];
        numbers.into_iter().flatten().max().unwrap_or(0)
    }

    /// The number of an event that is not known: behind a hole that no event has ended, one is left
    /// out.
    pub(super) fn next_number(&self, cx: &Cx<'_>) -> u64 {
        let highest = self.highest_number();
        let hole = |gap: &OpenGap| {
            let ends_here = gap
                .opened
                .after
                .is_none_or(|after| after.epoch != self.seen.epoch || after.sequence >= highest);
            gap.first.is_none() && gap.opened.cause != GapCause::Partial && ends_here
        };
        let left_out = self.seen.open_gaps.values().any(hole);
        highest + 1 + u64::from(left_out && !cx.mutated(Mutant::HoleWithoutNumber))
    }

    /// What to ask for so that events after this number come; `None` if its bookmark is forgotten.
    pub(super) fn after(&self, cx: &Cx<'_>, sequence: u64) -> Option<After> {
        match is_opaque(cx) {
            true => self.seen.bookmarks.at(sequence).cloned().map(After::Bookmark),
            false => Some(After::Sequence(sequence)),
        }
    }

    /// The position at which a confirmation says that it stands.
    pub(super) fn stands_at(
        &mut self,
        cx: &Cx<'_>,
        conn: ConnId,
        epoch: Option<&Label>,
    ) -> Option<u64> {
        let link = self.link_mut(conn)?;
        let said = link.said.clone()?;
        let asked = link.asked.filter(|_| link.after == Some(After::Bookmark(said.clone())));
        asked.or_else(|| self.known(cx, epoch, &said))
    }

    /// The number that a bookmark of this numbering names. Where the vendor names its numberings,
    /// one bookmark may stand in two of them.
    fn known(&self, cx: &Cx<'_>, epoch: Option<&Label>, bookmark: &Bookmark) -> Option<u64> {
        let named = epoch.filter(|_| cx.caps().epoch_named);
        if named.is_some() && named != self.seen.epoch_name.as_ref() {
            return None;
        }
        self.seen.bookmarks.sequence_of(bookmark)
    }

    /// Everything that came on this socket so far lies before the bookmark.
    pub(super) fn handle_bookmark(&mut self, cx: &mut Cx<'_>, conn: ConnId, at: Bookmark) {
        if !is_opaque(cx) {
            return self.count_foreign();
        }
        let Some(link) = self.link_mut(conn) else { return };
        if link.stage != Stage::Subscribed {
            link.said = Some(at);
            return;
        }
        let unproven = link.proof.is_none() && matches!(link.rung, Rung::Resume | Rung::Rebase);
        let asked = link.after == Some(After::Bookmark(at.clone()));
        let open = link.settled || link.first.is_some();
        if !self.is_first(conn) || self.seen.bookmarks.sequence_of(&at).is_some() && !unproven {
            return;
        }
        if unproven && asked {
            return self.handle_proof(cx, Proof::Ack);
        }
        if unproven || !open {
            return;
        }
        let unbooked = self.seen.ahead.last();
        match unbooked {
            Some(position) => self.book(cx, position, at),
            None => self.book_quiet(cx, at),
        }
    }

    /// The stream has come to a bookmark without an event: worth a record now and then.
    fn book_quiet(&mut self, cx: &mut Cx<'_>, at: Bookmark) {
        let progress_ms = cx.timing().progress_ms;
        let due = self.progress_at.is_none_or(|last| cx.now.at.since(last) >= progress_ms);
        if due && self.is_live() {
            self.progress_at = Some(cx.now.at);
            let position = self.position(self.highest_number() + 1);
            self.book(cx, position, at);
        }
    }

    pub(super) fn book(&mut self, cx: &mut Cx<'_>, position: Position, bookmark: Bookmark) {
        self.write(cx, Body::Progress { position, bookmark: Some(bookmark) });
    }

    /// Where a snapshot beside an open opaque stream belongs: at an event that has come, if its
    /// bookmark is one by now. Events that were on their way while the vendor read its rows are
    /// given time to come, so that they win over the rows that they precede. False while they are.
    pub(super) fn place_snapshot(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(run) = self.run.as_ref().filter(|run| is_opaque(cx) && run.complete) else {
            return true;
        };
        let collected = &run.collected;
        let bookmark = collected.bookmark.as_ref();
        let known = bookmark.and_then(|at| self.known(cx, collected.epoch.as_ref(), at));
        let Some(run) = &mut self.run else { return true };
        if known.is_some() {
            run.collected.tag = known;
            return true;
        }
        if !std::mem::replace(&mut run.graced, true) && !cx.mutated(Mutant::LooseSnapshotAtOnce) {
            self.timers.set(Timer::Grace, cx.now.at + cx.config.timing.grace_ms);
        }
        !self.timers.is_set(Timer::Grace)
    }

    /// A socket is gone that has named no place since a snapshot was read beside it: what it would
    /// have brought up to the snapshot's place is in the row before it.
    pub(super) fn adopt_beside(&mut self, cx: &mut Cx<'_>, link: &Link) {
        let (Some(beside), Some(late)) = (&link.beside, &link.late) else { return };
        let position = self.seen.position.filter(|at| *at == late.tag && is_opaque(cx));
        let Some(position) = position.filter(|at| self.seen.bookmarks.at(at.sequence).is_none())
        else {
            return;
        };
        self.book(cx, position, beside.clone());
    }

    /// The number of a snapshot's bookmark in a numbering that is only now entered: of an event
    /// that came before, or of one that is parked and will get its number behind the others.
    pub(super) fn number_of_tag(&self, cx: &Cx<'_>, bookmark: &Bookmark) -> Option<u64> {
        let known = self.seen.bookmarks.sequence_of(bookmark);
        let link = self.link.as_ref()?;
        known.or_else(|| {
            let mut met = BTreeSet::new();
            for parked in link.parked.iter().filter_map(|parked| parked.event.bookmark.as_ref()) {
                if parked == bookmark {
                    return Some(self.next_number(cx) + met.len() as u64);
                }
                met.insert(parked);
            }
            None
        })
    }

    /// Writes events that have waited for their numbering, in the order in which they came.
    pub(super) fn release_counted(&mut self, cx: &mut Cx<'_>, events: Vec<Parked>) {
        for mut event in events {
            if !self.number(cx, &mut event) {
                return;
            }
            match event.event.sequence.filter(|at| Some(*at) > self.held_sequence()) {
                Some(at) => self.apply(cx, event, Some(at)),
                None => self.count_duplicate(),
            }
        }
    }

    /// Puts our number in the place of a page's bookmark. Of a snapshot to subscribe from, an
    /// unknown one is taken for new: the page was asked for after everything held had come. Beside
    /// an open stream it proves nothing, and the rows count as rows without a position.
    pub(super) fn number_page(&mut self, cx: &Cx<'_>, page: &mut Page) {
        if !is_opaque(cx) {
            return;
        }
        let next = self.next_number(cx);
        let Some(run) = &self.run else { return };
        let first = run.collected.bookmark.as_ref();
        let known = |bookmark: &Bookmark| self.known(cx, page.epoch.as_ref(), bookmark);
        page.tag = match (first, page.bookmark.as_ref()) {
            (Some(_), _) => run.collected.tag,
            (None, Some(bookmark)) => match (known(bookmark), run.purpose) {
                (Some(sequence), _) => Some(sequence),
                (None, Purpose::Rebase) => Some(next),
                (None, _) => None,
            },
            (None, None) => None,
        };
    }
}
