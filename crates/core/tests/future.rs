//! Goal: a vendor that stands behind what we hold (a lagging replica, a restored backup) neither
//! takes state back in time nor passes for a complete stream.

use crate::world;
use crate::world::{World, contiguous};
use unbroken_core::connector::Ack;
use unbroken_core::machine::Report;
use unbroken_core::record::{GapCause, GapOutcome};

/// Live at 6, cut, and the vendor has lost its last events: it stands at 4.
fn fallen_behind(rules: world::Rules) -> World {
    let mut world = World::new(rules);
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    for k in 0..4 {
        world.emit(k % 2);
    }
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.events.truncate(4);
    world
}

fn wait(world: &mut World, ms: u64) {
    let until = world.now + ms;
    while world.now < until {
        world.settle();
        world.tick();
        assert!(!world.is_live(), "complete it is not");
    }
}

fn no_step_back(world: &World) {
    let newest = world.stream_fold().position.unwrap();
    assert!(newest.sequence >= 6);
    for change in world.stream_fold().keys.values() {
        assert!(change.version.is_none_or(|version| version.sequence >= 5), "{change:?}");
    }
}

#[test]
fn a_refused_future_position_waits_for_the_vendor_to_catch_up() {
    let mut world = fallen_behind(contiguous());
    wait(&mut world, 20_000);
    no_step_back(&world);
    world.emit(0);
    world.emit(1);
    world.emit(0);
    world.run_to_live();
    world.emit(1);
    world.settle();
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.outcome), (GapCause::Refused, GapOutcome::Unrecoverable));
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (6, 7));
    assert_eq!(world.sequences(), [3, 4, 5, 6, 8]);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_head_that_stays_below_is_an_alarm_and_an_unproven_row() {
    let mut rules = contiguous();
    rules.caps.rest_first = true;
    rules.caps.snapshot_staleness_ms_max = 3_000;
    let mut world = fallen_behind(rules);
    wait(&mut world, 2_000);
    let alarm = |r: &Report| matches!(r, Report::Alarm { .. });
    assert!(!world.reports.iter().any(alarm), "a replica may lag so much");
    wait(&mut world, 20_000);
    assert!(world.reports.iter().any(alarm));
    no_step_back(&world);
    for k in 0..3 {
        world.emit(k % 2);
    }
    world.run_to_live();
    world.emit(1);
    world.settle();
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.outcome), (GapCause::Unproven, GapOutcome::Unproven));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_confirmation_from_below_the_asked_position_proves_nothing() {
    let mut rules = contiguous();
    rules.caps.ack = Ack::WithPosition;
    let mut world = fallen_behind(rules);
    while !world.socks.values().any(|sock| sock.asked.is_some()) {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().asked = Some(Some(4));
    world.answer(conn);
    world.deliver(conn);
    assert!(!world.is_live(), "it stands at 4, and 6 was asked for");
    world.emit(0);
    world.emit(1);
    world.emit(0);
    world.settle();
    world.run_to_live();
    assert_eq!(world.sequences(), [3, 4, 5, 6, 7]);
}

/// The second answer is asked for at once and is a long time on its way: it is as old as its
/// question, and not older than may be.
#[test]
fn an_answer_that_was_long_on_its_way_is_no_proof_that_the_head_stays_below() {
    let mut rules = contiguous();
    rules.caps.rest_first = true;
    rules.caps.snapshot_staleness_ms_max = 3_000;
    let mut world = fallen_behind(rules);
    let alarm = |r: &Report| matches!(r, Report::Alarm { .. });
    for _ in 0..2 {
        while world.pages.is_empty() {
            world.tick();
        }
        world.now = world.now + 10_000;
        world.page(world.events.len());
        assert!(!world.reports.iter().any(alarm), "the vendor's cache may have been so old");
    }
}
