//! The vendor's history: facts about an interval whose events cannot be had.
//!
//! Asked while Live and behind everything else: what is missing is missing already, and recovery
//! needs the budget. An answer is believed when two walks over all of its pages agree with each
//! other and each with the total that the vendor names: an index that is still being filled, a page
//! that is late and a total that lies all show as a difference.

use std::collections::{BTreeMap, BTreeSet};

use crate::connector::{Class, Fact, Failure, HistoryPage};
use crate::ids::{GapId, Key, Label, RequestId, TokenVersion};
use crate::machine::budget::{Allowance, Urgency};
use crate::machine::context::Cx;
use crate::machine::mutant::Mutant;
use crate::machine::output::Past;
use crate::machine::stream::Stream;
use crate::machine::timer::Timer;
use crate::machine::token::{Token, Verdict};
use crate::machine::{Output, Report};
use crate::record::{
    Body, Change, Effect, GapCause, GapClosed, GapOutcome, HistoryOwed, Origin, digest,
};
use crate::time::UnixMicros;

/// Most facts of one interval, and most that are remembered so as to be known again: an hour
/// without a stream at a thousand facts a minute, several times over. An interval with more is
/// given up.
const FACTS_MAX: usize = 500_000;

/// So often a vendor may say that it is still at work: at some seconds each, an hour and more.
const WAITS_MAX: u32 = 1_000;

/// What is being asked about one row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Inquiry {
    gap: GapId,
    request: Option<RequestId>,
    token: Option<TokenVersion>,
    /// The page to ask for next.
    page: Option<Label>,
    walk: Walk,
    /// The facts of the walk before, if it was whole.
    before: Option<BTreeSet<u128>>,
    walks: u32,
    /// How often the vendor said that it is still at work, in this walk.
    waits: u32,
    /// A failure was told of: the next ones are the same to a person.
    troubled: bool,
}

/// One walk over all pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Walk {
    facts: BTreeMap<u128, Fact>,
    /// What is over by these facts.
    over: BTreeSet<Key>,
    hits: u64,
    total: Option<u64>,
    /// A page named a smaller total than one before it.
    torn: bool,
    /// It cannot end well: more than there is, or a page of nothing that names another.
    astray: bool,
}

impl Walk {
    fn add(&mut self, page: HistoryPage, row: &GapClosed) {
        self.hits += page.hits;
        let bound = page.total.unwrap_or(FACTS_MAX as u64);
        self.astray |= page.next.is_some() && (page.hits == 0 || self.hits > bound);
        // A vendor may count what has begun since the interval, and goes on counting while its
        // pages are read: that comes at the end, and the last total counts what was read.
        self.torn |= page.total < self.total;
        self.total = page.total;
        let reaches = |fact: &Fact| {
            fact.began_at <= row.wall_to && fact.ended_at.is_none_or(|ended| ended >= row.wall_from)
        };
        for fact in page.facts.into_iter().filter(reaches) {
            if fact.over {
                self.over.insert(fact.key.clone());
            }
            self.facts.insert(identity(&fact.id), fact);
        }
    }

    fn is_whole(&self) -> bool {
        !self.torn && !self.astray && self.total.is_none_or(|total| total == self.hits)
    }
}

fn identity(id: &Label) -> u128 {
    digest(id.as_str().as_bytes())
}

impl Stream {
    /// A row has ended. Where events of its interval may be missing, history is asked about it.
    pub(super) fn owe_history(&mut self, cx: &mut Cx<'_>, row: GapClosed) {
        let Some(history) = cx.caps().history.as_ref() else { return };
        let reach_us = micros(history.reach_ms);
        let lost = !matches!(row.outcome, GapOutcome::Repaired | GapOutcome::Summarised);
        // Before the first coverage there is no end to what happened.
        let asked = lost && row.cause != GapCause::Start;
        if !asked || self.seen.history_owed.contains_key(&row.gap) {
            return;
        }
        let since = UnixMicros(row.wall_from.0.saturating_sub(reach_us));
        self.write(cx, Body::HistoryOwed(HistoryOwed { row, since }));
        if self.is_live() {
            self.schedule_history(cx);
        }
    }

    /// Sets the time at which the oldest interval will be complete in the vendor's index.
    pub(super) fn schedule_history(&mut self, cx: &mut Cx<'_>) {
        let Some(history) = cx.caps().history.as_ref() else { return };
        let Some(owed) = self.seen.history_owed.values().next() else { return };
        if self.history.is_some() {
            return;
        }
        let complete_at = owed.row.wall_to.0.saturating_add(micros(history.lag_ms));
        let wait_us = u64::try_from(complete_at.saturating_sub(cx.now.wall.0)).unwrap_or(0);
        // A clock that was set forward makes nothing complete, one set back must not take for ever.
        let wait_ms = wait_us.div_ceil(1_000).min(history.lag_ms);
        self.set_timer(cx, Timer::History, wait_ms);
    }

    pub(super) fn awaits_history(&self, request: RequestId) -> bool {
        self.history.as_ref().is_some_and(|inquiry| inquiry.request == Some(request))
    }

    pub(super) fn handle_history_timer(&mut self, cx: &mut Cx<'_>) {
        let Some(again_ms) = cx.caps().history.as_ref().map(|terms| terms.again_ms) else { return };
        if !self.is_live() {
            // The inquiry outlives a doubt, and must not be forgotten when that is over.
            return self.set_timer(cx, Timer::History, again_ms);
        }
        if self.history.as_ref().is_some_and(|inquiry| inquiry.request.is_some()) {
            return self.retry_history(cx, None, "the vendor took too long");
        }
        if self.history.is_none() {
            let Some(gap) = self.seen.history_owed.keys().next().copied() else { return };
            self.history = Some(Inquiry {
                gap,
                request: None,
                token: None,
                page: None,
                walk: Walk::default(),
                before: None,
                walks: 0,
                waits: 0,
                troubled: false,
            });
        }
        self.ask_history(cx);
    }

    fn ask_history(&mut self, cx: &mut Cx<'_>) {
        let ready_at = cx.ready_at(Allowance::Requests, Urgency::Audit);
        if ready_at > cx.now.at {
            self.report_over_budget(cx, Allowance::Requests, ready_at);
            return self.timers.set(Timer::History, ready_at);
        }
        let Ok(token) = self.token(cx) else {
            return self.set_timer(cx, Timer::History, cx.timing().refetch_ms);
        };
        let Some(inquiry) = &mut self.history else { return };
        let Some(HistoryOwed { row, since }) = self.seen.history_owed.get(&inquiry.gap) else {
            return;
        };
        cx.spend(Allowance::Requests);
        let request = cx.next_request();
        inquiry.request = Some(request);
        inquiry.token = token;
        let what = Past {
            from: row.wall_from,
            to: row.wall_to,
            since: *since,
            page: inquiry.page.clone(),
        };
        self.set_timer(cx, Timer::History, cx.timing().page_ms);
        cx.emit(Output::FetchHistory { request, stream: self.id.clone(), what, token });
    }

    pub(super) fn handle_history_page(&mut self, cx: &mut Cx<'_>, page: HistoryPage) {
        let Some(inquiry) = &mut self.history else { return };
        let Some(owed) = self.seen.history_owed.get(&inquiry.gap) else { return };
        cx.shared.token.handle_accepted(inquiry.token);
        inquiry.request = None;
        inquiry.page.clone_from(&page.next);
        if let Some(later_ms) = page.later_ms {
            inquiry.waits += 1;
            return match inquiry.waits > WAITS_MAX {
                true => {
                    self.forgo_history(cx, "the vendor does not come to an end with its answer")
                }
                false => self.set_timer(cx, Timer::History, later_ms),
            };
        }
        inquiry.waits = 0;
        inquiry.walk.add(page, &owed.row);
        if inquiry.walk.facts.len() + self.seen.facts.len() > FACTS_MAX {
            return self.forgo_history(cx, "more facts than can be remembered");
        }
        if inquiry.walk.astray {
            inquiry.page = None;
        }
        if inquiry.page.is_some() {
            return self.ask_history(cx);
        }
        self.timers.stop(Timer::History);
        self.weigh_history(cx);
    }

    /// A walk is over.
    fn weigh_history(&mut self, cx: &mut Cx<'_>) {
        let Some(terms) = cx.caps().history.clone() else { return };
        let Some(inquiry) = &mut self.history else { return };
        inquiry.walks += 1;
        let walk = std::mem::take(&mut inquiry.walk);
        let facts: BTreeSet<u128> = walk.facts.keys().copied().collect();
        let whole = walk.is_whole() || cx.mutated(Mutant::HistoryTotalIgnored);
        let agreed = inquiry.before.as_ref() == Some(&facts);
        if whole && (agreed || cx.mutated(Mutant::HistoryAtFirstSight)) {
            return self.summarise(cx, walk);
        }
        inquiry.before = whole.then_some(facts);
        match inquiry.walks >= terms.walks_max {
            true => self.forgo_history(cx, "the vendor's answers do not agree"),
            false => self.set_timer(cx, Timer::History, terms.again_ms),
        }
    }

    /// Writes facts that the log does not have yet, then ends the row with them.
    fn summarise(&mut self, cx: &mut Cx<'_>, walk: Walk) {
        let Some(inquiry) = self.history.take() else { return };
        let unit_items = usize::try_from(cx.timing().snapshot_unit_items).unwrap_or(usize::MAX);
        let fresh = walk.facts.into_iter().filter(|(id, _)| !self.seen.facts.contains_key(id));
        let mut fresh: Vec<Fact> = fresh.map(|(_, fact)| fact).collect();
        fresh.sort_by(|a, b| (a.began_at, &a.id).cmp(&(b.began_at, &b.id)));
        for (at, fact) in fresh.into_iter().enumerate() {
            if at > 0 && at.is_multiple_of(unit_items.max(1)) {
                self.flush(cx);
            }
            let mut change = change_of(fact);
            if cx.mutated(Mutant::HistoryTouchesState) {
                change.effect = Effect::State;
            }
            self.write(cx, Body::Change(change));
        }
        if let Some(owed) = self.seen.history_owed.get(&inquiry.gap).cloned() {
            self.end_keys(cx, walk.over, owed.row.wall_to);
            let row = GapClosed { outcome: GapOutcome::Summarised, ..owed.row };
            let (gap, outcome) = (row.gap, row.outcome);
            self.write(cx, Body::GapClosed(row));
            cx.report(Report::GapClosed { stream: self.id.clone(), gap, outcome });
        }
        self.schedule_history(cx);
    }

    pub(super) fn handle_history_failed(&mut self, cx: &mut Cx<'_>, failure: Failure) {
        let token = self.history.as_ref().and_then(|inquiry| inquiry.token);
        match failure.class {
            Class::Fatal => self.forgo_history(cx, failure.what.as_str()),
            // The stream goes on with what it has; a right that is missing is missing only here.
            Class::Reauthorize => match Token::handle_unauthorized(cx, token) {
                Verdict::Retry => self.retry_history(cx, None, failure.what.as_str()),
                Verdict::Blocked => self.forgo_history(cx, failure.what.as_str()),
            },
            Class::Retry { after_ms } => {
                cx.hold(Allowance::Requests, after_ms);
                self.retry_history(cx, after_ms, failure.what.as_str());
            }
            Class::Stale { .. } | Class::Closing => {
                self.retry_history(cx, None, failure.what.as_str());
            }
        }
    }

    /// The walk is begun again later; one that failed says nothing.
    fn retry_history(&mut self, cx: &mut Cx<'_>, after_ms: Option<u64>, why: &str) {
        let Some(terms) = cx.caps().history.clone() else { return };
        let Some(inquiry) = &mut self.history else { return };
        inquiry.request = None;
        inquiry.page = None;
        inquiry.waits = 0;
        inquiry.walk = Walk::default();
        let (gap, is_news) = (inquiry.gap.0, !std::mem::replace(&mut inquiry.troubled, true));
        if is_news {
            self.alarm(cx, format!("history does not answer about gap {gap} yet: {why}"));
        }
        self.set_timer(cx, Timer::History, after_ms.unwrap_or(0).max(terms.again_ms));
    }

    fn forgo_history(&mut self, cx: &mut Cx<'_>, why: &str) {
        let Some(inquiry) = self.history.take() else { return };
        self.timers.stop(Timer::History);
        self.write(cx, Body::HistoryForgone { gap: inquiry.gap, why: Label::from(why) });
        let gap = inquiry.gap.0;
        self.alarm(cx, format!("history cannot tell what happened in gap {gap}: {why}"));
        self.schedule_history(cx);
    }
}

fn micros(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000)
}

/// A fact fills the record and is never state: the stream and its snapshots are newer.
fn change_of(fact: Fact) -> Change {
    Change {
        key: fact.key,
        position: None,
        bookmark: None,
        ordinal: 0,
        event_id: Some(fact.id),
        kind: fact.kind,
        deleted: false,
        origin: Origin::Backfill,
        effect: Effect::History,
        occurred_at: Some(fact.began_at),
        digest: digest(&fact.payload),
        payload: fact.payload,
    }
}
