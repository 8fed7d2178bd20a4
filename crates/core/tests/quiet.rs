//! Goal: a stream that has brought nothing yet is recorded all the same from its first confirmation
//! on. What it misses in an outage is a loss, and not what was before the record began.

use crate::world::{World, contiguous};
use unbroken_core::connector::{Ack, Numbering, Replay, SnapshotKind};
use unbroken_core::record::{GapCause, GapOutcome};

/// A vendor without numbers, and without anything that its state could be read from.
fn quiet() -> World {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::None;
    rules.caps.ack = Ack::Plain;
    rules.caps.epoch_named = false;
    rules.caps.rest_first = false;
    World::new(rules)
}

/// What is made while nobody is connected must lie in a row that is no beginning.
fn assert_the_outage_is_on_record(mut world: World) {
    let began = world.ledger().pop().unwrap();
    assert_eq!((began.cause, began.outcome), (GapCause::Start, GapOutcome::Unproven));
    world.emit(1);
    world.run_to_live();
    world.settle();
    assert!(world.changes().is_empty(), "it is not told again");
    let rows = world.ledger();
    let row = rows.last().unwrap();
    assert_eq!((rows.len(), row.cause, row.outcome), (2, GapCause::NoReplay, GapOutcome::Unproven));
    assert_eq!(row.wall_from, began.wall_to, "from where coverage began");
    assert!(row.wall_to > row.wall_from, "to where it began again: {row:?}");
}

#[test]
fn an_outage_of_a_stream_that_has_brought_nothing_is_a_row_of_its_own() {
    let mut world = quiet();
    world.run_to_live();
    let conn = world.sole_conn();
    for _ in 0..3 {
        world.tick();
    }
    world.break_sock(conn);
    world.tick();
    assert_the_outage_is_on_record(world);
}

#[test]
fn so_is_one_that_a_crash_lies_in() {
    let mut world = quiet();
    world.run_to_live();
    world.commit();
    for _ in 0..3 {
        world.tick();
    }
    world.crash(0);
    assert_the_outage_is_on_record(world);
}
