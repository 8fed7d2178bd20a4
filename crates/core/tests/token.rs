//! Goal: tokens are versioned, asked for one at a time, renewed in time, and a second refusal of a
//! fresh one is a person's business.

use crate::world::{World, contiguous, stream};
use unbroken_core::connector::{Class, Failure};
use unbroken_core::ids::{Label, TokenVersion};
use unbroken_core::machine::{Blocked, Input, Phase};
use unbroken_core::record::Closer;
use unbroken_core::time::Millis;

const LIFE_MS: u64 = 100_000;

fn guarded() -> World {
    let mut rules = contiguous();
    rules.caps.token_needed = true;
    World::new(rules)
}

fn grant(world: &mut World) {
    let asked = std::mem::take(&mut world.authorizing);
    assert_eq!(asked.len(), 1, "one request at a time");
    let version = asked[0];
    let expires_at = Some(world.now + LIFE_MS);
    world.give(Input::TokenReady { version, expires_at });
}

fn live() -> World {
    let mut world = guarded();
    grant(&mut world);
    world.emit(0);
    world.run_to_live();
    world
}

fn unauthorized() -> Failure {
    Failure { class: Class::Reauthorize, code: Some(401), what: Label::from("401 at the stream") }
}

fn refuse_handshake(world: &mut World) {
    let conn = world.sole_conn();
    world.socks.remove(&conn);
    world.give(Input::Refused { conn, failure: unauthorized() });
}

fn is_blocked_by_auth(world: &World) -> bool {
    let phase = world.machine.phase(&stream());
    matches!(phase, Some(Phase::Blocked { why: Blocked::Auth { .. } }))
}

/// Waits until a socket is asked for, answering pages on the way.
fn until_handshake(world: &mut World) {
    while world.socks.is_empty() {
        match world.pages.is_empty() {
            true => world.tick(),
            false => world.page(world.events.len()),
        }
    }
}

#[test]
fn nothing_is_asked_of_the_vendor_before_a_token_is_there() {
    let world = guarded();
    assert_eq!(world.machine.phase(&stream()), Some(&Phase::Authorizing));
    assert!(world.pages.is_empty() && world.socks.is_empty());
}

#[test]
fn a_token_is_renewed_before_it_expires_without_touching_the_stream() {
    let mut world = live();
    while world.authorizing.is_empty() {
        world.settle();
        world.tick();
    }
    let at = world.now.0;
    assert!((LIFE_MS * 70 / 100..=LIFE_MS * 85 / 100).contains(&at), "asked for at {at}");
    grant(&mut world);
    assert!(world.is_live());
    assert_eq!(world.socks.len(), 1);
}

#[test]
fn a_token_that_expired_in_the_outage_is_replaced_before_the_handshake() {
    let mut world = live();
    let conn = world.sole_conn();
    world.now = Millis(LIFE_MS + 1);
    world.break_sock(conn);
    assert!(world.socks.is_empty());
    grant(&mut world);
    world.run_to_live();
}

#[test]
fn a_revoked_token_is_renewed_once_and_the_stream_goes_on() {
    let mut world = live();
    let conn = world.sole_conn();
    world.socks.remove(&conn);
    world.give(Input::Closed { conn, by: Closer::Vendor, failure: unauthorized() });
    assert_eq!(world.authorizing, [TokenVersion(2)]);
    grant(&mut world);
    world.emit(0);
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [2]);
}

#[test]
fn a_second_refusal_of_a_fresh_token_blocks_and_says_what_refused_it() {
    let mut world = guarded();
    grant(&mut world);
    until_handshake(&mut world);
    refuse_handshake(&mut world);
    assert!(!is_blocked_by_auth(&world), "the token may only have been revoked");
    grant(&mut world);
    let conn = world.socks.keys().next_back().copied();
    assert_eq!(conn, None);
    let (request, _) = world.pages.remove(0);
    world.give(Input::PageFailed { request, failure: unauthorized() });
    assert!(is_blocked_by_auth(&world));
}

#[test]
fn a_scope_that_was_granted_meanwhile_is_found_with_a_fresh_token() {
    let mut world = guarded();
    let version = world.authorizing.remove(0);
    world.give(Input::TokenReady { version, expires_at: None });
    world.emit(0);
    world.run_to_live();
    let conn = world.sole_conn();
    world.break_sock(conn);
    let what = Label::from("needs scope wfm:schedule:read");
    let failure = Failure { class: Class::Fatal, code: Some(403), what };
    let conn = world.sole_conn();
    world.socks.remove(&conn);
    world.give(Input::Refused { conn, failure });
    assert!(matches!(world.machine.phase(&stream()), Some(Phase::Blocked { .. })));
    assert!(world.authorizing.is_empty(), "the same token would be refused again at once");
    while world.authorizing.is_empty() {
        assert!(world.pages.is_empty() && world.socks.is_empty(), "the old token is of no use");
        world.tick();
    }
    grant(&mut world);
    world.run_to_live();
}

#[test]
fn a_refused_token_request_is_retried_unless_it_is_final() {
    let mut world = guarded();
    let version = world.authorizing.pop().unwrap();
    let class = Class::Retry { after_ms: Some(3_000) };
    let failure = Failure { class, code: Some(503), what: Label::from("503") };
    world.give(Input::TokenRefused { version, failure });
    assert!(matches!(world.machine.phase(&stream()), Some(Phase::Waiting { .. })));
    assert!(world.deadline.unwrap().0 >= 3_000, "Retry-After is obeyed");
    world.tick();
    let version = world.authorizing.pop().unwrap();
    world.give(Input::TokenRefused { version, failure: unauthorized() });
    assert!(is_blocked_by_auth(&world));
}

#[test]
fn an_answer_to_a_request_that_is_no_longer_awaited_is_ignored() {
    let mut world = live();
    world.give(Input::TokenReady { version: TokenVersion(9), expires_at: Some(Millis(5)) });
    let conn = world.sole_conn();
    world.break_sock(conn);
    assert!(world.authorizing.is_empty(), "the token held is the one that was asked for");
}

#[test]
fn a_renewal_that_was_refused_is_tried_again_while_the_token_lives() {
    let mut world = live();
    while world.authorizing.is_empty() {
        world.settle();
        world.tick();
    }
    let version = world.authorizing.pop().unwrap();
    let class = Class::Retry { after_ms: Some(4_000) };
    let failure = Failure { class, code: Some(503), what: Label::from("503") };
    let refused_at = world.now;
    world.give(Input::TokenRefused { version, failure });
    assert!(world.is_live(), "the present token is as good as before");
    while world.authorizing.is_empty() {
        world.settle();
        world.tick();
    }
    assert!(world.now >= refused_at + 4_000, "Retry-After is obeyed");
    assert!(world.now < Millis(LIFE_MS), "not only when the token has expired");
    grant(&mut world);
    assert!(world.is_live());
}

#[test]
fn a_token_endpoint_that_is_down_is_asked_no_more_than_the_budget_allows() {
    let mut rules = contiguous();
    rules.caps.token_needed = true;
    rules.timing.backoff_ms = 0;
    rules.timing.backoff_ms_max = 0;
    rules.budget.requests_burst = 3;
    rules.budget.requests_per_minute = 6;
    let mut world = World::new(rules);
    let mut asked = Vec::new();
    while world.now < Millis(60_000) {
        match world.authorizing.pop() {
            Some(version) => {
                asked.push(world.now);
                let class = Class::Retry { after_ms: None };
                let failure = Failure { class, code: Some(503), what: Label::from("503") };
                world.give(Input::TokenRefused { version, failure });
            }
            None => world.tick(),
        }
    }
    assert!((4..=9).contains(&asked.len()), "{asked:?}");
}

/// The token falls due for renewal while the last unit is on its way to the disk.
#[test]
fn whoever_drains_waits_for_the_journal_and_for_no_moment() {
    let mut world = live();
    world.emit(1);
    let conn = world.sole_conn();
    world.deliver(conn);
    world.now = world.now + LIFE_MS;
    world.give(Input::Shutdown);
    assert_eq!(world.deadline, None, "a driver would tick without end");
    world.give(Input::Tick);
    assert_eq!(world.deadline, None);
}
