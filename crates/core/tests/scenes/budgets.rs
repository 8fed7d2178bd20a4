//! How often the vendor is asked.

use unbroken_core::connector::{Class, Decoded, Failure, Item};
use unbroken_core::ids::Label;
use unbroken_core::machine::{Allowance, Budget, Input, Mutant, Timing};
use unbroken_core::time::Millis;

use super::{Scene, Verdict, calm, judge, live};
use crate::crowd::Crowd;
use crate::world::contiguous;

pub const SCENES: &[Scene] = &[
    Scene { name: "twenty cuts in ten seconds", play: flapping },
    Scene { name: "a vendor that says when to come again", play: later },
    Scene { name: "an audit each second", play: audits },
];

/// No backoff: the budget alone holds.
fn flapping(mutant: Option<Mutant>) -> Verdict {
    let timing = Timing { backoff_ms: 0, backoff_ms_max: 0, ..Timing::default() };
    let budget = Budget { handshakes_burst: 4, requests_burst: 5, ..Budget::default() };
    let mut crowd = Crowd::new(1, &timing, budget, |_| 1);
    crowd.take_out(mutant);
    let calm = Millis(120_000);
    crowd.run_until(calm);
    for cut in 0..20 {
        crowd.run_until(calm + cut * 500);
        crowd.cut();
    }
    crowd.run_until(calm + 60_000);
    for allowance in [Allowance::Handshakes, Allowance::Requests] {
        if crowd.over_budget(&budget, allowance).is_some() {
            return Err("WithinBudget");
        }
    }
    if crowd.live_count() == 1 { Ok(()) } else { Err("FinallyLive") }
}

/// The handshake of a second connection is refused with a time to wait; then the first one breaks.
fn later(mutant: Option<Mutant>) -> Verdict {
    const WAIT_MS: u64 = 30_000;
    let mut world = live(contiguous(), mutant, 2)?;
    let first = world.sole_conn();
    let items = vec![Item::Closing { within_ms: None }];
    world.give(Input::Frame { conn: first, decoded: Decoded { items, ..Decoded::default() } });
    let second = world.sole_conn();
    let class = Class::Retry { after_ms: Some(WAIT_MS) };
    let failure = Failure { class, code: Some(429), what: Label::from("too many") };
    world.socks.remove(&second);
    world.give(Input::Refused { conn: second, failure });
    let until = world.now + WAIT_MS;
    world.break_sock(first);
    while world.socks.is_empty() {
        world.tick();
    }
    if world.now < until {
        return Err("WithinBudget");
    }
    calm(&mut world)?;
    judge(&world)
}

/// Half of what may be asked at once is recovery's.
fn audits(mutant: Option<Mutant>) -> Verdict {
    let mut rules = contiguous();
    rules.timing.audit_ms = 1_000;
    rules.budget = Budget { requests_per_minute: 1, requests_burst: 10, ..Budget::default() };
    let mut world = live(rules, mutant, 2)?;
    let until = world.now + 20_000;
    let mut asked = 0;
    while world.now < until {
        world.tick();
        asked += world.pages.len();
        world.settle();
    }
    if asked > 5 { Err("WithinBudget") } else { Ok(()) }
}
