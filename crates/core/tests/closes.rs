//! Goal: a vendor that accepts a position and closes at once has refused it.

use crate::world::{World, contiguous};
use unbroken_core::connector::{Class, Failure};
use unbroken_core::ids::{ConnId, Label};
use unbroken_core::machine::{Input, Report};
use unbroken_core::record::{Closer, GapCause, GapOutcome};

/// Lets the vendor take a position that it no longer serves, confirm it, and close.
fn close_after_accepting(world: &mut World) {
    while !world.socks.values().any(|sock| sock.asked.is_some()) {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    let conn: ConnId = world.sole_conn();
    let asked = &mut world.socks.get_mut(&conn).unwrap().asked;
    assert_eq!(*asked, Some(Some(2)), "it is the old position that is asked for");
    *asked = Some(None);
    world.answer(conn);
    world.deliver(conn);
    world.socks.remove(&conn);
    let class = Class::Retry { after_ms: None };
    let failure = Failure { class, code: Some(1000), what: Label::from("1000") };
    world.give(Input::Closed { conn, by: Closer::Vendor, failure });
}

#[test]
fn accepted_and_closed_twice_is_a_refusal() {
    let mut world = World::new(contiguous());
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.emit(1);
    world.purge();
    close_after_accepting(&mut world);
    let stale = |r: &Report| matches!(r, Report::Stale { .. });
    assert!(!world.reports.iter().any(stale), "once may be an accident");
    close_after_accepting(&mut world);
    assert!(world.reports.iter().any(stale));
    world.run_to_live();
    world.emit(0);
    world.settle();
    assert_eq!(world.sequences(), [5]);
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.outcome), (GapCause::Refused, GapOutcome::Unrecoverable));
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (2, 4));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_close_and_a_mute_subscription_are_not_twice_the_same() {
    let mut world = World::new(contiguous());
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.emit(1);
    close_after_accepting(&mut world);
    while !world.socks.values().any(|sock| sock.asked.is_some()) {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().mute = true;
    while world.socks.contains_key(&conn) {
        if !world.step() {
            world.tick();
        }
    }
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [3, 4], "the vendor has kept everything");
    assert!(
        world
            .ledger()
            .iter()
            .all(|row| row.outcome != GapOutcome::Unrecoverable || row.cause == GapCause::Start)
    );
    world.assert_state_is_the_vendors();
}
