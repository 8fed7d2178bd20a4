//! Goal: the vendor is asked no more often than the budget says, by whatever way; what the budget
//! has no room for waits where everybody can see it, and gets through in the end.

use crate::world::{Rules, World, contiguous, stream};
use unbroken_core::connector::{Ack, Class, Decoded, Failure, Item, Page, Paging};
use unbroken_core::ids::Label;
use unbroken_core::machine::{Allowance, Budget, Fetch, Input, Phase, Report};
use unbroken_core::time::Millis;

/// Two of each at once; then a handshake a minute, and a request every ten seconds.
fn poor() -> Rules {
    let budget = Budget {
        handshakes_per_minute: 1,
        handshakes_burst: 2,
        requests_per_minute: 6,
        requests_burst: 2,
        requests_per_handshake: 0,
    };
    Rules { budget, ..contiguous() }
}

fn live(rules: Rules) -> World {
    let mut world = World::new(rules);
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    world
}

fn waits_for(world: &World) -> Option<(Millis, String)> {
    match world.machine.phase(&stream()) {
        Some(Phase::Waiting { until, why }) => Some((*until, why.to_string())),
        _ => None,
    }
}

fn over_budget(world: &World, allowance: Allowance) -> usize {
    let spent = world.reports.iter().filter_map(|report| match report {
        Report::OverBudget { allowance, .. } => Some(*allowance),
        _ => None,
    });
    spent.filter(|spent| *spent == allowance).count()
}

fn retry(after_ms: u64) -> Failure {
    let class = Class::Retry { after_ms: Some(after_ms) };
    Failure { class, code: Some(429), what: Label::from("429") }
}

#[test]
fn a_spent_budget_of_handshakes_is_a_state_and_not_a_spin() {
    let mut world = live(poor());
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.run_to_live();
    let conn = world.sole_conn();
    world.break_sock(conn);
    assert_eq!(waits_for(&world).expect("not stable yet").1, "reset");
    world.tick();
    let (until, why) = waits_for(&world).expect("no room for a third handshake");
    assert_eq!(why, "budget of handshakes");
    assert!(until >= Millis(60_000), "{until:?}");
    assert_eq!(world.deadline, Some(until), "nothing wakes it before");
    assert_eq!(over_budget(&world, Allowance::Handshakes), 1);
    world.run_to_live();
    assert!(world.now >= until);
}

#[test]
fn a_resync_and_new_keys_get_nothing_beyond_the_budget() {
    let mut world = live(poor());
    for _ in 0..20 {
        world.give(Input::Resync { stream: stream(), keys: None });
        world.settle();
    }
    assert!(over_budget(&world, Allowance::Requests) > 0);
    for _ in 0..8 {
        world.give(Input::KeysChanged { stream: stream() });
        world.emit(0);
        world.run_to_live();
        let (handshakes, minutes) = (world.sole_conn().0, world.now.0 / 60_000);
        assert!(handshakes <= 2 + minutes, "{handshakes} in {:?}", world.now);
    }
    while world.sole_conn().0 <= 2 {
        world.tick();
        world.settle();
    }
    assert!(world.now >= Millis(60_000), "but in time they are subscribed to");
    assert!(over_budget(&world, Allowance::Handshakes) > 0);
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
}

/// Answers page requests one row at a time; returns when each was asked for.
fn serve_in_pages(world: &mut World) -> Vec<Millis> {
    let whole = world.page_at(world.events.len(), true);
    let rows = whole.rows.clone();
    let mut asked = Vec::new();
    for _ in 0..500 {
        while world.step_but_pages() {}
        if world.durable < world.log.len() {
            world.commit();
        }
        if world.is_live() {
            return asked;
        }
        let Some((request, what)) = world.pages.pop() else {
            world.tick();
            continue;
        };
        asked.push(world.now);
        let at = match &what {
            Fetch::Next(label) => label.as_str().parse().unwrap_or(0),
            Fetch::First | Fetch::Head => 0,
        };
        let next = (at + 1 < rows.len()).then(|| Label::new((at + 1).to_string()));
        let rows = rows.get(at).cloned().into_iter().collect();
        let page = Page { rows, next, ..whole.clone() };
        world.give(Input::Page { request, page });
    }
    panic!("not live: {:?}", world.machine.phase(&stream()));
}

#[test]
fn a_snapshot_larger_than_the_budget_is_paced_and_no_page_is_asked_for_twice() {
    let mut rules = poor();
    rules.caps.paging = Paging::Keyed;
    // Proved by the confirmation: no second snapshot is needed.
    rules.caps.ack = Ack::WithPosition;
    let mut world = World::new(rules);
    for key in 0..9 {
        world.emit(key);
    }
    let asked = serve_in_pages(&mut world);
    assert_eq!(asked.len(), 9, "one request for each page");
    for (number, at) in asked.iter().enumerate().skip(2) {
        let earliest = (number as u64 - 1) * 10_000;
        assert!(at.0 >= earliest, "request {number} at {at:?}");
    }
    assert!(asked[8] <= Millis(80_000), "paced, not starved: {asked:?}");
    assert_eq!(over_budget(&world, Allowance::Requests), 7);
    world.settle();
    world.assert_state_is_the_vendors();
}

#[test]
fn an_audit_waits_for_more_than_recovery_needs() {
    let mut rules = poor();
    rules.budget.requests_burst = 4;
    rules.budget.requests_per_minute = 1;
    rules.timing.audit_ms = 5_000;
    let mut world = live(rules);
    for _ in 0..12 {
        world.settle();
        world.tick();
        if over_budget(&world, Allowance::Requests) > 0 {
            break;
        }
    }
    assert!(over_budget(&world, Allowance::Requests) > 0, "audits alone do not use it up");
    assert!(world.is_live(), "a late audit is no reason to doubt");
    world.give(Input::Resync { stream: stream(), keys: None });
    assert_eq!(world.pages.len(), 1, "what an audit may not have is there for recovery");
    world.run_to_live();
}

#[test]
fn a_hand_over_waits_for_its_handshake_and_the_first_connection_goes_on() {
    let mut rules = poor();
    rules.budget.handshakes_burst = 1;
    let mut world = live(rules);
    let conn = world.sole_conn();
    let items = vec![Item::Closing { within_ms: Some(60_000) }];
    world.give(Input::Frame { conn, decoded: Decoded { items, ..Decoded::default() } });
    assert_eq!(world.socks.len(), 1, "no second handshake yet");
    assert_eq!(over_budget(&world, Allowance::Handshakes), 1);
    assert!(world.is_live());
    while world.socks.len() < 2 {
        world.settle();
        world.tick();
    }
    assert!(world.now >= Millis(60_000));
    world.emit(0);
    world.settle();
    assert!(world.is_live() && world.socks.len() == 1 && !world.socks.contains_key(&conn));
}

#[test]
fn retry_after_of_a_page_holds_every_request_of_the_source() {
    let mut world = live(contiguous());
    world.give(Input::Resync { stream: stream(), keys: None });
    let (request, _) = world.pages.remove(0);
    let told_at = world.now;
    world.give(Input::PageFailed { request, failure: retry(40_000) });
    world.give(Input::Resync { stream: stream(), keys: None });
    assert!(world.pages.is_empty(), "a person's wish does not overrule the vendor's");
    while world.pages.is_empty() {
        world.tick();
    }
    assert!(world.now >= told_at + 40_000, "{:?}", world.now);
    world.run_to_live();
}

#[test]
fn retry_after_of_a_handshake_holds_every_handshake_of_the_source() {
    let mut world = live(contiguous());
    let conn = world.sole_conn();
    world.break_sock(conn);
    let conn = world.sole_conn();
    world.socks.remove(&conn);
    let told_at = world.now;
    world.give(Input::Refused { conn, failure: retry(40_000) });
    let (until, why) = waits_for(&world).expect("it was told to wait");
    assert!(until >= told_at + 40_000 && why == "429");
    while world.socks.is_empty() {
        world.tick();
    }
    assert!(world.now >= told_at + 40_000);
    world.run_to_live();
}

#[test]
fn those_who_were_told_the_same_time_do_not_come_back_at_the_same_time() {
    let until = |breaks: u64| {
        let mut world = live(contiguous());
        // Each break moves the jitter on: another machine, as far as this is concerned.
        for _ in 0..breaks {
            world.now = world.now + 3_600_000;
            let conn = world.sole_conn();
            world.break_sock(conn);
            let conn = world.sole_conn();
            world.socks.remove(&conn);
            world.give(Input::Refused { conn, failure: retry(10_000) });
            world.run_to_live();
        }
        let at = world.now;
        let conn = world.sole_conn();
        world.break_sock(conn);
        let conn = world.socks.keys().next_back().copied();
        if let Some(conn) = conn {
            world.socks.remove(&conn);
            world.give(Input::Refused { conn, failure: retry(10_000) });
        }
        waits_for(&world).map(|(until, _)| until.since(at))
    };
    let waits: std::collections::BTreeSet<_> = (0..6).map(until).collect();
    assert!(waits.len() > 3, "{waits:?}");
}

#[test]
fn the_answer_to_an_earlier_attempt_s_request_serves_nobody() {
    let mut rules = contiguous();
    rules.caps.replay = unbroken_core::connector::Replay::None;
    let mut world = live(rules);
    let conn = world.sole_conn();
    world.break_sock(conn);
    while world.pages.is_empty() {
        assert!(world.step_but_pages());
    }
    let (early, _) = world.pages.remove(0);
    let old = world.page_at(world.events.len(), true);
    world.emit(0);
    let conn = world.sole_conn();
    world.break_sock(conn);
    while world.pages.is_empty() {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    world.give(Input::Page { request: early, page: old });
    assert!(!world.is_live(), "it was asked for before this subscription was confirmed");
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
}
