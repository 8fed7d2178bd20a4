//! Goal: the place of a snapshot that was read beside an open opaque stream is ahead of the
//! stream's own, nobody can say how far; it is never taken for the stream's.

use crate::world;
use crate::world::{OnOld, World, bookmark, contiguous};
use unbroken_core::connector::{Ack, Decoded, Item, Numbering};
use unbroken_core::ids::ConnId;
use unbroken_core::machine::Input;
use unbroken_core::record::GapCause;

fn opaque(ack: Ack) -> world::Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Opaque;
    rules.caps.ack = ack;
    rules.caps.epoch_named = false;
    rules.on_old = OnOld::Clamp;
    rules
}

/// The vendor has forgotten the place asked for, and goes on from now, at place 6, with a
/// subscription that brings nothing. The snapshot beside it is read at place 8.
fn mute_beside_a_snapshot(ack: Ack) -> (World, ConnId) {
    let mut world = World::new(opaque(ack));
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    world.emit(0);
    world.emit(1);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.emit(1);
    world.purge();
    while !world.socks.values().any(|sock| sock.subscribed) {
        if !world.step() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().mute = true;
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    assert_eq!(world.sole_conn(), conn);
    (world, conn)
}

fn places(world: &World) -> Vec<u64> {
    world.changes().iter().map(|change| world.place(change.position.unwrap())).collect()
}

fn heartbeat(world: &mut World, conn: ConnId, at: u64) {
    let items = vec![Item::Bookmark { at: bookmark(at) }];
    world.now.0 += world.rules.timing.progress_ms;
    world.give(Input::Frame { conn, decoded: Decoded { items, ..Decoded::default() } });
}

/// What is not in the log is in a row, and what is in the log is in none.
fn check(world: &mut World, expected: &[u64]) {
    world.emit(0);
    world.run_to_live();
    world.settle();
    assert_eq!(places(world), expected);
    for row in world.ledger().iter().filter(|row| row.cause != GapCause::Start) {
        let (after, through) = (row.after.unwrap(), row.through.unwrap());
        let is_inside = |change: &&unbroken_core::record::Change| {
            change.position.is_some_and(|at| at > after && at <= through)
        };
        assert_eq!(world.changes().into_iter().filter(is_inside).count(), 0, "{row:?}");
    }
    world.assert_state_is_the_vendors();
}

#[test]
fn the_confirmation_s_own_place_is_resumed_from() {
    let (mut world, conn) = mute_beside_a_snapshot(Ack::WithPosition);
    world.break_sock(conn);
    check(&mut world, &[3, 4, 7, 8, 9]);
}

#[test]
fn a_heartbeat_s_place_is_the_stream_s_and_events_behind_it_are_new() {
    for ack in [Ack::WithPosition, Ack::Plain] {
        let (mut world, conn) = mute_beside_a_snapshot(ack);
        heartbeat(&mut world, conn, 6);
        world.break_sock(conn);
        check(&mut world, &[3, 4, 7, 8, 9]);
    }
}

#[test]
fn where_the_stream_names_no_place_the_snapshot_s_serves_once_it_is_over() {
    let (mut world, conn) = mute_beside_a_snapshot(Ack::Plain);
    world.break_sock(conn);
    check(&mut world, &[3, 4, 9]);
}

#[test]
fn events_that_come_late_are_new_up_to_the_snapshot_s_place_and_beyond() {
    for ack in [Ack::WithPosition, Ack::Plain] {
        let (mut world, conn) = mute_beside_a_snapshot(ack);
        for index in [6, 7] {
            let decoded = world.frame(&world.events[index].clone());
            world.give(Input::Frame { conn, decoded });
        }
        world.break_sock(conn);
        check(&mut world, &[3, 4, 7, 8, 9]);
    }
}
