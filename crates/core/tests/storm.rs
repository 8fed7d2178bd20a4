//! Goal: a vendor in trouble is not knocked down by its clients. Cuts in a row and an outage of the
//! whole vendor, seen from the vendor's side, in virtual time. `make storm` shows the tables.

use crate::crowd::{Call, Crowd};
use unbroken_core::machine::{Allowance, Budget, Timing};
use unbroken_core::time::Millis;

/// Long enough to count as stable, and for the budgets to be full again.
const CALM: Millis = Millis(120_000);

fn assert_within_budget(crowd: &Crowd, budget: &Budget) {
    for allowance in [Allowance::Handshakes, Allowance::Requests] {
        assert_eq!(crowd.over_budget(budget, allowance), None, "{allowance:?}");
    }
}

/// Twenty cuts in ten seconds.
fn flapping(timing: &Timing, budget: Budget) -> Crowd {
    let mut crowd = Crowd::new(1, timing, budget, |_| 1);
    crowd.run_until(CALM);
    assert_eq!(crowd.live_count(), 1);
    for cut in 0..20 {
        crowd.run_until(CALM + cut * 500);
        crowd.cut();
    }
    crowd
}

#[test]
fn twenty_cuts_in_ten_seconds_stay_within_the_budget() {
    for (name, timing, budget) in [
        ("production", Timing::default(), Budget::default()),
        ("demo", Timing::demo(), Budget::demo()),
    ] {
        let mut crowd = flapping(&timing, budget);
        crowd.run_until(CALM + 60_000);
        println!("twenty cuts in ten seconds, {name}:\n{}", crowd.table(CALM, 20, &budget));
        assert_within_budget(&crowd, &budget);
        assert_eq!(crowd.live_count(), 1, "and when it is over, it is over");
    }
}

#[test]
fn with_neither_budget_nor_backoff_the_same_cuts_are_a_storm() {
    let timing = Timing { backoff_ms: 0, backoff_ms_max: 0, ..Timing::default() };
    let crowd = flapping(&timing, Budget::unlimited());
    let over = crowd.over_budget(&Budget::default(), Allowance::Handshakes);
    assert!(over.is_some(), "or the check above could not fail");
}

#[test]
fn the_budget_alone_holds_whatever_the_backoff_is() {
    let timing = Timing { backoff_ms: 0, backoff_ms_max: 0, ..Timing::default() };
    let budget = Budget { handshakes_burst: 4, requests_burst: 5, ..Budget::default() };
    let mut crowd = flapping(&timing, budget);
    crowd.run_until(CALM + 60_000);
    assert_within_budget(&crowd, &budget);
    assert_eq!(crowd.live_count(), 1);
}

/// The vendor is away for a minute; twenty clients had been Live for long.
fn outage(seed_of: impl Fn(usize) -> u64) -> (Crowd, Millis) {
    let mut crowd = Crowd::new(20, &Timing::default(), Budget::default(), seed_of);
    crowd.run_until(CALM);
    assert_eq!(crowd.live_count(), 20);
    crowd.set_down(true);
    crowd.run_until(CALM + 60_000);
    assert_eq!(crowd.live_count(), 0);
    crowd.set_down(false);
    let back = crowd.now;
    crowd.run_until(back + 60_000);
    (crowd, back)
}

#[test]
fn after_an_outage_of_the_vendor_everybody_comes_back_within_the_budget_and_spread_out() {
    let budget = Budget::default();
    let (crowd, back) = outage(|number| number as u64 + 1);
    println!("the vendor goes:\n{}", crowd.table(CALM, 20, &budget));
    println!("the vendor is back:\n{}", crowd.table(back, 40, &budget));
    assert_within_budget(&crowd, &budget);
    assert_eq!(crowd.live_count(), 20);
    let handshakes = crowd.per_second(Call::Handshake, back);
    let (most, all) = (handshakes.iter().max().copied(), handshakes.iter().sum::<u64>());
    assert!(most <= Some(4), "full jitter spreads twenty over half a minute: {handshakes:?}");
    assert!(all <= 24, "one each, or nearly: {handshakes:?}");
}

#[test]
fn without_seeds_of_their_own_they_would_all_come_at_once() {
    let (crowd, back) = outage(|_| 1);
    let handshakes = crowd.per_second(Call::Handshake, back);
    assert_eq!(handshakes.iter().max(), Some(&20), "or the check above could not fail");
}
