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

/// Most rows that one walk is to tell of.
const GAPS_MAX: usize = 256;

/// So often a vendor may say that it is still at work: at some seconds each, an hour and more.
const WAITS_MAX: u32 = 1_000;

/// So often a page that fails is asked for again, before the walk is begun anew: a vendor in
/// trouble would never let a walk of many pages come to its end, and an old place in the pages may
/// be what fails.
const PAGE_TRIES: u32 = 5;

/// What is being asked: about one row, and about the next ones if one walk tells of them as well.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Inquiry {
    /// In order; never none.
    gaps: Vec<GapId>,
    request: Option<RequestId>,
    token: Option<TokenVersion>,
    /// The page to ask for next.
    page: Option<Label>,
    walk: Walk,
    /// The facts of the walk before, if it was whole, and whether their keys were over.
    before: Option<BTreeMap<u128, bool>>,
    walks: u32,
    /// How often the vendor said that it is still at work, in this walk.
    waits: u32,
    /// How often the page has failed.
    failures: u32,
    /// A failure was told of: the next ones are the same to a person.
    troubled: bool,
}

impl Inquiry {
    fn of(gaps: Vec<GapId>) -> Self {
        Self {
            gaps,
            request: None,
            token: None,
            page: None,
            walk: Walk::default(),
            before: None,
            walks: 0,
            waits: 0,
            failures: 0,
            troubled: false,
        }
    }
}

/// One walk over all pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Walk {
    facts: BTreeMap<u128, Fact>,
    hits: u64,
    total: Option<u64>,
    /// A page named a smaller total than one before it.
    torn: bool,
    /// It cannot end well: more than there is, or a page of nothing that names another.
    astray: bool,
}

impl Walk {
    fn add(&mut self, page: HistoryPage, rows: &[GapClosed]) {
        self.hits += page.hits;
        let bound = page.total.unwrap_or(FACTS_MAX as u64);
        self.astray |= page.next.is_some() && (page.hits == 0 || self.hits > bound);
        // A vendor may count what has begun since the interval, and goes on counting while its
        // pages are read: that comes at the end, and the last total counts what was read.
        self.torn |= page.total < self.total;
        self.total = page.total;
        let is_meant = |fact: &Fact| rows.iter().any(|row| reaches(fact, row));
        for fact in page.facts.into_iter().filter(is_meant) {
            self.facts.insert(identity(&fact.id), fact);
        }
    }

    fn is_whole(&self) -> bool {
        !self.torn && !self.astray && self.total.is_none_or(|total| total == self.hits)
    }
}

fn reaches(fact: &Fact, row: &GapClosed) -> bool {
    fact.began_at <= row.wall_to && fact.ended_at.is_none_or(|ended| ended >= row.wall_from)
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
            let gaps = self.gaps_to_ask_about(cx);
            if gaps.is_empty() {
                return;
            }
            self.history = Some(Inquiry::of(gaps));
        }
        self.ask_history(cx);
    }

    /// The oldest row, and those behind it that the vendor's index has, too. As far as facts reach,
    /// an answer about one has to be read for the other as well: after a bad hour one walk over it
    /// is as good as a hundred.
    fn gaps_to_ask_about(&self, cx: &Cx<'_>) -> Vec<GapId> {
        let Some(history) = cx.caps().history.as_ref() else { return Vec::new() };
        let mut owed = self.seen.history_owed.values();
        let Some(first) = owed.next() else { return Vec::new() };
        let (lag_us, reach_us) = (micros(history.lag_ms), micros(history.reach_ms));
        let near = first.row.wall_to.0.saturating_add(reach_us);
        let is_next = |owed: &&HistoryOwed| {
            let complete_at = owed.row.wall_to.0.saturating_add(lag_us);
            complete_at <= cx.now.wall.0 && owed.row.wall_from.0 <= near
        };
        let next = owed.take_while(is_next).take(GAPS_MAX - 1);
        std::iter::once(first).chain(next).map(|owed| owed.row.gap).collect()
    }

    /// The rows that are being asked about.
    fn rows_asked(&self) -> Vec<GapClosed> {
        let gaps = self.history.iter().flat_map(|inquiry| &inquiry.gaps);
        let owed = gaps.filter_map(|gap| self.seen.history_owed.get(gap));
        owed.map(|owed| owed.row.clone()).collect()
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
        let rows = self.rows_asked();
        let Some(inquiry) = &mut self.history else { return };
        let owed = inquiry.gaps.iter().filter_map(|gap| self.seen.history_owed.get(gap));
        let Some(since) = owed.map(|owed| owed.since).min() else { return };
        let (from, to) = (rows.iter().map(|row| row.wall_from), rows.iter().map(|row| row.wall_to));
        let (Some(from), Some(to)) = (from.min(), to.max()) else { return };
        cx.spend(Allowance::Requests);
        let request = cx.next_request();
        inquiry.request = Some(request);
        inquiry.token = token;
        let what = Past { from, to, since, page: inquiry.page.clone() };
        self.set_timer(cx, Timer::History, cx.timing().page_ms);
        cx.emit(Output::FetchHistory { request, stream: self.id.clone(), what, token });
    }

    pub(super) fn handle_history_page(&mut self, cx: &mut Cx<'_>, page: HistoryPage) {
        let rows = self.rows_asked();
        let Some(inquiry) = &mut self.history else { return };
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
        (inquiry.waits, inquiry.failures) = (0, 0);
        inquiry.walk.add(page, &rows);
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
        let before = inquiry.before.take();
        let whole = walk.is_whole() || cx.mutated(Mutant::HistoryTotalIgnored);
        let agreed = before.is_some_and(|before| self.agrees(cx, &before, &walk));
        if whole && (agreed || cx.mutated(Mutant::HistoryAtFirstSight)) {
            return self.summarise(cx, walk);
        }
        let Some(inquiry) = &mut self.history else { return };
        let facts = || walk.facts.iter().map(|(id, fact)| (*id, fact.over)).collect();
        inquiry.before = whole.then(facts);
        match inquiry.walks >= terms.walks_max {
            true => self.forgo_history(cx, "the vendor's answers do not agree"),
            false => self.set_timer(cx, Timer::History, terms.again_ms),
        }
    }

    /// Two walks found the same facts, and say the same of whether those keys are over that would
    /// leave state by it. Of others that may change between them: the stream tells of it.
    fn agrees(&self, cx: &Cx<'_>, before: &BTreeMap<u128, bool>, walk: &Walk) -> bool {
        let until = self.rows_asked().iter().map(|row| row.wall_to).max();
        let is_unheard = |key: &Key| {
            let held = self.seen.keys.get(key).filter(|held| held.present);
            held.is_some_and(|held| Some(held.received_at) <= until)
        };
        let lenient = cx.mutated(Mutant::EndAtFirstSight);
        let is_same = |(id, fact): (&u128, &Fact)| {
            let over = before.get(id);
            over.is_some_and(|over| *over == fact.over || lenient || !is_unheard(&fact.key))
        };
        before.len() == walk.facts.len() && walk.facts.iter().all(is_same)
    }

    /// Writes facts that the log does not have yet, then ends the rows with them.
    fn summarise(&mut self, cx: &mut Cx<'_>, walk: Walk) {
        let rows = self.rows_asked();
        self.history = None;
        let over_in = |row: &GapClosed| -> BTreeSet<Key> {
            let over = walk.facts.values().filter(|fact| fact.over && reaches(fact, row));
            over.map(|fact| fact.key.clone()).collect()
        };
        let over: Vec<BTreeSet<Key>> = rows.iter().map(over_in).collect();
        self.write_facts(cx, walk);
        for (row, over) in rows.into_iter().zip(over) {
            self.end_keys(cx, over, row.wall_to);
            let row = GapClosed { outcome: GapOutcome::Summarised, ..row };
            let (gap, outcome) = (row.gap, row.outcome);
            self.write(cx, Body::GapClosed(row));
            cx.report(Report::GapClosed { stream: self.id.clone(), gap, outcome });
        }
        self.schedule_history(cx);
    }

    fn write_facts(&mut self, cx: &mut Cx<'_>, walk: Walk) {
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
                if let Some(inquiry) = &mut self.history {
                    inquiry.failures = PAGE_TRIES;
                }
                self.retry_history(cx, None, failure.what.as_str());
            }
        }
    }

    /// The page is asked for again, or the walk is begun again later; one that failed says nothing.
    fn retry_history(&mut self, cx: &mut Cx<'_>, after_ms: Option<u64>, why: &str) {
        let Some(terms) = cx.caps().history.clone() else { return };
        let refetch_ms = cx.timing().refetch_ms;
        let Some(inquiry) = &mut self.history else { return };
        inquiry.request = None;
        let wait_ms = if inquiry.failures < PAGE_TRIES {
            inquiry.failures += 1;
            refetch_ms.saturating_mul(1 << inquiry.failures)
        } else {
            inquiry.page = None;
            inquiry.walk = Walk::default();
            (inquiry.waits, inquiry.failures) = (0, 0);
            terms.again_ms
        };
        let (gaps, is_news) =
            (told(&inquiry.gaps), !std::mem::replace(&mut inquiry.troubled, true));
        if is_news {
            self.alarm(cx, format!("history does not answer about {gaps} yet: {why}"));
        }
        self.set_timer(cx, Timer::History, after_ms.unwrap_or(0).max(wait_ms));
    }

    /// What cannot be told of several rows together may be told of the first one.
    fn forgo_history(&mut self, cx: &mut Cx<'_>, why: &str) {
        let Some(terms) = cx.caps().history.clone() else { return };
        let Some(inquiry) = self.history.take() else { return };
        self.timers.stop(Timer::History);
        let Some(gap) = inquiry.gaps.first().copied() else { return };
        if inquiry.gaps.len() > 1 {
            self.history = Some(Inquiry { troubled: inquiry.troubled, ..Inquiry::of(vec![gap]) });
            return self.set_timer(cx, Timer::History, terms.again_ms);
        }
        self.write(cx, Body::HistoryForgone { gap, why: Label::from(why) });
        self.alarm(cx, format!("history cannot tell what happened in {}: {why}", told(&[gap])));
        self.schedule_history(cx);
    }
}

/// The rows, for a person.
fn told(gaps: &[GapId]) -> String {
    match gaps {
        [one] => format!("gap {}", one.0),
        [first, .., last] => format!("gaps {} to {}", first.0, last.0),
        [] => "no gap".to_owned(),
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
