//! Goal: duplicates cost nothing, reordering in the window is put right, a true hole is resumed.

use crate::world;
use crate::world::{World, contiguous};
use unbroken_core::connector::{Numbering, Replay, SnapshotKind};
use unbroken_core::machine::Input;
use unbroken_core::record::GapCause;

fn live(rules: world::Rules) -> World {
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world
}

fn frame(world: &mut World, index: usize) {
    let made = world.events[index];
    let decoded = world.frame(&made);
    let conn = world.sole_conn();
    world.give(Input::Frame { conn, decoded });
}

fn without_positions() -> world::Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    rules
}

#[test]
fn a_flood_of_history_is_dropped() {
    let mut world = live(contiguous());
    for _ in 0..5 {
        world.emit(1);
    }
    world.settle();
    for index in 0..6 {
        frame(&mut world, index);
    }
    world.settle();
    assert_eq!(world.sequences(), [2, 3, 4, 5, 6]);
}

#[test]
fn reordered_events_are_put_right_within_the_window() {
    let mut world = live(contiguous());
    for _ in 0..4 {
        world.emit(1);
    }
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().queue.clear();
    for index in [2, 4, 1, 3] {
        frame(&mut world, index);
    }
    assert_eq!(world.sequences(), [2, 3, 4, 5]);
    assert!(world.is_live());
}

#[test]
fn reordered_events_behind_a_snapshot_wait_for_their_turn() {
    let mut world = live(contiguous());
    let conn = world.sole_conn();
    world.emit(1);
    world.purge();
    world.break_sock(conn);
    while world.socks.values().all(|sock| !sock.subscribed) {
        if !world.step() {
            world.tick();
        }
    }
    for _ in 0..4 {
        world.emit(1);
    }
    let conn = world.sole_conn();
    let queue = &mut world.socks.get_mut(&conn).unwrap().queue;
    let events = queue.split_off(queue.len() - 4);
    queue.extend([3, 0, 2, 1].map(|index| events[index].clone()));
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [3, 4, 5, 6]);
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.through.unwrap().sequence), (GapCause::Refused, 2));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_hole_that_stays_is_resumed_from_what_is_durable() {
    let mut world = live(contiguous());
    world.emit(1);
    world.settle();
    world.emit(0);
    world.emit(1);
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().queue.pop_front();
    world.settle();
    assert_eq!(world.sequences(), [2]);
    world.tick();
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [2, 3, 4]);
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start));
}

#[test]
fn without_positions_a_repeated_frame_is_dropped_and_a_flap_is_kept() {
    let mut world = live(without_positions());
    let before = world.changes().len();
    world.emit(0);
    world.emit(1);
    world.settle();
    frame(&mut world, 1);
    frame(&mut world, 2);
    assert_eq!(world.changes().len() - before, 2);
    frame(&mut world, 0);
    frame(&mut world, 1);
    assert_eq!(world.changes().len() - before, 4, "A, B, A again is a flap, not a repetition");
}

#[test]
fn without_positions_an_outage_is_a_row_by_wall_clock() {
    let mut world = live(without_positions());
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(1);
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.after, row.through), (GapCause::NoReplay, None, None));
    assert!(row.wall_from <= row.wall_to);
}

#[test]
fn without_positions_a_flap_across_a_kill_is_kept_whole() {
    let mut world = live(without_positions());
    world.emit(1);
    world.settle();
    world.emit(1);
    let between = world.events.len() - 1;
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().queue.clear();
    world.commit();
    let before = world.changes().len();
    world.crash(0);
    world.run_to_live();
    // What was held when the process died comes once more, byte for byte: the vendor sends nothing
    // again, so it is another event.
    frame(&mut world, between);
    frame(&mut world, between - 1);
    assert_eq!(world.changes().len() - before, 2, "B and A behind the A from before the kill");
    world.commit();
    world.crash(0);
    world.run_to_live();
    frame(&mut world, between - 1);
    assert_eq!(world.changes().len() - before, 3, "A, and what was between was not heard");
}
