//! Make before break: a second connection takes over from the first without a hole.
//!
//! The second one's events are held until the first has passed the join: the place where both
//! overlap. Never is the first closed merely because the second was confirmed.

use crate::connector::{Class, Connections, Failure, Numbering, Replay};
use crate::ids::{ConnId, Label};
use crate::machine::budget::{Allowance, Urgency};
use crate::machine::context::Cx;
use crate::machine::link::{Link, Parked, Stage};
use crate::machine::mutant::Mutant;
use crate::machine::stream::{Jump, Stream};
use crate::machine::timer::Timer;
use crate::machine::token::Token;
use crate::machine::{CloseHow, Message, Output, Phase, Rung};
use crate::record::{Closer, Turn};

/// Below this it is not worth waiting once more for a sign of life, in milliseconds.
const UNHEARD_MS_MIN: u64 = 20;

/// What it means that a second connection has brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hush {
    /// Nothing has happened since it was confirmed; and the first, which delivers in order, has
    /// been heard after that: so nothing from before is under way on it.
    Quiet,
    /// The first has not been heard since then.
    Unheard,
    /// The first has brought events that the second should have brought too.
    Mute,
}

impl Stream {
    /// The vendor will close this connection soon.
    pub(super) fn handle_closing(&mut self, cx: &mut Cx<'_>, conn: ConnId, within_ms: Option<u64>) {
        let closes_at = within_ms.map(|within_ms| cx.now.at + within_ms);
        if let Some(link) = self.link_mut(conn) {
            link.leaving = true;
            link.closes_at = closes_at.or(link.closes_at);
        }
        if self.is_first(conn) {
            self.begin_handover(cx);
        }
    }

    /// Brings up a second connection, where the vendor allows one. Where not, the vendor's close
    /// leads to an ordinary attempt.
    pub(super) fn begin_handover(&mut self, cx: &mut Cx<'_>) {
        if !self.is_live() || self.spare.is_some() {
            return;
        }
        if cx.caps().connections != Connections::Many {
            return;
        }
        if self.jump != Jump::None {
            // Asked from before the jump, the vendor would serve what the ledger has given up.
            return;
        }
        let ready_at = cx.ready_at(Allowance::Handshakes, Urgency::Recovery);
        if ready_at > cx.now.at {
            self.report_over_budget(cx, Allowance::Handshakes, ready_at);
            return self.timers.set(Timer::Handover, ready_at);
        }
        let Ok(token) = self.token(cx) else { return };
        cx.spend(Allowance::Handshakes);
        let replays = cx.caps().replay == Replay::FromPosition
            && cx.caps().position != Numbering::None
            && cx.caps().tells_numberings();
        let asked = self.durable.map(|p| p.sequence).filter(|_| replays);
        let after = asked.and_then(|asked| self.after(cx, asked));
        let asked = asked.filter(|_| after.is_some());
        let rung = if asked.is_some() { Rung::Resume } else { Rung::Overlap };
        let conn = cx.next_conn();
        self.spare = Some(Link::new(conn, token, rung, asked, after.clone()));
        self.set_timer(cx, Timer::Handover, self.handover_ms(cx));
        self.set_phase(cx, Phase::Live { handover: true });
        cx.emit(Output::Open { conn, stream: self.id.clone(), token, after });
    }

    /// A hand-over that waited for the journal begins when the journal has it.
    pub(super) fn hand_over_if_durable(&mut self, cx: &mut Cx<'_>) {
        let leaving = self.link.as_ref().is_some_and(|link| link.leaving);
        if leaving && !self.timers.is_set(Timer::Handover) {
            self.begin_handover(cx);
        }
    }

    /// How long a hand-over may take: half of what the vendor leaves, where that is less. What it
    /// closes before the second has taken over is an outage.
    fn handover_ms(&self, cx: &Cx<'_>) -> u64 {
        let most_ms = cx.timing().handover_ms;
        self.half_left_ms(cx).map_or(most_ms, |half_ms| half_ms.min(most_ms))
    }

    /// Half of the time until the vendor closes the first connection; `None`: it has not said when,
    /// or nothing is left that would be worth a hurry.
    fn half_left_ms(&self, cx: &Cx<'_>) -> Option<u64> {
        let closes_at = self.link.as_ref().and_then(|link| link.closes_at)?;
        Some(closes_at.since(cx.now.at) / 2).filter(|half_ms| *half_ms >= UNHEARD_MS_MIN)
    }

    pub(super) fn handle_spare_ack(&mut self, cx: &mut Cx<'_>, epoch: Option<Label>) {
        if cx.caps().epoch_named && epoch.is_some() && epoch != self.seen.epoch_name {
            self.drop_spare_as(cx, "the second connection is in another epoch");
        }
        if let Some(link) = self.link.as_ref().filter(|_| cx.caps().position == Numbering::None) {
            // If nothing happens until the deadline, the answer shows that nothing was under way.
            cx.emit(Output::Send { conn: link.conn, message: Message::Ping });
        }
        self.check_join(cx);
    }

    /// An event of the second connection waits.
    pub(super) fn park_spare(&mut self, cx: &mut Cx<'_>, epoch: Option<&Label>, event: Parked) {
        if cx.caps().epoch_named && epoch.is_some() && epoch != self.seen.epoch_name.as_ref() {
            return self.drop_spare_as(cx, "the second connection is in another epoch");
        }
        if cx.mutated(Mutant::SpareNotHeld) {
            return self.take_event(cx, event);
        }
        let held_max = cx.timing().held_max;
        let Some(spare) = &mut self.spare else { return };
        spare.parked.push(event);
        if spare.parked.len() as u64 > held_max {
            self.drop_spare_as(cx, "more events wait than the bound allows");
        }
    }

    pub(super) fn drop_spare_as(&mut self, cx: &mut Cx<'_>, what: &str) {
        let class = Class::Retry { after_ms: None };
        let failure = Failure { class, code: None, what: Label::from(what) };
        self.drop_spare(cx, Some(CloseHow::Polite), failure);
    }

    /// The second connection did not work out; the first goes on.
    pub(super) fn drop_spare(
        &mut self,
        cx: &mut Cx<'_>,
        close: Option<CloseHow>,
        failure: Failure,
    ) {
        let Some(spare) = self.spare.take() else { return };
        match failure.class {
            Class::Retry { after_ms } => cx.hold(Allowance::Handshakes, after_ms),
            // What the first one carries is as old: the next one needs a new token.
            Class::Reauthorize => drop(Token::handle_unauthorized(cx, spare.token)),
            Class::Stale { .. } | Class::Closing | Class::Fatal => {}
        }
        if let Some(how) = close {
            self.close(cx, spare.conn, how, failure.what.as_str());
        }
        self.report_lost(cx, spare.conn, failure);
        self.timers.stop(Timer::Handover);
        if self.is_live() {
            self.set_phase(cx, Phase::Live { handover: false });
            self.schedule_forgetting(cx);
            if self.link.as_ref().is_some_and(|link| link.leaving) {
                let (least_ms, most_ms) = (cx.timing().backoff_ms, cx.timing().backoff_ms_max);
                let half_ms = self.half_left_ms(cx).unwrap_or(most_ms);
                let again_ms = half_ms.min(most_ms).max(least_ms);
                self.set_timer(cx, Timer::Handover, again_ms);
            }
        }
    }

    /// Whether the first connection has passed the place where the second one begins.
    pub(super) fn check_join(&mut self, cx: &mut Cx<'_>) {
        let Some(spare) = self.spare.as_ref().filter(|s| s.stage == Stage::Subscribed) else {
            return;
        };
        let acked = spare.acked.and_then(|acked| acked.position);
        let held = self.held_sequence();
        let joined = if cx.caps().position == Numbering::None {
            spare.parked.first().is_some_and(|first| {
                let seen = spare.expected.get(&first.event.key);
                seen.is_some_and(|seen| seen.contains(&first.event.identity))
            })
        } else if acked.is_some() {
            acked <= held
        } else {
            let contiguous = cx.caps().position == Numbering::Contiguous;
            let known = |parked: &Parked| match &parked.event.bookmark {
                Some(bookmark) => self.seen.bookmarks.sequence_of(bookmark),
                None => parked.event.sequence,
            };
            let first = spare.parked.iter().filter_map(known).min();
            let reach = held.map(|held| if contiguous { held.saturating_add(1) } else { held });
            first.is_some() && first <= reach
        };
        if joined || cx.mutated(Mutant::ClosedAtConfirmation) {
            self.switch(cx);
        }
    }

    /// The second connection takes over.
    fn switch(&mut self, cx: &mut Cx<'_>) {
        let Some(mut spare) = self.spare.take() else { return };
        if let Some(old) = self.link.take() {
            self.close(cx, old.conn, CloseHow::Polite, "handed over");
        }
        self.timers.stop(Timer::Handover);
        let parked = std::mem::take(&mut spare.parked);
        let conn = spare.conn;
        spare.settled = true;
        spare.base = None;
        spare.proof = Some(crate::machine::Proof::Next);
        self.link = Some(spare);
        self.set_timer(cx, Timer::Handover, cx.timing().grace_ms);
        self.hear(cx);
        self.write_turn(cx, conn, Turn::Live, Closer::Us, "handed over");
        self.set_phase(cx, Phase::Live { handover: false });
        for event in parked {
            self.take_event(cx, event);
        }
        self.note_dark(cx);
        self.doubt_poison(cx);
        self.schedule_forgetting(cx);
        if self.is_live() && std::mem::take(&mut self.resync_owed) {
            self.begin_reconcile(cx, None);
        }
    }

    /// Without positions only an event on both shows a join. While the second has brought none:
    fn hush(&self, cx: &Cx<'_>) -> Option<Hush> {
        let spare = self.spare.as_ref().filter(|spare| spare.parked.is_empty())?;
        let acked = spare.acked.filter(|_| cx.caps().position == Numbering::None)?;
        // What came on the first soon after the confirmation may have been under way before it.
        let sure_from = acked.at + cx.timing().grace_ms;
        Some(match spare.expected_at {
            Some(at) if at > sure_from => Hush::Mute,
            _ if self.heard_at > acked.at => Hush::Quiet,
            _ => Hush::Unheard,
        })
    }

    /// The deadline of a hand-over of which the second connection has brought nothing.
    fn end_hush(&mut self, cx: &mut Cx<'_>, hush: Hush) {
        let again_ms = self.handover_ms(cx) / 2;
        match hush {
            Hush::Quiet => self.switch(cx),
            Hush::Mute if cx.mutated(Mutant::HushTakesOver) => self.switch(cx),
            Hush::Unheard if cx.mutated(Mutant::UnheardTakesOver) => self.switch(cx),
            Hush::Mute => {
                self.drop_spare_as(
                    cx,
                    "the second connection brings nothing of what the first does",
                );
            }
            Hush::Unheard if again_ms >= UNHEARD_MS_MIN => {
                self.set_timer(cx, Timer::Handover, again_ms);
            }
            Hush::Unheard => self.give_way(cx),
        }
    }

    /// The second connection becomes the first, and has to prove itself.
    fn give_way(&mut self, cx: &mut Cx<'_>) {
        if let Some(link) = self.link.take() {
            self.close(cx, link.conn, CloseHow::Polite, "the hand-over has taken too long");
        }
        self.promote_spare(cx);
    }

    /// The first connection died before the join: the second must prove itself like any other.
    pub(super) fn promote_spare(&mut self, cx: &mut Cx<'_>) {
        if cx.mutated(Mutant::PromotedUnproved) {
            return self.switch(cx);
        }
        let Some(mut spare) = self.spare.take() else { return };
        self.timers.stop(Timer::Audit);
        self.timers.stop(Timer::Behind);
        self.run = None;
        self.audit = Default::default();
        self.outage.rung = Some(spare.rung);
        let parked = std::mem::take(&mut spare.parked);
        let position = spare.acked.and_then(|acked| acked.position);
        self.link = Some(spare);
        // What the first has brought as well is still known when the second brings it.
        self.set_timer(cx, Timer::Handover, cx.timing().grace_ms);
        self.hear(cx);
        self.set_phase(cx, Phase::CatchingUp);
        self.note_dark(cx);
        self.resume_ack(cx, position);
        for event in parked {
            if self.link.is_some() {
                self.take_event(cx, event);
            }
        }
        if self.link.is_some() {
            self.doubt_poison(cx);
            self.settle_frame(cx);
        }
    }

    /// The hand-over has taken too long (on a quiet stream no join ever shows), or may be tried
    /// again, or what the old connection delivered is no longer expected of the new one.
    pub(super) fn handle_handover_timer(&mut self, cx: &mut Cx<'_>) {
        if let Some(hush) = self.hush(cx) {
            return self.end_hush(cx, hush);
        }
        match &self.spare {
            Some(spare) if spare.stage == Stage::Subscribed => self.give_way(cx),
            Some(_) => self.drop_spare_as(cx, "the second connection took too long"),
            None => {
                if let Some(link) = &mut self.link {
                    link.expected.clear();
                }
                if self.link.as_ref().is_some_and(|link| link.leaving) {
                    self.begin_handover(cx);
                }
            }
        }
    }
}
