//! Where a fault bends an answer of the baseline.

use super::Fault;
use crate::cxone::hub::State;
use crate::world::Page;

/// How often pages are torn.
const TEARS: u32 = 2;
/// Walks with an empty baseline, walks with a wrong total, and answers that are slow.
const WALKS_MAX: u32 = 2;
/// Answers that end in the middle.
const TRUNCATED_MAX: u32 = 3;
/// How long pages may be torn, and answers stale, after the first one, in milliseconds.
const BASELINE_MS: u64 = 2_000;
/// Delays of a slow answer, in milliseconds.
const SLOW_MS: std::ops::Range<u64> = 200..1_800;
/// Rows that a wrong total is off by.
const TOTAL_OFF: u64 = 7;

impl State {
    /// As of which event a page is, and how many rows it may have.
    pub(crate) fn fault_on_page(&mut self, offset: u64, limit: u64) -> (u64, u64) {
        let (mut as_of, mut size) = (self.world.len(), limit);
        if self.faults.is_active(Fault::TornSnapshot) {
            size = size.min(self.tear(offset, limit));
            // Who has just left is no longer on this page.
            as_of = self.world.len();
        }
        if self.faults.is_active(Fault::StaleSnapshot) {
            as_of = self.stale_as_of();
        }
        (as_of, size)
    }

    /// Lets agents leave from pages already served; returns the size of pages while it tears.
    fn tear(&mut self, offset: u64, limit: u64) -> u64 {
        let fault = Fault::TornSnapshot;
        let total = self.world.page(self.world.len(), 0, 0).total;
        let size = total.div_ceil(3).max(1);
        let now_ms = self.clock.now_ms();
        let Some(active) = self.faults.active_as(fault) else { return limit };
        if offset == 0 {
            active.is_walking = limit > 1;
        } else if active.is_walking && offset < total {
            active.is_walking = false;
            active.until_ms.get_or_insert(now_ms + BASELINE_MS);
            let served = usize::try_from(offset).unwrap_or(usize::MAX);
            self.world.leave_among_first(served);
            self.world.leave_among_first(served);
            if self.faults.fire(fault) >= TEARS {
                self.faults.finish(fault);
            }
        }
        size
    }

    /// As of which event the cache is.
    fn stale_as_of(&mut self) -> u64 {
        let age_us = i64::try_from(self.settings.staleness_ms).unwrap_or(i64::MAX) * 1_000;
        let as_of = self.world.as_of(self.clock.wall_us() - age_us);
        let now_ms = self.clock.now_ms();
        if as_of < self.world.len()
            && let Some(active) = self.faults.active_as(Fault::StaleSnapshot)
        {
            active.until_ms.get_or_insert(now_ms + BASELINE_MS / 2);
            self.faults.fire(Fault::StaleSnapshot);
        }
        as_of
    }

    /// Changes what a page holds and says of itself.
    pub(crate) fn fault_on_rows(&mut self, page: &mut Page, offset: u64, limit: u64) {
        if limit <= 1 {
            return;
        }
        if self.faults.is_active(Fault::EmptySnapshot) {
            page.rows.clear();
            page.total = 0;
            if self.fire_for_a_while(Fault::EmptySnapshot) >= WALKS_MAX {
                self.faults.finish(Fault::EmptySnapshot);
            }
        }
        if !page.rows.is_empty() && self.falsify_total(page, offset) {
            let told = self.fire_for_a_while(Fault::WrongTotal);
            if told >= WALKS_MAX {
                self.faults.finish(Fault::WrongTotal);
            }
        }
    }

    /// On the first walk every page says more, on the second one after the first page says less.
    /// Returns whether this page began to contradict what is, or what another page said.
    fn falsify_total(&mut self, page: &mut Page, offset: u64) -> bool {
        let Some(active) = self.faults.active_as(Fault::WrongTotal) else { return false };
        let until = offset + page.rows.len() as u64;
        let is_last = until >= page.total;
        if offset == 0 {
            active.is_walking = true;
            // A walk of one page has no second one that could say less.
            active.is_second_form = active.count % 2 == 1 && !is_last;
        }
        if !active.is_walking {
            return false;
        }
        if !active.is_second_form {
            page.total += TOTAL_OFF;
            return offset == 0;
        }
        if offset > 0 {
            active.is_walking = false;
            page.total = if is_last { page.total - 1 } else { until };
        }
        offset > 0
    }

    /// Cuts the text of an answer; true if it is no answer any more.
    pub(crate) fn fault_on_text(&mut self, text: &mut String) -> bool {
        let fault = Fault::TruncatedPage;
        if !self.faults.is_active(fault) {
            return false;
        }
        text.truncate(text.len() * 2 / 3);
        if self.fire_for_a_while(fault) >= TRUNCATED_MAX {
            self.faults.finish(fault);
        }
        true
    }

    fn fire_for_a_while(&mut self, fault: Fault) -> u32 {
        let until_ms = self.clock.now_ms() + BASELINE_MS;
        if let Some(active) = self.faults.active_as(fault) {
            active.until_ms.get_or_insert(until_ms);
        }
        self.faults.fire(fault)
    }

    /// How long an answer of the baseline is held back, in milliseconds.
    pub(crate) fn fault_on_pace(&mut self) -> u64 {
        if self.faults.is_active(Fault::SlowRest) { self.faults.rng.u64(SLOW_MS) } else { 0 }
    }

    /// An answer that was held back is on its way.
    pub(crate) fn fault_on_paced(&mut self) {
        if self.fire_for_a_while(Fault::SlowRest) >= WALKS_MAX {
            self.faults.finish(Fault::SlowRest);
        }
    }

    /// A page was served.
    pub(crate) fn fault_on_page_served(&mut self) {
        if self.faults.has_fired(Fault::HandshakeRefusedStale) {
            self.faults.finish(Fault::HandshakeRefusedStale);
        }
    }
}
