//! From nothing to a subscription, and from a failure to the next attempt.

use crate::bookmark::After;
use crate::connector::{Ack, Class, Failure, Numbering, Replay};
use crate::fold::Anchor;
use crate::ids::{ConnId, Label, TokenVersion};
use crate::machine::budget::{Allowance, Purse, Urgency};
use crate::machine::context::Cx;
use crate::machine::link::{Link, Parked, Stage};
use crate::machine::mutant::Mutant;
use crate::machine::number::is_opaque;
use crate::machine::outage::Outage;
use crate::machine::plan::Step;
use crate::machine::reconcile::Purpose;
use crate::machine::stream::{Jump, Stream};
use crate::machine::timer::{Timer, TimerTable};
use crate::machine::token::{Token, Verdict};
use crate::machine::{Blocked, CloseHow, Message, Output, Phase, Report, Rung};
use crate::position::Position;
use crate::record::{Closer, GapCause, Turn};
use crate::time::Millis;

/// HTTP status: the token is good, but not for this.
const FORBIDDEN: u16 = 403;

/// Refusals of a snapshot's own tag are remembered over this many outages before it is probed
/// again: the vendor may have been mended, and the probe costs two round trips.
const REBASE_PROBE_OUTAGES: u8 = 8;

/// What a step begins with, and when the budget has room for it, if that is not now.
fn over_budget(cx: &Cx<'_>, step: &Step) -> Option<(Allowance, Millis)> {
    let reads = matches!(step, Step::ReadHead | Step::Rebase);
    let needs: &[Allowance] = match step {
        Step::NoWay => &[],
        // What is read must not grow old while a handshake waits.
        _ if reads => &[Allowance::Requests, Allowance::Handshakes],
        _ => &[Allowance::Handshakes],
    };
    let ready_at = |allowance: &Allowance| cx.ready_at(*allowance, Urgency::Recovery);
    let last = needs.iter().map(|allowance| (*allowance, ready_at(allowance)));
    last.max_by_key(|(_, at)| *at).filter(|(_, at)| *at > cx.now.at)
}

impl Stream {
    /// Begins an attempt at the highest rung that is left.
    pub(super) fn begin_attempt(&mut self, cx: &mut Cx<'_>) {
        self.drop_attempt();
        if cx.mutated(Mutant::HeldDropped) {
            self.held.clear();
        }
        if self.is_paused() && !cx.mutated(Mutant::PausedAsksOn) {
            return self.rest_if_durable(cx);
        }
        self.renew_powerless_token(cx);
        self.weigh_progress(cx);
        self.await_position(cx);
        if self.jump != Jump::None && !cx.mutated(Mutant::JumpUnawaited) {
            let (until, why) = (cx.now.at, Label::from("the journal"));
            return self.set_phase(cx, Phase::Waiting { until, why });
        }
        let step = self.plan(cx);
        if let Some((allowance, until)) = over_budget(cx, &step) {
            return self.wait_for_budget(cx, allowance, until);
        }
        let token = match self.token(cx) {
            Ok(token) => token,
            Err(()) if cx.shared.token.asking().is_some() => {
                return self.set_phase(cx, Phase::Authorizing);
            }
            Err(()) => {
                let until = cx.token_ready_at();
                return self.wait_for_budget(cx, Allowance::Requests, until);
            }
        };
        match step {
            Step::ReadHead => self.begin_run(cx, Purpose::Head, token),
            Step::Resume { asked, anchor } => {
                self.open(cx, Rung::Resume, Some(asked), anchor, token);
            }
            Step::Floor { asked } => self.open(cx, Rung::Floor, Some(asked), None, token),
            Step::Rebase => self.begin_run(cx, Purpose::Rebase, token),
            Step::Overlap { asked } => {
                self.open(cx, Rung::Overlap, asked, None, token);
                if let Some(link) = self.link.as_mut().filter(|_| asked.is_some()) {
                    link.stashed = Some(0);
                }
            }
            Step::NoWay => self.block(cx, Blocked::NoWay),
        }
    }

    /// The budget has no room for an attempt: a state that everybody can see, until it has.
    fn wait_for_budget(&mut self, cx: &mut Cx<'_>, allowance: Allowance, until: Millis) {
        self.drop_attempt();
        let spread_ms = Purse::interval_ms(cx.budget(), allowance);
        let until = until + cx.shared.jitter.up_to(spread_ms);
        self.report_over_budget(cx, allowance, until);
        self.timers.set(Timer::Retry, until);
        self.set_phase(cx, Phase::Waiting { until, why: Label::from(allowance.as_str()) });
    }

    pub(super) fn report_over_budget(&self, cx: &mut Cx<'_>, allowance: Allowance, until: Millis) {
        let wait_ms = until.since(cx.now.at);
        cx.report(Report::OverBudget { stream: self.id.clone(), allowance, until, wait_ms });
    }

    /// A refusal was of the position held then. If the last attempt has brought events, from
    /// wherever it could, the vendor is asked from behind them, once they are durable: from behind
    /// those before a hole, for what is in it was never refused; else from behind those that wait.
    /// Those that wait may have come while the stream was Live, before any attempt of this outage.
    fn weigh_progress(&mut self, cx: &mut Cx<'_>) {
        let same_epoch = !self.outage.new_epoch;
        let before = self.outage.tried_from.or(self.seen.position);
        let beyond = before.is_some() && self.seen.position > before;
        if self.outage.descends() && same_epoch && !beyond && !self.held.is_empty() {
            let cause = self.gap_cause(cx);
            self.release_first(cx, cause);
            self.jump = Jump::Unwritten;
        }
        let seen = self.seen.position;
        self.outage.tried_from = seen;
        let progress = same_epoch && before.is_some() && seen > before;
        if progress {
            self.outage.closed_idle = 0;
            self.outage.mute = 0;
        }
        if progress && self.outage.descends() {
            self.outage.forget_refusals();
            let on_its_way = self.has_unit() || cx.shared.appended < cx.shared.last_append;
            if self.jump == Jump::None && self.durable != seen && on_its_way {
                self.jump = Jump::Written(cx.shared.last_append);
            }
        }
    }

    /// Nothing is asked from before the first position of a numbering, nor, where a page may stand
    /// for many events and be another when it is asked for again, from before what is held: what
    /// is on its way to the disk is waited for.
    fn await_position(&mut self, cx: &Cx<'_>) {
        let epoch = |position: Option<Position>| position.map(|position| position.epoch);
        let is_resumed = cx.caps().replay != Replay::None && !self.outage.new_epoch;
        let nowhere = is_resumed && epoch(self.durable) != epoch(self.seen.position);
        let is_needed = is_opaque(cx) || nowhere;
        if !is_needed || self.jump != Jump::None || self.durable == self.seen.position {
            return;
        }
        if self.has_unit() {
            self.jump = Jump::Unwritten;
        } else if cx.shared.appended < cx.shared.last_append {
            self.jump = Jump::Written(cx.shared.last_append);
        }
    }

    /// A person may have granted what the vendor said was missing; a token from before knows
    /// nothing of it.
    fn renew_powerless_token(&self, cx: &mut Cx<'_>) {
        let Phase::Blocked { why: Blocked::Fatal { failure } } = &self.phase else { return };
        if failure.code == Some(FORBIDDEN) {
            Token::forget(cx);
        }
    }

    /// An attempt that waited for the journal begins when the journal has it.
    pub(super) fn begin_if_durable(&mut self, cx: &mut Cx<'_>) {
        let waits =
            matches!(&self.phase, Phase::Waiting { .. }) && !self.timers.is_set(Timer::Retry);
        if waits && self.jump == Jump::None {
            self.begin_attempt(cx);
        }
    }

    /// Forgets everything that belongs to one attempt.
    pub(super) fn drop_attempt(&mut self) {
        self.timers = TimerTable::default();
        self.link = None;
        self.drop_run();
        self.prepared = None;
        self.history = None;
        self.touched.clear();
        self.absent_once.clear();
        self.audit.drop_attempt();
    }

    /// The token for an attempt: `Ok(None)` where none is needed, `Err` while one is asked for.
    pub(super) fn token(&self, cx: &mut Cx<'_>) -> Result<Option<TokenVersion>, ()> {
        if !cx.caps().token_needed {
            return Ok(None);
        }
        Token::usable(cx).map(Some).ok_or(())
    }

    pub(super) fn open(
        &mut self,
        cx: &mut Cx<'_>,
        rung: Rung,
        asked: Option<u64>,
        anchor: Option<Anchor>,
        token: Option<TokenVersion>,
    ) {
        let ready_at = cx.ready_at(Allowance::Handshakes, Urgency::Recovery);
        if ready_at > cx.now.at {
            return self.wait_for_budget(cx, Allowance::Handshakes, ready_at);
        }
        cx.spend(Allowance::Handshakes);
        let conn = cx.next_conn();
        let prepared = self.prepared.as_ref().and_then(|p| p.collected.bookmark.clone());
        let after = match prepared.filter(|_| rung == Rung::Rebase && is_opaque(cx)) {
            Some(bookmark) => Some(After::Bookmark(bookmark)),
            None => asked.and_then(|asked| self.after(cx, asked)),
        };
        let mut link = Link::new(conn, token, rung, asked, after.clone());
        link.anchor = anchor;
        link.replay_until = self.outage.head;
        self.link = Some(link);
        self.outage.rung = Some(rung);
        cx.report(Report::Rung { stream: self.id.clone(), rung, after: asked });
        self.set_phase(cx, Phase::Connecting);
        self.set_timer(cx, Timer::Connect, cx.timing().connect_ms);
        cx.emit(Output::Open { conn, stream: self.id.clone(), token, after });
    }

    pub(super) fn handle_opened(&mut self, cx: &mut Cx<'_>, conn: ConnId) {
        let (after, token) = match self.link_mut(conn) {
            Some(link) if link.stage == Stage::Opening => {
                link.stage = Stage::Subscribing;
                (link.after.clone(), link.token)
            }
            _ => return,
        };
        cx.shared.token.handle_accepted(token);
        self.write_turn(cx, conn, Turn::Opened, Closer::Us, "handshake accepted");
        cx.emit(Output::Send { conn, message: Message::Subscribe { after } });
        if self.is_first(conn) {
            self.timers.stop(Timer::Connect);
            self.set_timer(cx, Timer::Subscribe, cx.timing().subscribe_ms);
            self.hear(cx);
            self.set_phase(cx, Phase::Subscribing);
        }
        if cx.caps().ack == Ack::None {
            self.handle_ack(cx, conn, None, None, None);
        }
    }

    pub(super) fn handle_refused(&mut self, cx: &mut Cx<'_>, conn: ConnId, failure: Failure) {
        if self.is_spare(conn) {
            return self.drop_spare(cx, None, failure);
        }
        let Some(link) = self.link.take().filter(|link| link.conn == conn) else { return };
        self.report_lost(cx, conn, failure.clone());
        self.fail(cx, Some(&link), failure);
    }

    /// A socket has ended.
    pub(super) fn handle_closed(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        by: Closer,
        failure: Failure,
    ) {
        if self.is_spare(conn) {
            self.write_turn(cx, conn, Turn::Closed, by, failure.what.as_str());
            return self.drop_spare(cx, None, failure);
        }
        if !self.is_first(conn) {
            return;
        }
        self.write_turn(cx, conn, Turn::Closed, by, failure.what.as_str());
        self.leave_unread(cx);
        self.lose(cx, by, failure);
    }

    /// We end the first socket and recover.
    pub(super) fn give_up(&mut self, cx: &mut Cx<'_>, how: CloseHow, failure: Failure) {
        if let Some(conn) = self.link.as_ref().map(|link| link.conn) {
            self.close(cx, conn, how, failure.what.as_str());
        }
        self.lose(cx, Closer::Us, failure);
    }

    pub(super) fn close(&mut self, cx: &mut Cx<'_>, conn: ConnId, how: CloseHow, why: &str) {
        cx.emit(Output::Close { conn, how });
        self.write_turn(cx, conn, Turn::Closed, Closer::Us, why);
    }

    /// The first socket is gone; its closing is recorded.
    fn lose(&mut self, cx: &mut Cx<'_>, by: Closer, failure: Failure) {
        self.settle_nameless(cx);
        let Some(mut link) = self.link.take() else { return };
        let brought = link.has_brought();
        self.stash_events(cx, &mut link);
        self.adopt_beside(cx, &link);
        self.report_lost(cx, link.conn, failure.clone());
        self.report_counts(cx);
        if self.spare.as_ref().is_some_and(|spare| spare.stage == Stage::Subscribed) {
            return self.promote_spare(cx);
        }
        if let Some(spare) = self.spare.take() {
            self.close(cx, spare.conn, CloseHow::Drop, "the first connection is gone");
        }
        let stable_ms = cx.timing().stable_ms;
        if self.live_since.take().is_some_and(|since| cx.now.at.since(since) >= stable_ms) {
            self.outage.attempts = 0;
            self.outage.asked_again = 0;
        }
        let is_asked = link.rung != Rung::Overlap || link.stashed.is_some();
        let idle_end = link.stage == Stage::Subscribed && !brought && link.proof.is_none();
        if idle_end && by == Closer::Vendor && is_asked {
            self.outage.closed_idle = self.outage.closed_idle.saturating_add(1);
            if self.outage.closed_idle >= 2 && !cx.mutated(Mutant::IdleClosesUncounted) {
                self.note_stale(cx, &link, None, "accepted twice and closed without an event");
            }
        }
        self.fail(cx, Some(&link), failure);
    }

    /// What waits for the first snapshot is of the numbering that its socket was in. Where that has
    /// no name, the next socket may be in another: what waits is written before it can be mixed up.
    fn settle_nameless(&mut self, cx: &mut Cx<'_>) {
        let numbered = cx.caps().position != Numbering::None;
        if numbered && !cx.caps().tells_numberings() && self.seen.position.is_none() {
            let cause = self.gap_cause(cx);
            self.release_held(cx, cause);
        }
    }

    /// Takes out the events that wait behind a hole and came on this socket.
    pub(super) fn take_held_of(&mut self, conn: ConnId) -> Vec<Parked> {
        let (ours, others) =
            std::mem::take(&mut self.held).into_iter().partition(|(_, event)| event.conn == conn);
        self.held = others;
        let ours: std::collections::BTreeMap<u64, Parked> = ours;
        ours.into_values().collect()
    }

    /// Decides what follows a failed attempt.
    pub(super) fn fail(&mut self, cx: &mut Cx<'_>, link: Option<&Link>, failure: Failure) {
        let delay_ms = match failure.class {
            Class::Stale { floor } => match link.filter(|link| link.asked.is_some()) {
                Some(link) => {
                    self.note_stale(cx, link, floor, failure.what.as_str());
                    0
                }
                None => self.backoff(cx, None),
            },
            Class::Reauthorize => {
                let version = link.and_then(|link| link.token);
                return self.handle_unauthorized(cx, version, failure);
            }
            Class::Fatal => return self.block(cx, Blocked::Fatal { failure }),
            Class::Closing => self.backoff(cx, None),
            Class::Retry { after_ms } => {
                cx.hold(Allowance::Handshakes, after_ms);
                self.backoff(cx, after_ms)
            }
        };
        self.wait(cx, delay_ms, failure.what);
    }

    pub(super) fn handle_unauthorized(
        &mut self,
        cx: &mut Cx<'_>,
        version: Option<TokenVersion>,
        failure: Failure,
    ) {
        match Token::handle_unauthorized(cx, version) {
            Verdict::Retry => self.begin_attempt(cx),
            Verdict::Blocked => self.block(cx, Blocked::Auth { failure }),
        }
    }

    /// The next delay; the first attempt after a stable Live is immediate. Whom the vendor told
    /// when to come again (`Retry-After`) comes no earlier, and not together with all the others
    /// whom it told the same.
    fn backoff(&mut self, cx: &mut Cx<'_>, after_ms: Option<u64>) -> u64 {
        let attempt = self.outage.attempts;
        self.outage.attempts += 1;
        let (first_ms, max_ms) = (cx.timing().backoff_ms, cx.timing().backoff_ms_max);
        if attempt == 0 && after_ms.is_none() {
            return 0;
        }
        let delay_ms = cx.shared.jitter.delay_ms(attempt.saturating_sub(1), first_ms, max_ms);
        after_ms.unwrap_or(0) + delay_ms
    }

    pub(super) fn wait(&mut self, cx: &mut Cx<'_>, delay_ms: u64, why: Label) {
        if delay_ms == 0 {
            return self.begin_attempt(cx);
        }
        self.drop_attempt();
        let until = cx.now.at + delay_ms;
        self.timers.set(Timer::Retry, until);
        self.set_phase(cx, Phase::Waiting { until, why });
    }

    pub(super) fn wait_with_backoff(&mut self, cx: &mut Cx<'_>, failure: &Failure) {
        let after_ms = match failure.class {
            Class::Retry { after_ms } => after_ms,
            _ => None,
        };
        let delay_ms = self.backoff(cx, after_ms).max(1);
        self.wait(cx, delay_ms, failure.what.clone());
    }

    pub(super) fn block(&mut self, cx: &mut Cx<'_>, why: Blocked) {
        if let Some(mut link) = self.link.take() {
            self.stash_events(cx, &mut link);
            self.close(cx, link.conn, CloseHow::Polite, "blocked");
        }
        if let Some(spare) = self.spare.take() {
            self.close(cx, spare.conn, CloseHow::Polite, "blocked");
        }
        self.drop_attempt();
        self.set_timer(cx, Timer::Retry, cx.timing().blocked_ms);
        self.set_phase(cx, Phase::Blocked { why });
    }

    /// The vendor refused a position (or behaved as if): down one rung.
    pub(super) fn note_stale(
        &mut self,
        cx: &mut Cx<'_>,
        link: &Link,
        floor: Option<u64>,
        what: &str,
    ) {
        cx.report(Report::Stale { stream: self.id.clone(), what: Label::from(what) });
        let durable = self.durable.map(|p| p.sequence);
        match link.rung {
            Rung::Resume => {
                self.alarm_if_vouched(cx, what);
                let floor_reached = floor.is_none_or(|floor| durable >= Some(floor));
                let asked_below = link.anchor.is_some() && link.asked < durable;
                if asked_below && floor_reached && !self.outage.no_anchor {
                    self.outage.no_anchor = true;
                    self.outage.refused = !cx.caps().tells_numberings();
                } else if self.held.is_empty() {
                    self.outage.refused = true;
                    self.outage.floor = floor.filter(|floor| durable < Some(*floor));
                } else {
                    // What an earlier socket brought lies beyond: the vendor may serve from there.
                    self.release_first(cx, GapCause::Refused);
                    self.jump = Jump::Unwritten;
                }
            }
            Rung::Floor => self.outage.floor = floor.filter(|floor| link.asked < Some(*floor)),
            Rung::Rebase => {
                self.outage.rebase_refusals = self.outage.rebase_refusals.saturating_add(1);
                if self.outage.rebase_refusals >= 2 && !cx.mutated(Mutant::RefusalsUncounted) {
                    self.rebase_incapable = REBASE_PROBE_OUTAGES;
                }
            }
            Rung::Overlap => self.note_stash_refused(link),
        }
    }

    /// The vendor is in another numbering than we are: only an install can bring us there.
    pub(super) fn leave_epoch(&mut self, cx: &mut Cx<'_>, what: &str) {
        self.outage.new_epoch = true;
        self.outage.head_known = true;
        let class = Class::Retry { after_ms: None };
        let failure = Failure { class, code: None, what: Label::from(what) };
        if let Some(mut link) = self.link.take() {
            self.stash_events(cx, &mut link);
            self.close(cx, link.conn, CloseHow::Polite, what);
            self.report_lost(cx, link.conn, failure);
        }
        self.begin_attempt(cx);
    }

    /// Ends the outage.
    pub(super) fn go_live(&mut self, cx: &mut Cx<'_>) {
        let Some(link) = &self.link else { return };
        let (conn, leaving) = (link.conn, link.leaving);
        self.run = None;
        self.prepared = None;
        self.touched.clear();
        self.absent_once.clear();
        self.timers.stop(Timer::Prove);
        self.timers.stop(Timer::Refetch);
        self.timers.stop(Timer::Page);
        self.timers.stop(Timer::Grace);
        let Outage { attempts, asked_again, hole_at, .. } = self.outage;
        if self.outage.rung != Some(Rung::Resume) {
            self.rebase_incapable = self.rebase_incapable.saturating_sub(1);
        }
        let refused = self.outage.refused && cx.mutated(Mutant::RefusalRemembered);
        self.outage = Outage { attempts, asked_again, hole_at, refused, ..Outage::default() };
        self.live_since.get_or_insert(cx.now.at);
        self.report_counts(cx);
        self.write_turn(cx, conn, Turn::Live, Closer::Us, "complete and current");
        self.set_phase(cx, Phase::Live { handover: false });
        self.drifted = false;
        if cx.mutated(Mutant::ResumeCompares) {
            self.clean = Some(self.here(cx));
        }
        self.schedule_audit(cx);
        self.schedule_history(cx);
        self.schedule_forgetting(cx);
        if leaving {
            self.begin_handover(cx);
        }
    }

    /// Leaves Live without leaving the socket.
    pub(super) fn doubt(&mut self, cx: &mut Cx<'_>, why: &str) {
        if let Some(conn) = self.link.as_ref().map(|link| link.conn).filter(|_| self.is_live()) {
            self.write_turn(cx, conn, Turn::Doubted, Closer::Us, why);
        }
        self.set_phase(cx, Phase::CatchingUp);
    }

    /// Why there is a hole if this attempt cannot resume.
    pub(super) fn gap_cause(&self, cx: &Cx<'_>) -> GapCause {
        // A numbering entered by a person's word need not be another than the one that is met.
        if self.outage.refused && self.is_vouched() {
            return GapCause::Refused;
        }
        let begins = self.seen.position.is_none() && self.seen.keys.is_empty();
        let otherwise = match cx.caps().replay {
            _ if begins && self.seen.covered_at.is_none() => GapCause::Start,
            Replay::None => GapCause::NoReplay,
            _ => GapCause::Unproven,
        };
        self.outage.cause(otherwise)
    }

    pub(super) fn is_first(&self, conn: ConnId) -> bool {
        self.link.as_ref().is_some_and(|link| link.conn == conn)
    }

    pub(super) fn is_spare(&self, conn: ConnId) -> bool {
        self.spare.as_ref().is_some_and(|link| link.conn == conn)
    }

    pub(super) fn link_mut(&mut self, conn: ConnId) -> Option<&mut Link> {
        [&mut self.link, &mut self.spare].into_iter().flatten().find(|link| link.conn == conn)
    }
}
