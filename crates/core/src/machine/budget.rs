//! How often the vendor may be asked: a budget of handshakes and one of requests, kept by every way
//! that leads to the vendor. Recovery that hammers a vendor in trouble prolongs the trouble.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// What may be asked of a vendor on behalf of one source.
///
/// Two buckets of tokens: each begins full (`burst`) and fills evenly (`per_minute`), so that no
/// minute sees more than both together. Handshakes are openings of a WebSocket; requests are pages,
/// heads and access tokens. What the budget has no room for waits; nothing is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Handshakes, evenly over a minute.
    pub handshakes_per_minute: u32,
    /// Handshakes at once.
    pub handshakes_burst: u32,
    /// Requests, evenly over a minute.
    pub requests_per_minute: u32,
    /// Requests at once.
    pub requests_burst: u32,
    /// Requests that opening a socket takes besides: for vendors where something has to be made and
    /// asked for over HTTP first.
    pub requests_per_handshake: u32,
}

impl Default for Budget {
    /// For a real tenant. Genesys allows 300 requests a minute for each client's token, and other
    /// programs may use the same client: at most 240 are ours. For handshakes no vendor names a
    /// figure, and CXone none at all: ten at once are what two outages need if each takes every
    /// rung, and one in three seconds is below what one person reloading a page asks for.
    fn default() -> Self {
        Self {
            handshakes_per_minute: 20,
            handshakes_burst: 10,
            requests_per_minute: 180,
            requests_burst: 60,
            requests_per_handshake: 0,
        }
    }
}

impl Budget {
    /// For the demo, whose vendor breaks every second or two and where an outage may take five
    /// handshakes: still far below what a loop without a budget would ask.
    pub fn demo() -> Self {
        Self {
            handshakes_per_minute: 600,
            handshakes_burst: 40,
            requests_per_minute: 3_000,
            requests_burst: 100,
            requests_per_handshake: 0,
        }
    }

    /// No bound at all: for searches that leave time out, and for whoever writes it down.
    pub fn unlimited() -> Self {
        Self {
            handshakes_per_minute: u32::MAX,
            handshakes_burst: u32::MAX,
            requests_per_minute: u32::MAX,
            requests_burst: u32::MAX,
            requests_per_handshake: 0,
        }
    }

    /// Divides the requests of a source that is polled: what is left for the machine, and the pace
    /// of its questions, which nobody decides about one by one. They are halves, an odd one is the
    /// machine's, so both together are within the budget (but each may have one at once).
    pub fn shared(self) -> (Self, Pace) {
        let (per_minute, burst) = (self.requests_per_minute / 2, self.requests_burst / 2);
        let machine = Self {
            requests_per_minute: self.requests_per_minute - per_minute,
            requests_burst: self.requests_burst - burst,
            ..self
        };
        let (rate, bucket) = (Rate::new(per_minute, burst), Bucket::default());
        (machine, Pace { rate, bucket, per_minute })
    }

    fn rate(&self, allowance: Allowance) -> Rate {
        let (per_minute, burst) = match allowance {
            Allowance::Handshakes => (self.handshakes_per_minute, self.handshakes_burst),
            Allowance::Requests => (self.requests_per_minute, self.requests_burst),
        };
        Rate::new(per_minute, burst)
    }
}

/// One of the two budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Allowance {
    /// Openings of a socket.
    Handshakes,
    /// Pages, heads, access tokens.
    Requests,
}

impl Allowance {
    /// As a reason to wait.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Handshakes => "budget of handshakes",
            Self::Requests => "budget of requests",
        }
    }
}

/// Who asks: an audit leaves half of what may be asked at once to recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    Recovery,
    Audit,
}

/// A bucket's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    /// Between two tokens, rounded up: the budget is never exceeded for a rounding.
    interval_ms: u64,
    burst: u64,
}

impl Rate {
    fn new(per_minute: u32, burst: u32) -> Self {
        const MINUTE_MS: u64 = 60_000;
        let per_minute = u64::from(per_minute.max(1));
        // The core's clock cannot tell more than one in a millisecond: beyond it is no bound.
        let interval_ms = if per_minute > MINUTE_MS { 0 } else { MINUTE_MS.div_ceil(per_minute) };
        Self { interval_ms, burst: u64::from(burst.max(1)) }
    }
}

/// One bucket. The moment at which it will be full says how full it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Bucket {
    full_at: Millis,
    /// The vendor asked to be left alone until then.
    held_until: Millis,
}

impl Bucket {
    /// The earliest moment at which there is a token, with `kept` more left in the bucket.
    fn ready_at(&self, rate: Rate, kept: u64) -> Millis {
        let room_ms = rate.burst.saturating_sub(1 + kept).saturating_mul(rate.interval_ms);
        Millis(self.full_at.0.saturating_sub(room_ms)).max(self.held_until)
    }

    fn take(&mut self, rate: Rate, now: Millis) {
        self.full_at = self.full_at.max(now) + rate.interval_ms;
    }
}

/// How often a source that is polled may be asked its questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    rate: Rate,
    bucket: Bucket,
    per_minute: u32,
}

impl Pace {
    /// Questions, evenly over a minute.
    pub fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// The earliest moment at which the next question may be asked.
    pub fn ready_at(&self) -> Millis {
        self.bucket.ready_at(self.rate, 0)
    }

    /// It is asked now.
    pub fn take(&mut self, now: Millis) {
        self.bucket.take(self.rate, now);
    }
}

/// What is left of a source's budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Purse {
    handshakes: Bucket,
    requests: Bucket,
    /// The vendor asked that no token be asked for until then: its token endpoint need not be the
    /// same machine as its API.
    tokens_held_until: Millis,
}

impl Purse {
    /// The earliest moment at which this may be asked for.
    pub(super) fn ready_at(
        &self,
        budget: &Budget,
        allowance: Allowance,
        urgency: Urgency,
    ) -> Millis {
        let rate = budget.rate(allowance);
        let kept = match urgency {
            Urgency::Recovery => 0,
            Urgency::Audit => rate.burst / 2,
        };
        let ready_at = self.bucket(allowance).ready_at(rate, kept);
        match u64::from(budget.requests_per_handshake) {
            beside @ 1.. if allowance == Allowance::Handshakes => {
                ready_at.max(self.requests.ready_at(budget.rate(Allowance::Requests), beside - 1))
            }
            _ => ready_at,
        }
    }

    /// The earliest moment at which an access token may be asked for.
    pub(super) fn token_ready_at(&self, budget: &Budget) -> Millis {
        self.ready_at(budget, Allowance::Requests, Urgency::Recovery).max(self.tokens_held_until)
    }

    /// It is asked for now.
    pub(super) fn take(&mut self, budget: &Budget, allowance: Allowance, now: Millis) {
        let rate = budget.rate(allowance);
        self.bucket_mut(allowance).take(rate, now);
        if allowance == Allowance::Handshakes {
            for _ in 0..budget.requests_per_handshake {
                self.requests.take(budget.rate(Allowance::Requests), now);
            }
        }
    }

    /// The vendor said when to come again (`Retry-After`).
    pub(super) fn hold(&mut self, allowance: Allowance, until: Millis) {
        let bucket = self.bucket_mut(allowance);
        bucket.held_until = bucket.held_until.max(until);
    }

    /// The vendor's token endpoint said when to come again.
    pub(super) fn hold_tokens(&mut self, until: Millis) {
        self.tokens_held_until = self.tokens_held_until.max(until);
    }

    /// Between two tokens of a bucket, in milliseconds: by how much to spread those that wait.
    pub(super) fn interval_ms(budget: &Budget, allowance: Allowance) -> u64 {
        budget.rate(allowance).interval_ms
    }

    /// All moments.
    #[cfg(feature = "proof")]
    pub(super) fn moments_mut(&mut self) -> [&mut Millis; 5] {
        let Self { handshakes, requests, tokens_held_until } = self;
        [
            &mut handshakes.full_at,
            &mut handshakes.held_until,
            &mut requests.full_at,
            &mut requests.held_until,
            tokens_held_until,
        ]
    }

    fn bucket(&self, allowance: Allowance) -> &Bucket {
        match allowance {
            Allowance::Handshakes => &self.handshakes,
            Allowance::Requests => &self.requests,
        }
    }

    fn bucket_mut(&mut self, allowance: Allowance) -> &mut Bucket {
        match allowance {
            Allowance::Handshakes => &mut self.handshakes,
            Allowance::Requests => &mut self.requests,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget {
        handshakes_per_minute: 60,
        handshakes_burst: 3,
        requests_per_minute: 7,
        requests_burst: 4,
        requests_per_handshake: 0,
    };

    /// Takes whenever it may, for a minute: the moments.
    fn greedy(budget: &Budget, allowance: Allowance, urgency: Urgency) -> Vec<u64> {
        let (mut purse, mut moments) = (Purse::default(), Vec::new());
        for now in 0..60_000 {
            while purse.ready_at(budget, allowance, urgency) <= Millis(now) && moments.len() < 999 {
                purse.take(budget, allowance, Millis(now));
                moments.push(now);
            }
        }
        moments
    }

    #[test]
    fn a_burst_then_an_even_trickle_and_a_full_bucket_again_after_a_pause() {
        let taken = greedy(&BUDGET, Allowance::Handshakes, Urgency::Recovery);
        assert_eq!(taken[..5], [0, 0, 0, 1_000, 2_000]);
        assert_eq!(taken.len(), 3 + 59);
        let mut purse = Purse::default();
        for _ in 0..3 {
            purse.take(&BUDGET, Allowance::Handshakes, Millis(0));
        }
        let ready =
            |purse: &Purse| purse.ready_at(&BUDGET, Allowance::Handshakes, Urgency::Recovery);
        assert_eq!(ready(&purse), Millis(1_000));
        for _ in 0..3 {
            assert!(ready(&purse) <= Millis(9_000));
            purse.take(&BUDGET, Allowance::Handshakes, Millis(9_000));
        }
        assert_eq!(ready(&purse), Millis(10_000));
    }

    #[test]
    fn a_rate_that_does_not_divide_a_minute_is_rounded_in_the_vendor_s_favour() {
        let taken = greedy(&BUDGET, Allowance::Requests, Urgency::Recovery);
        assert_eq!(taken.len(), 4 + 6, "seven a minute: the seventh comes after it");
    }

    #[test]
    fn an_audit_leaves_half_of_the_burst() {
        let taken = greedy(&BUDGET, Allowance::Requests, Urgency::Audit);
        assert_eq!(taken[..2], [0, 0]);
        assert!(taken[2] > 0, "the other two are recovery's");
        let poor = Budget { requests_burst: 1, ..BUDGET };
        assert_eq!(
            greedy(&poor, Allowance::Requests, Urgency::Audit)[0],
            0,
            "but it is not barred"
        );
    }

    #[test]
    fn what_the_vendor_holds_back_is_held_whatever_the_bucket_has() {
        let mut purse = Purse::default();
        purse.hold(Allowance::Requests, Millis(5_000));
        purse.hold(Allowance::Requests, Millis(2_000));
        let ready = |allowance| purse.ready_at(&BUDGET, allowance, Urgency::Recovery);
        assert_eq!(ready(Allowance::Requests), Millis(5_000));
        assert_eq!(ready(Allowance::Handshakes), Millis(0));
        assert_eq!(purse.token_ready_at(&BUDGET), Millis(5_000));
    }

    #[test]
    fn questions_and_the_machine_together_stay_within_the_budget() {
        let (machine, mut pace) = BUDGET.shared();
        let mut asked = 0;
        for now in 0..60_000 {
            while pace.ready_at() <= Millis(now) {
                pace.take(Millis(now));
                asked += 1;
            }
        }
        assert_eq!((pace.per_minute(), asked), (3, 2 + 2), "half of the burst, and of a minute");
        let others = greedy(&machine, Allowance::Requests, Urgency::Recovery).len();
        let whole = greedy(&BUDGET, Allowance::Requests, Urgency::Recovery).len();
        assert!(asked + others <= whole, "{asked} and {others} of {whole}");
        assert_eq!(machine.handshakes_per_minute, BUDGET.handshakes_per_minute);
    }

    #[test]
    fn no_bound_is_no_bound() {
        let taken = greedy(&Budget::unlimited(), Allowance::Handshakes, Urgency::Recovery);
        assert_eq!(taken.len(), 999);
        assert_eq!(taken[998], 0);
    }
}
