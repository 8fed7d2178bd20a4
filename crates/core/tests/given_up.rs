//! Goal: a resume never asks for what the ledger has given up: it could not take it.

use crate::world;
use crate::world::{World, contiguous};
use unbroken_core::connector::{Ack, Class, Decoded, Failure, Item, Numbering};
use unbroken_core::ids::Label;
use unbroken_core::machine::Input;
use unbroken_core::record::{GapCause, GapClosed, GapOutcome};

fn increasing() -> world::Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    rules
}

fn until_page(world: &mut World) {
    while world.pages.is_empty() {
        if !world.step_but_pages() {
            world.tick();
        }
    }
}

#[test]
fn a_row_that_an_event_has_ended_is_waited_for_before_the_next_resume() {
    let mut world = World::new(increasing());
    world.emit(0);
    world.run_to_live();
    world.emit(1);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    world.emit(1);
    until_page(&mut world);
    world.emit(0);
    while world.step_but_pages() {}
    world.page(world.events.len());
    assert!(world.is_live());
    assert_eq!(world.sequences(), [4, 10], "6 and 8 are given up");
    let conn = world.sole_conn();
    world.break_sock(conn);
    (0..3).for_each(|_| world.tick());
    assert!(world.socks.is_empty(), "what is durable lies before the hole");
    world.commit();
    world.emit(1);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked[4..], [Some(9)]);
    assert_eq!(world.sequences(), [4, 10, 12]);
    let rows = world.ledger();
    assert_eq!(rows.iter().filter(|row| row.cause != GapCause::Start).count(), 1);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_late_event_is_no_place_to_resume_from() {
    let mut world = World::new(increasing());
    until_page(&mut world);
    world.emit(0);
    world.emit(1);
    world.page(2);
    assert!(world.is_live());
    let conn = world.sole_conn();
    world.deliver(conn);
    assert_eq!(world.sequences(), [2], "it fills the beginning of the row");
    world.break_sock(conn);
    world.run_to_live();
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.run_to_live();
    world.settle();
    assert!(world.asked.last() >= Some(&Some(4)), "4 is given up: {:?}", world.asked);
    assert_eq!(world.sequences(), [2, 6]);
    world.assert_state_is_the_vendors();
}

/// A vendor that wants a position with each subscription, and refuses all that it is given, those
/// of a moment ago too: for hours.
#[test]
fn a_vendor_that_refuses_its_own_positions_for_hours_is_still_asked() {
    let mut rules = contiguous();
    rules.caps.subscribe_without_position = false;
    let mut world = World::new(rules);
    let mut refused = 0;
    while refused < 1_000 {
        let asking = world.socks.iter().find(|(_, sock)| sock.asked.is_some());
        if let Some(conn) = asking.map(|(conn, _)| *conn) {
            let class = Class::Stale { floor: None };
            let failure = Failure { class, code: None, what: Label::from("stale") };
            let decoded = Decoded { items: vec![Item::Refusal(failure)], ..Decoded::default() };
            world.give(Input::Frame { conn, decoded });
            refused += 1;
        } else if !world.step() {
            world.tick();
        }
    }
    world.emit(0);
    world.run_to_live();
    world.assert_state_is_the_vendors();
}

/// The second event never comes whole. The vendor confirms positions, so the stream is Live again
/// before the hole has been waited for.
#[test]
fn a_hole_that_stays_costs_nothing_of_what_comes_behind_it() {
    let mut rules = contiguous();
    rules.caps.ack = Ack::WithPosition;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world.emit(1);
    world.emit(0);
    let whole = world.frame(&world.events[1].clone());
    let poison = Item::Poison { reason: "no JSON".into(), bytes: b"{".as_slice().into() };
    let poison = Decoded { items: vec![poison], ..Decoded::default() };
    for _ in 0..400 {
        for sock in world.socks.values_mut() {
            sock.queue.iter_mut().filter(|frame| **frame == whole).for_each(|frame| {
                *frame = poison.clone();
            });
        }
        if world.socks.is_empty() && world.events.len() < 6 {
            world.emit(2);
        }
        if !world.step() {
            world.tick();
        }
    }
    assert!(world.is_live());
    assert_eq!(world.events.len(), 6, "some came while nobody was connected");
    assert_eq!(
        world.sequences(),
        [3, 4, 5, 6],
        "but for the first, which is in the snapshot, and 2"
    );
    let rows = world.ledger();
    let rows: Vec<_> = rows.iter().filter(|row| row.cause != GapCause::Start).collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((rows[0].cause, rows[0].outcome), (GapCause::Poison, GapOutcome::Unrecoverable));
    assert_eq!(rows[0].through.map(|through| through.sequence), Some(2));
    world.assert_state_is_the_vendors();
}

/// An event waits behind one that was dropped, and the socket breaks.
fn waiting(ack: Ack) -> World {
    let mut rules = contiguous();
    rules.caps.ack = ack;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world.settle();
    let conn = world.sole_conn();
    world.emit(1);
    world.socks.values_mut().for_each(|sock| sock.queue.clear());
    world.emit(2);
    world.deliver(conn);
    world.break_sock(conn);
    while world.socks.is_empty() {
        if !world.step() {
            world.tick();
        }
    }
    world
}

#[test]
fn what_waits_behind_a_hole_is_not_given_up_for_one_mute_subscription() {
    let mut world = waiting(Ack::Plain);
    let mute = world.sole_conn();
    world.socks.get_mut(&mute).unwrap().mute = true;
    world.emit(0);
    for _ in 0..200 {
        if !world.step() {
            world.tick();
        }
    }
    assert!(world.is_live() && world.sole_conn() != mute);
    assert_eq!(world.sequences(), [2, 3, 4], "the vendor still had all of them");
    let repaired = |row: &GapClosed| row.outcome == GapOutcome::Repaired;
    let rows = world.ledger();
    assert!(rows.iter().all(|row| row.cause == GapCause::Start || repaired(row)), "{rows:?}");
    world.assert_state_is_the_vendors();
}

#[test]
fn what_waits_since_an_earlier_socket_hides_no_mute_one() {
    let mut world = waiting(Ack::WithPosition);
    let mute = world.sole_conn();
    world.socks.get_mut(&mute).unwrap().mute = true;
    world.run_to_live();
    let bound_ms = world.rules.timing.audit_ms + world.rules.timing.grace_ms;
    let until = world.now + bound_ms + 1_000;
    world.emit(0);
    while world.now < until && world.socks.contains_key(&mute) {
        if !world.step() {
            world.tick();
        }
    }
    world.run_to_live();
    world.settle();
    assert_ne!(world.sole_conn(), mute, "Live and mute for longer than an audit and its grace");
    assert_eq!(world.sequences(), [2, 3, 4]);
    world.assert_state_is_the_vendors();
}
