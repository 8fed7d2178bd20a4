//! Goal: after a crash the vendor is asked from what is on disk, and nothing is written twice.

use crate::world::{World, contiguous};
use unbroken_core::record::GapCause;

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
