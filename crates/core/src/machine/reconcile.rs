//! Fetching snapshots, for whatever they are wanted.

use std::collections::BTreeSet;

use crate::connector::{Class, Failure, Numbering, Page, SnapshotKind};
use crate::ids::{Key, Label, RequestId, TokenVersion};
use crate::machine::budget::{Allowance, Urgency};
use crate::machine::context::Cx;
use crate::machine::link::Stage;
use crate::machine::mutant::Mutant;
use crate::machine::number::{is_opaque, is_unpositioned};
use crate::machine::stream::Stream;
use crate::machine::timer::Timer;
use crate::machine::witness::Verdict;
use crate::machine::{Blocked, CloseHow, Fetch, Output, Phase, Report, Rung};
use crate::record::GapCause;
use crate::snapshot::Collected;
use crate::time::Millis;

/// What is being fetched, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// The head, before a handshake.
    Head,
    /// A snapshot to subscribe from.
    Rebase,
    /// A snapshot beside an open subscription.
    Reconcile,
    /// The head, to compare a Live stream with.
    AuditHead,
    /// Rows, to compare a Live stream with.
    Audit,
}

/// One fetch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Run {
    pub(super) purpose: Purpose,
    pub(super) request: Option<RequestId>,
    pub(super) token: Option<TokenVersion>,
    pub(super) collected: Collected,
    /// Only these keys count; `None`: all.
    pub(super) keys: Option<BTreeSet<Key>>,
    pub(super) begun_at: Millis,
    /// The position that state showed when the reconciliation began.
    pub(super) lower: Option<u64>,
    /// Beside a stream that is complete, without positions: since when touched keys are recorded.
    pub(super) since: Option<Millis>,
    /// The position held when the snapshot was asked for.
    pub(super) held: Option<u64>,
    pub(super) tries: u32,
    /// A page that waits for the budget.
    queued: Option<Fetch>,
    /// All pages are here.
    pub(super) complete: bool,
    /// Events up to the tag were given time to arrive.
    pub(super) graced: bool,
    /// Fetched on suspicion, beside the wait for a late event: not to be installed before a clamp
    /// is certain.
    ahead: bool,
}

impl Purpose {
    fn urgency(self) -> Urgency {
        match self {
            Self::Head | Self::Rebase | Self::Reconcile => Urgency::Recovery,
            Self::AuditHead | Self::Audit => Urgency::Audit,
        }
    }
}

impl Run {
    pub(super) fn new(
        purpose: Purpose,
        token: Option<TokenVersion>,
        begun_at: Millis,
        lower: Option<u64>,
    ) -> Self {
        Self {
            purpose,
            request: None,
            token,
            collected: Collected::default(),
            keys: None,
            begun_at,
            lower,
            since: None,
            held: None,
            tries: 0,
            queued: None,
            complete: false,
            graced: false,
            ahead: false,
        }
    }

    /// Whether it was begun on suspicion.
    pub(super) fn is_ahead(&self) -> bool {
        self.ahead
    }
}

/// A snapshot that waits for its subscription.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Prepared {
    pub(super) collected: Collected,
}

impl Stream {
    pub(super) fn begin_run(
        &mut self,
        cx: &mut Cx<'_>,
        purpose: Purpose,
        token: Option<TokenVersion>,
    ) {
        if matches!(purpose, Purpose::Head | Purpose::Rebase) {
            self.set_phase(cx, Phase::Fetching);
        }
        let mut run = Run::new(purpose, token, cx.now.at, self.shown_sequence(cx));
        run.since = self.complete_since(cx).filter(|_| purpose == Purpose::Reconcile);
        self.run = Some(run);
        self.fetch(cx);
    }

    /// Begins the reconciliation of state on an open subscription; with a cause, a ledger row is
    /// opened first, so that it is in the log before any event that follows the hole.
    pub(super) fn begin_reconcile(&mut self, cx: &mut Cx<'_>, cause: Option<GapCause>) {
        if self.is_holed() {
            // State is fetched on the way back.
            self.resync_owed |= cause.is_none();
            return cause.into_iter().for_each(|cause| self.open_gap(cx, cause));
        }
        let spared = self.is_snapshot_spared(cx, cause);
        let ahead = self.take_ahead();
        let is_ahead = ahead.is_some();
        self.doubt(cx, "state has to be fetched");
        self.touched.clear();
        self.begin_comparison(cx);
        self.run = ahead;
        if let Some(cause) = cause {
            let conn = self.link.as_ref().map(|link| link.conn);
            let goes_on = self.held.values().any(|event| Some(event.conn) == conn);
            if goes_on {
                self.release_first(cx, cause);
            } else {
                self.release_held(cx, cause);
                self.open_gap(cx, cause);
            }
        }
        let base = self.link.as_ref().filter(|l| l.new_epoch.is_none()).and_then(|l| l.base);
        if let Some(base) = base.filter(|_| cause.is_some()) {
            self.seen.advance(self.position(base));
        }
        self.timers.stop(Timer::Prove);
        self.timers.stop(Timer::Grace);
        self.absent_once.clear();
        if cx.caps().snapshot == SnapshotKind::None || spared {
            self.run = None;
            return self.finish_without_snapshot(cx);
        }
        if is_ahead {
            return self.reevaluate(cx);
        }
        let token = self.link.as_ref().and_then(|link| link.token);
        self.begin_run(cx, Purpose::Reconcile, token);
    }

    /// A resume begins with an event beyond the next one: it came too soon, or the vendor clamps.
    /// The snapshot that a clamp will need is fetched while we wait for which it is.
    pub(super) fn fetch_ahead(&mut self, cx: &mut Cx<'_>) {
        let suspect = self.link.as_ref().filter(|link| link.is_suspect());
        let token = match suspect {
            Some(link) if self.run.is_none() && cx.caps().snapshot == SnapshotKind::Positioned => {
                link.token
            }
            _ => return,
        };
        self.touched.clear();
        self.absent_once.clear();
        self.begin_run(cx, Purpose::Reconcile, token);
        if let Some(run) = &mut self.run {
            run.ahead = true;
        }
    }

    /// Takes out the snapshot that was fetched on suspicion, if there is one.
    pub(super) fn take_ahead(&mut self) -> Option<Run> {
        self.run.take_if(|run| run.ahead).map(|run| Run { ahead: false, ..run })
    }

    /// Asks for the first page (or the head). Where only the age of the answer can show that it
    /// overlaps the subscription, it is asked for when it is old enough to be young enough.
    pub(super) fn fetch(&mut self, cx: &mut Cx<'_>) {
        let not_before = self.fetch_not_before(cx);
        let token = self.token(cx);
        let Some(run) = &mut self.run else { return };
        run.collected = Collected::default();
        run.complete = false;
        run.request = None;
        run.queued = None;
        let at = cx.now.at;
        let ready_at = cx.ready_at(Allowance::Requests, run.purpose.urgency());
        let token = match token {
            Ok(token) if not_before.max(ready_at) <= at => token,
            Ok(_) => {
                if ready_at > at {
                    self.report_over_budget(cx, Allowance::Requests, ready_at);
                }
                return self.timers.set(Timer::Refetch, not_before.max(ready_at));
            }
            Err(()) => return self.timers.set(Timer::Refetch, at + cx.config.timing.refetch_ms),
        };
        run.begun_at = at;
        run.held = self.seen.position.map(|p| p.sequence);
        run.token = token;
        let what = match run.purpose {
            Purpose::Head | Purpose::AuditHead => Fetch::Head,
            Purpose::Rebase | Purpose::Reconcile | Purpose::Audit => Fetch::First,
        };
        self.request(cx, what);
    }

    fn fetch_not_before(&self, cx: &Cx<'_>) -> Millis {
        let reconcile = self.run.as_ref().is_some_and(|run| run.purpose == Purpose::Reconcile);
        let link = self.link.as_ref().filter(|_| reconcile);
        let acked_at =
            link.filter(|_| is_unpositioned(cx)).and_then(|link| link.acked).map(|acked| acked.at);
        // Of a snapshot to subscribe from, only its age says that it is no older than what is held.
        let rebase = self.run.as_ref().is_some_and(|run| run.purpose == Purpose::Rebase);
        let heard_at = Some(self.heard_at).filter(|_| rebase && is_opaque(cx));
        let since = acked_at.max(heard_at).max(link.and_then(|link| link.poisoned_at));
        // An older row would take back what an event has told before touched keys were recorded.
        let since = since.max(self.run.as_ref().and_then(|run| run.since));
        since.map_or(cx.now.at, |since| since + cx.caps().snapshot_staleness_ms_max)
    }

    /// Asks for a page. A snapshot of more pages than the budget has room for is paced, and none of
    /// what it has so far is asked for again.
    fn request(&mut self, cx: &mut Cx<'_>, what: Fetch) {
        let Some(run) = &mut self.run else { return };
        let ready_at = cx.ready_at(Allowance::Requests, run.purpose.urgency());
        if ready_at > cx.now.at {
            run.queued = Some(what);
            self.report_over_budget(cx, Allowance::Requests, ready_at);
            return self.timers.set(Timer::Refetch, ready_at);
        }
        cx.spend(Allowance::Requests);
        let request = cx.next_request();
        run.request = Some(request);
        let token = run.token;
        let keys = run.keys.as_ref().map(|keys| keys.iter().cloned().collect());
        self.set_timer(cx, Timer::Page, cx.timing().page_ms);
        cx.emit(Output::FetchPage { request, stream: self.id.clone(), what, keys, token });
    }

    pub(super) fn handle_page(&mut self, cx: &mut Cx<'_>, request: RequestId, mut page: Page) {
        self.number_page(cx, &mut page);
        let Some(run) = self.run.as_mut().filter(|run| run.request == Some(request)) else {
            return;
        };
        run.request = None;
        cx.shared.token.handle_accepted(run.token);
        self.timers.stop(Timer::Page);
        match run.purpose {
            Purpose::Head => return self.handle_head(cx, page),
            Purpose::AuditHead => return self.handle_audit_head(cx, page),
            Purpose::Rebase | Purpose::Reconcile | Purpose::Audit => {}
        }
        let next = page.next.clone();
        let positioned = cx.caps().snapshot == SnapshotKind::Positioned
            && cx.caps().position != Numbering::None
            && (run.purpose == Purpose::Rebase || !is_opaque(cx));
        let rows_max = cx.config.timing.snapshot_rows_max;
        let accepted = cx.mutated(Mutant::TornPagesAccepted);
        if let Err(torn) = run.collected.add(page, positioned, rows_max)
            && !accepted
        {
            return self.refetch(cx, &torn.to_string(), None);
        }
        if let Some(next) = next {
            return self.request(cx, Fetch::Next(next));
        }
        if let Err(torn) = run.collected.finish()
            && !accepted
        {
            return self.refetch(cx, &torn.to_string(), None);
        }
        if let Some(keys) = &run.keys {
            run.collected.rows.retain(|key, _| keys.contains(key));
        }
        if cx.mutated(Mutant::TagMaximum) {
            run.collected.tag = run.collected.head;
        }
        run.complete = true;
        self.evaluate(cx);
    }

    pub(super) fn handle_page_failed(
        &mut self,
        cx: &mut Cx<'_>,
        request: Option<RequestId>,
        failure: Failure,
    ) {
        let Some(run) = self.run.as_mut().filter(|run| request.is_none() || run.request == request)
        else {
            return;
        };
        run.request = None;
        self.timers.stop(Timer::Page);
        match failure.class {
            Class::Reauthorize => {
                let token = run.token;
                if let Some(mut link) = self.link.take() {
                    self.stash_events(cx, &mut link);
                    self.close(cx, link.conn, CloseHow::Polite, "the token was refused by REST");
                }
                self.handle_unauthorized(cx, token, failure);
            }
            Class::Fatal => self.block(cx, Blocked::Fatal { failure }),
            Class::Retry { after_ms } => {
                cx.hold(Allowance::Requests, after_ms);
                let (first_ms, max_ms) = (cx.timing().refetch_ms, cx.timing().backoff_ms_max);
                let spread_ms = cx.shared.jitter.delay_ms(run.tries, first_ms, max_ms);
                let after_ms = after_ms.unwrap_or(0) + spread_ms;
                self.refetch(cx, failure.what.as_str(), Some(after_ms));
            }
            Class::Stale { .. } | Class::Closing => self.refetch(cx, failure.what.as_str(), None),
        }
    }

    /// How often a snapshot may be begun again: for as long as an old one may be shown, too.
    pub(super) fn tries_max(&self, cx: &Cx<'_>) -> u64 {
        let patience = cx.caps().snapshot_staleness_ms_max / cx.timing().refetch_ms.max(1);
        u64::from(cx.timing().snapshot_tries_max) + patience
    }

    /// Begins the snapshot again after a delay, keeping socket, ledger row and what came meanwhile.
    pub(super) fn refetch(&mut self, cx: &mut Cx<'_>, why: &str, after_ms: Option<u64>) {
        let refetch_ms = cx.timing().refetch_ms.max(1);
        let tries_max = self.tries_max(cx);
        let Some(run) = &mut self.run else { return };
        run.tries += 1;
        run.complete = false;
        run.request = None;
        run.queued = None;
        let (tries, purpose) = (u64::from(run.tries), run.purpose);
        cx.report(Report::SnapshotRefused { stream: self.id.clone(), why: Label::from(why) });
        let is_kept = purpose != Purpose::Reconcile || !cx.mutated(Mutant::SocketDroppedForRefetch);
        if tries <= tries_max && is_kept {
            return self.set_timer(cx, Timer::Refetch, after_ms.unwrap_or(0).max(refetch_ms));
        }
        let class = Class::Retry { after_ms };
        let failure = Failure { class, code: None, what: Label::from(why) };
        match purpose {
            Purpose::Audit | Purpose::AuditHead => self.end_audit(cx),
            Purpose::Head | Purpose::Rebase => self.wait_with_backoff(cx, &failure),
            Purpose::Reconcile => self.give_up(cx, CloseHow::Polite, failure),
        }
    }

    pub(super) fn handle_refetch_timer(&mut self, cx: &mut Cx<'_>) {
        if let Some(what) = self.run.as_mut().and_then(|run| run.queued.take()) {
            return self.request(cx, what);
        }
        match &self.run {
            Some(run) if run.complete => self.evaluate(cx),
            Some(run) if run.request.is_none() => self.fetch(cx),
            _ => {}
        }
    }

    fn handle_head(&mut self, cx: &mut Cx<'_>, page: Page) {
        self.adopt_name(cx, page.epoch.as_ref());
        let other = page.epoch.is_some() && page.epoch != self.seen.epoch_name;
        if cx.caps().epoch_named && other {
            self.outage.new_epoch = true;
            self.outage.head_known = true;
            return self.begin_attempt(cx);
        }
        if page.tag.is_none() && page.bookmark.is_some() {
            self.outage.head_known = true;
            return self.begin_attempt(cx);
        }
        let Some(head) = page.tag else {
            return self.refetch(cx, "the head has no position", None);
        };
        let behind = self.durable.is_some_and(|durable| head < durable.sequence);
        if behind {
            // An answer is as old as its question, and as much older as is declared: the way back
            // says nothing.
            let since = *self.outage.stale_since.get_or_insert(cx.now.at);
            let asked_at = self.run.as_ref().map_or(cx.now.at, |run| run.begun_at);
            if asked_at.since(since) <= cx.caps().snapshot_staleness_ms_max {
                return self.refetch(cx, "the head is below what is held", None);
            }
            self.alarm(cx, "the vendor's head stays below what is held");
            self.outage.overlap = Some(GapCause::Unproven);
        } else {
            self.outage.head = Some(head);
        }
        self.outage.head_known = true;
        self.begin_attempt(cx);
    }

    /// Looks at a complete snapshot again: something has happened that may decide.
    pub(super) fn reevaluate(&mut self, cx: &mut Cx<'_>) {
        if self.run.as_ref().is_some_and(|run| run.complete) {
            self.evaluate(cx);
        }
    }

    pub(super) fn evaluate(&mut self, cx: &mut Cx<'_>) {
        if self.is_holed() {
            return;
        }
        let purpose = self.run.as_ref().map(|run| run.purpose);
        match purpose {
            Some(Purpose::Rebase) => self.evaluate_rebase(cx),
            Some(Purpose::Reconcile) => self.evaluate_reconcile(cx),
            Some(Purpose::Audit) => self.handle_audit_rows(cx),
            Some(Purpose::Head | Purpose::AuditHead) | None => {}
        }
    }

    fn evaluate_rebase(&mut self, cx: &mut Cx<'_>) {
        let Some(run) = &self.run else { return };
        let named = cx.caps().epoch_named;
        let other = named && run.collected.epoch != self.seen.epoch_name;
        let tag = run.collected.tag;
        let lower = if other {
            self.stashed_sequence(&run.collected.epoch)
        } else {
            self.shown_sequence(cx)
        };
        if tag < lower && !cx.mutated(Mutant::StaleSnapshotAccepted) {
            return self.refetch(cx, "the snapshot is older than what is held", None);
        }
        if !self.deletes_agree(cx) {
            return;
        }
        self.outage.new_epoch |= other && self.seen.position.is_some();
        let Some(run) = self.run.take() else { return };
        self.prepared = Some(Prepared { collected: run.collected });
        self.open(cx, Rung::Rebase, tag, None, run.token);
    }

    fn evaluate_reconcile(&mut self, cx: &mut Cx<'_>) {
        let name = self.run.as_ref().and_then(|run| run.collected.epoch.clone());
        self.adopt_name(cx, name.as_ref());
        let subscribed = self.link.as_ref().is_some_and(|link| link.stage == Stage::Subscribed);
        if !subscribed || self.run.as_ref().is_some_and(|run| run.ahead) {
            return;
        }
        if !self.place_snapshot(cx) {
            return;
        }
        match self.judge(cx) {
            Verdict::Again(why) => {
                self.doubt_numbering(cx);
                self.refetch(cx, why, None);
            }
            Verdict::Later => {}
            Verdict::Install(witness) => {
                if self.deletes_agree(cx)
                    && let Some(run) = self.run.take()
                {
                    self.install(cx, run.collected, witness, run.keys);
                }
            }
        }
    }

    /// A subscription brings no events although there are some.
    pub(super) fn handle_mute(&mut self, cx: &mut Cx<'_>, what: &str) {
        let fruitless = self.link.as_ref().is_some_and(|link| !link.fruitful);
        if fruitless && !self.is_live() {
            self.outage.mute = self.outage.mute.saturating_add(1);
            if self.outage.mute >= 2 && !cx.mutated(Mutant::MuteUncounted) {
                self.outage.overlap = Some(GapCause::Mute);
                cx.report(Report::Stale { stream: self.id.clone(), what: Label::from(what) });
            }
        }
        let class = Class::Retry { after_ms: None };
        self.give_up(cx, CloseHow::Polite, Failure { class, code: None, what: Label::from(what) });
    }
}
