//! Goal: heartbeats do not prove a subscription; the audit finds a mute one and drifted state.

use crate::world;
use crate::world::{World, body, contiguous, key};
use unbroken_core::connector::{Coverage, Decoded, Item, Numbering, Replay, SnapshotKind};
use unbroken_core::ids::ConnId;
use unbroken_core::machine::Input;
use unbroken_core::record::{GapCause, GapOutcome};

fn live(rules: world::Rules) -> World {
    let mut world = World::new(rules);
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    world
}

/// Fires timers until this socket has been given up and the stream is Live again.
fn run_past(world: &mut World, conn: ConnId) {
    for _ in 0..200 {
        world.settle();
        if !world.socks.contains_key(&conn) {
            return world.run_to_live();
        }
        world.tick();
    }
    panic!("the socket was never given up");
}

#[test]
fn a_mute_subscription_is_found_by_the_head_and_loses_nothing() {
    let mut world = live(contiguous());
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().mute = true;
    world.emit(0);
    world.emit(1);
    run_past(&mut world, conn);
    world.settle();
    assert_eq!(world.sequences(), [3, 4]);
    world.assert_state_is_the_vendors();
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start));
}

#[test]
fn a_mute_subscription_without_positions_is_found_by_comparing_rows_twice() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    let mut world = live(rules);
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().mute = true;
    world.emit(0);
    run_past(&mut world, conn);
    world.settle();
    world.assert_state_is_the_vendors();
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.through), (GapCause::Drift, None));
}

#[test]
fn a_quiet_stream_stays_live_through_audits() {
    let mut world = live(contiguous());
    for _ in 0..5 {
        world.tick();
        world.settle();
        assert!(world.is_live());
    }
    assert_eq!(world.socks.len(), 1);
}

#[test]
fn a_mute_filtered_stream_that_can_replay_loses_nothing() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    rules.caps.coverage = Coverage::Filtered;
    let mut world = live(rules);
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().mute = true;
    world.emit(1);
    run_past(&mut world, conn);
    world.settle();
    world.assert_state_is_the_vendors();
    assert_eq!(world.sequences(), [6, 8], "the resume has brought what the mute socket withheld");
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start));
}

#[test]
fn an_event_dropped_in_the_middle_of_a_filtered_stream_is_corrected_and_written_down() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    rules.caps.coverage = Coverage::Filtered;
    let mut world = live(rules);
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.emit(1);
    world.emit(0);
    world.socks.get_mut(&conn).unwrap().queue.pop_front();
    run_past(&mut world, conn);
    world.settle();
    world.assert_state_is_the_vendors();
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.outcome), (GapCause::Drift, GapOutcome::Drift));
    assert!(row.after.unwrap().sequence < 8 && row.through.unwrap().sequence >= 8);
    let fold = world.stream_fold();
    assert_eq!(fold.keys[&key(1)].payload, body(&world.events[3]));
}

#[test]
fn a_heartbeat_does_not_end_the_doubt_that_an_audit_has_raised() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    let mut world = live(rules);
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().mute = true;
    world.emit(0);
    while world.is_live() {
        world.tick();
        while !world.pages.is_empty() {
            world.page(world.events.len());
        }
    }
    let heartbeat = Item::Heartbeat { position: None };
    let decoded = Decoded { items: vec![heartbeat], ..Decoded::default() };
    world.give(Input::Frame { conn, decoded });
    assert!(!world.is_live(), "a second look decides, not a sign of life");
    run_past(&mut world, conn);
    world.assert_state_is_the_vendors();
}

/// Without positions, with events of another key coming all the time.
fn unpositioned() -> World {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    live(rules)
}

/// Lets time pass, with an event of key 0 on every step, until the socket is gone or so many have
/// come.
fn run_busily(world: &mut World, conn: ConnId, events: usize) -> bool {
    for _ in 0..events {
        if !world.socks.contains_key(&conn) {
            return true;
        }
        let next = world.deadline.map_or(world.now + 100, |at| at.min(world.now + 100));
        world.now = next;
        world.give(Input::Tick);
        while !world.pages.is_empty() {
            world.page(world.events.len());
        }
        if world.socks.contains_key(&conn) {
            world.emit(0);
            world.deliver(conn);
        }
        world.commit();
    }
    false
}

#[test]
fn a_stream_that_goes_on_does_not_put_off_the_second_look() {
    let mut world = unpositioned();
    let conn = world.sole_conn();
    world.emit(1);
    world.socks.get_mut(&conn).unwrap().queue.pop_back();
    assert!(run_busily(&mut world, conn, 3_000), "the drift was never decided");
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
    assert_eq!(world.ledger().pop().unwrap().cause, GapCause::Drift);
}
