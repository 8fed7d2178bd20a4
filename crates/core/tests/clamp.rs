//! Goal: a hole at the beginning of a resume that has another reason is not taken for a clamp.

use crate::world::{OnOld, World, contiguous};
use unbroken_core::connector::{Ack, Decoded, Item};
use unbroken_core::ids::ConnId;
use unbroken_core::position::Position;
use unbroken_core::record::{GapCause, GapClosed, GapOutcome};

/// Live on a vendor whose confirmation names no position; 2 has come and is durable.
fn live() -> World {
    let mut rules = contiguous();
    rules.caps.ack = Ack::Plain;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world.emit(1);
    world.settle();
    world
}

/// The next subscription, just confirmed; what it has to bring is under way.
fn confirmed(world: &mut World) -> ConnId {
    for _ in 0..200 {
        if world.socks.values().any(|sock| sock.subscribed) {
            break;
        }
        if world.pages.is_empty() {
            if !world.step_but_pages() {
                world.tick();
            }
        } else {
            world.page(world.events.len());
        }
    }
    let conn = world.sole_conn();
    world.deliver(conn);
    conn
}

fn assert_nothing_was_given_up(world: &World) {
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start), "{:?}", world.ledger());
    world.assert_state_is_the_vendors();
}

/// The first event of a resume comes as something that is not understood.
fn assert_is_asked_for_again(come: fn(&mut World, ConnId)) {
    let mut world = live();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.emit(1);
    let conn = confirmed(&mut world);
    come(&mut world, conn);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked[world.asked.len() - 2..], [Some(2), Some(2)]);
    assert_eq!(world.sequences(), [2, 3, 4]);
    assert_nothing_was_given_up(&world);
}

#[test]
fn what_could_not_be_read_is_asked_for_again() {
    assert_is_asked_for_again(World::garble);
}

#[test]
fn what_came_under_a_name_that_is_not_known_is_asked_for_again() {
    assert_is_asked_for_again(World::rename);
}

#[test]
fn a_frame_of_another_kind_hides_no_clamp_for_long() {
    let mut world = live();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    world.emit(1);
    world.rules.on_old = OnOld::Clamp;
    for _ in 0..2 {
        let conn = confirmed(&mut world);
        let strange = Decoded { items: vec![Item::Unknown], ..Decoded::default() };
        world.socks.get_mut(&conn).unwrap().queue.push_front(strange);
        for _ in 0..20 {
            if world.socks.contains_key(&conn) && !world.step_but_pages() {
                world.tick();
            }
        }
    }
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [2, 4]);
    world.assert_state_is_the_vendors();
}

#[test]
fn what_cannot_be_read_twice_is_given_up_alone() {
    let mut world = live();
    let conn = world.sole_conn();
    world.break_sock(conn);
    (0..3).for_each(|_| world.emit(0));
    for _ in 0..2 {
        let conn = confirmed(&mut world);
        world.garble(conn);
        for _ in 0..20 {
            if world.socks.contains_key(&conn) && !world.step_but_pages() {
                world.tick();
            }
        }
        assert!(!world.socks.contains_key(&conn), "given up");
    }
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [2, 4, 5]);
    let is_lossy =
        |row: &GapClosed| row.cause != GapCause::Start && row.outcome != GapOutcome::Repaired;
    let rows: Vec<GapClosed> = world.ledger().into_iter().filter(is_lossy).collect();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.cause, row.outcome), (GapCause::Poison, GapOutcome::Unrecoverable));
    let at = |position: Option<Position>| position.map(|p| p.sequence);
    assert_eq!((at(row.after), at(row.through)), (Some(2), Some(3)));
    world.assert_state_is_the_vendors();
}

/// What was read and not yet durable when the connection broke comes again; the event behind it
/// does not come.
#[test]
fn what_comes_again_shows_where_the_stream_begins() {
    let mut world = live();
    world.emit(0);
    world.emit(1);
    let conn = world.sole_conn();
    world.deliver(conn);
    world.deliver(conn);
    world.break_sock(conn);
    world.emit(0);
    world.emit(1);
    let conn = confirmed(&mut world);
    assert_eq!(world.asked.last(), Some(&Some(2)), "what is durable");
    world.deliver(conn);
    world.deliver(conn);
    world.socks.get_mut(&conn).unwrap().queue.pop_front().unwrap();
    while world.step_but_pages() {}
    world.tick();
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(4)));
    assert_eq!(world.sequences(), [2, 3, 4, 5, 6]);
    assert_nothing_was_given_up(&world);
}
