//! Bytes that could not be understood: kept, written down, and not for ever.

use bytes::Bytes;

use crate::connector::{Ack, Class, Failure, Numbering, Replay};
use crate::ids::{ConnId, Label};
use crate::machine::context::Cx;
use crate::machine::link::Stage;
use crate::machine::mutant::Mutant;
use crate::machine::reconcile::Purpose;
use crate::machine::stream::Stream;
use crate::machine::timer::Timer;
use crate::machine::{Blocked, CloseHow};
use crate::record::{Body, GapCause, QUARANTINE_BYTES_MAX, Quarantined, digest};

/// After so many in a row, without one event that was understood, a person is needed: the vendor
/// has changed its schema, or the profile is wrong. Enough to pass over an accident, few enough not
/// to fill a disk with quarantine.
const POISON_RUN_MAX: u32 = 100;

/// How often in a row, without a stable Live between, a socket is given up for such bytes: a road
/// that garbles several events at once is asked for each of them, and what the default budget lets
/// through at once is not used up.
const ASKED_AGAIN_MAX: u32 = 8;

/// How often a frame that ends its socket may come at one position before it is left behind, with
/// all that the vendor would send up to now: often enough for what a road has garbled and for a
/// vendor that mends itself, seldom enough that the stream goes on within a minute.
const UNREAD_MAX: u32 = 5;

impl Stream {
    pub(super) fn quarantine(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        reason: Label,
        bytes: Bytes,
    ) {
        let quarantined = Quarantined {
            conn: Some(conn),
            reason,
            length: bytes.len() as u64,
            digest: digest(&bytes),
            bytes: bytes.slice(..bytes.len().min(QUARANTINE_BYTES_MAX)),
        };
        self.write_quarantined(cx, conn, quarantined);
    }

    /// Writes down what is kept of such bytes, and what they put in doubt.
    pub(super) fn write_quarantined(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        quarantined: Quarantined,
    ) {
        if let Some(link) = self.link_mut(conn) {
            link.poisoned_at = Some(cx.now.at);
            link.poisoned_wall = Some(cx.now.wall);
            if let Some(late) = &mut link.late {
                late.torn = true;
            }
        }
        self.write(cx, Body::Quarantined(quarantined));
        if self.is_first(conn) {
            let here = self.seen.position;
            if self.poison_at.is_none_or(|(at, _)| at != here) {
                self.poison_at = Some((here, conn));
            }
            self.doubt_poison(cx);
        }
        self.count_poison(cx);
    }

    /// A frame of a kind that is not known. Most are none of ours; an event under another name
    /// would look like this, too.
    pub(super) fn note_unknown(&mut self, conn: ConnId) {
        let link = self.link_mut(conn).filter(|link| link.stage == Stage::Subscribed);
        if let Some(link) = link {
            link.strange = true;
        }
        self.count_unknown();
    }

    fn count_poison(&mut self, cx: &mut Cx<'_>) {
        self.poison_run += 1;
        if self.poison_run >= POISON_RUN_MAX {
            let what = Label::new(format!("the last {POISON_RUN_MAX} events were not understood"));
            self.poison_run = 0;
            let failure = Failure { class: Class::Fatal, code: None, what };
            self.block(cx, Blocked::Fatal { failure });
        }
    }

    /// Bytes that could not be understood came at the position held, and came again when the vendor
    /// was asked from there on another socket: asking a third time would bring them a third time.
    pub(super) fn is_poisoned_again(&self) -> bool {
        let Some(link) = self.link.as_ref().filter(|link| link.poisoned_at.is_some()) else {
            return false;
        };
        self.poison_at.is_some_and(|(at, conn)| at == self.seen.position && conn != link.conn)
    }

    /// Writes down that something came which ends its socket.
    pub(super) fn note_unread(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        reason: Label,
        length: u64,
    ) {
        if let Some(link) = self.link_mut(conn) {
            link.unread = true;
        }
        let bytes = Bytes::new();
        let kept = Quarantined { conn: Some(conn), reason, length, digest: 0, bytes };
        self.write(cx, Body::Quarantined(kept));
        self.count_poison(cx);
    }

    /// The first socket is gone. What could not be read on it hides all that the vendor sends
    /// behind it: when it has come too often at one position, no resume leads past it.
    pub(super) fn leave_unread(&mut self, cx: &Cx<'_>) {
        if cx.mutated(Mutant::UnreadForEver) {
            return;
        }
        if !self.link.as_ref().is_some_and(|link| link.unread) {
            return;
        }
        let here = self.seen.position;
        let times = if self.unread_at.0 == here { self.unread_at.1 + 1 } else { 1 };
        self.unread_at = (here, times);
        if here.is_some() && times >= UNREAD_MAX {
            self.unread_at.1 = 0;
            self.outage.overlap = Some(GapCause::Poison);
        }
    }

    /// What the first socket brought may have been an event. Where holes show, the hole will tell.
    /// Elsewhere a vendor that replays is asked for it again, while state is fetched only where an
    /// event has shown where the stream stands; if it comes again as it came, or cannot be asked
    /// for, it goes on the ledger, and no snapshot asked for before it is young enough.
    pub(super) fn doubt_poison(&mut self, cx: &mut Cx<'_>) {
        if cx.mutated(Mutant::PoisonWithoutRow) {
            return;
        }
        let subscribed = self.link.as_ref().filter(|link| link.stage == Stage::Subscribed);
        let poisoned = subscribed.is_some_and(|link| link.poisoned_at.is_some());
        if !poisoned || cx.caps().position == Numbering::Contiguous || self.is_holed() {
            return;
        }
        if self.is_stable(cx) {
            self.outage.asked_again = 0;
        }
        let reconciling = self.run.as_ref().filter(|run| run.purpose == Purpose::Reconcile);
        let asked = reconciling.map(|run| run.complete || run.request.is_some());
        let stands = self.link.as_ref().is_some_and(|link| link.first.is_some());
        if (asked.is_none() || stands) && self.can_ask_again(cx) {
            self.outage.asked_again += 1;
            return self.leave_behind(cx);
        }
        let Some(asked) = asked else {
            if self.owe_doubt(cx) {
                return;
            }
            return self.begin_reconcile(cx, Some(GapCause::Poison));
        };
        self.open_gap(cx, GapCause::Poison);
        if asked {
            self.refetch(cx, "bytes that could not be understood came meanwhile", None);
        }
    }

    /// Leaves the socket, for what could not be understood is asked for again. What was read behind
    /// it is not thrown away where the vendor may have forgotten it by then: it waits like events
    /// behind a hole, if the next confirmation will show what has become of that.
    fn leave_behind(&mut self, cx: &mut Cx<'_>) {
        let caps = cx.caps();
        let waits = caps.position == Numbering::Increasing
            && caps.position_unique
            && caps.ack == Ack::WithPosition
            && self.spare.is_none();
        match self.link.as_mut().filter(|_| waits) {
            Some(link) => {
                link.holed = true;
                self.timers.set(Timer::Hole, cx.now.at);
            }
            None => self.ask_again(cx),
        }
    }

    pub(super) fn ask_again(&mut self, cx: &mut Cx<'_>) {
        let class = Class::Retry { after_ms: None };
        let what = Label::from("bytes that could not be understood are asked for again");
        self.give_up(cx, CloseHow::Polite, Failure { class, code: None, what });
    }

    /// Whether the first socket is left as soon as what was read of it is taken in.
    pub(super) fn is_holed(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.holed)
    }

    /// Numbers with holes: what has waited and does not come again before a later event was
    /// received all the same, and has its place before it.
    pub(super) fn pass_held(&mut self, cx: &mut Cx<'_>, at: u64) {
        while let Some(first) = self.held.first_entry().filter(|first| *first.key() <= at) {
            let (waited, event) = first.remove_entry();
            if waited < at && Some(waited) > self.held_sequence() {
                self.apply(cx, event, Some(waited));
            } else {
                self.count_duplicate();
            }
        }
    }

    /// Whether a resume would bring what could not be understood once more, and perhaps whole. A
    /// vendor that keeps sending such bytes is not asked again and again: the stream must go on.
    fn can_ask_again(&self, cx: &Cx<'_>) -> bool {
        let caps = cx.caps();
        let replays = caps.replay == Replay::FromPosition && caps.position != Numbering::None;
        let same_epoch = self.link.as_ref().is_some_and(|link| link.new_epoch.is_none());
        replays
            && same_epoch
            && self.seen.position.is_some()
            && !self.is_poisoned_again()
            && self.outage.asked_again < ASKED_AGAIN_MAX
    }

    fn is_stable(&self, cx: &Cx<'_>) -> bool {
        let stable_ms = cx.timing().stable_ms;
        self.live_since.is_some_and(|since| cx.now.at.since(since) >= stable_ms)
    }
}
