//! Goal: after a crash the vendor is asked from what is on disk, and nothing is written twice.

mod world;

use unbroken_core::position::Position;
use unbroken_core::record::{Append, Body, GapCause, GapOutcome};
use world::{World, contiguous};

fn live() -> World {
    let mut world = World::new(contiguous());
    world.emit(0);
    world.run_to_live();
    world.emit(1);
    world.settle();
    world
}

#[test]
fn what_was_received_and_not_yet_on_disk_is_asked_for_again() {
    let mut world = live();
    world.emit(0);
    world.emit(1);
    let conn = world.sole_conn();
    world.deliver(conn);
    world.deliver(conn);
    world.crash(0);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(2)), "received is not durable");
    assert_eq!(world.sequences(), [2, 3, 4]);
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_unit_that_reached_the_disk_unanswered_is_not_written_again() {
    let mut world = live();
    world.emit(0);
    world.emit(1);
    let conn = world.sole_conn();
    world.deliver(conn);
    world.deliver(conn);
    world.crash(1);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(3)), "record and position are one unit");
    assert_eq!(world.sequences(), [2, 3, 4]);
    world.assert_state_is_the_vendors();
}

/// The unit on its way to the disk in which the coming numbering begins.
fn entering(world: &World) -> Option<usize> {
    let enters = |append: &Append| {
        append
            .records
            .iter()
            .any(|r| matches!(r.body, Body::EpochChanged { epoch, .. } if epoch.0 == 1))
    };
    world.log[world.durable..].iter().position(enters)
}

#[test]
fn a_death_inside_the_first_snapshot_of_a_numbering_opens_no_second_row() {
    let mut rules = contiguous();
    rules.timing.snapshot_unit_items = 1;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world.emit(0);
    world.settle();
    // Only the snapshot will tell of it.
    world.emit(1);
    world.reset_epoch();
    while entering(&world).is_none() {
        world.commit();
        if !world.step() {
            world.tick();
        }
    }
    world.crash(entering(&world).expect("it is on its way") + 1);
    assert_eq!(world.fold(world.durable).streams[&world::stream()].position, None);
    // Subscribed again, and nothing proves that nothing is missing: state is asked for beside it.
    let asked_beside =
        |world: &World| !world.pages.is_empty() && world.socks.values().any(|sock| sock.subscribed);
    while !asked_beside(&world) {
        if !world.step() {
            world.tick();
        }
    }
    world.emit(0);
    world.page(world.events.len());
    world.run_to_live();
    world.settle();
    let held = Position::new(unbroken_core::position::Epoch(1), 1);
    assert_eq!(world.changes().last().and_then(|change| change.position), Some(held));
    let denies = |row: &&unbroken_core::record::GapClosed| {
        row.outcome == GapOutcome::Unrecoverable
            && row.after < Some(held)
            && Some(held) <= row.through
    };
    let rows = world.ledger();
    assert_eq!(rows.iter().find(denies), None, "held, and written off");
    world.assert_state_is_the_vendors();
}
