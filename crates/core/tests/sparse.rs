//! Goal: numbers with holes that mean nothing raise no false gap.

use crate::world::{World, contiguous};
use unbroken_core::connector::Numbering;
use unbroken_core::record::{Body, GapCause};

#[test]
fn holes_in_an_increasing_numbering_are_no_gaps() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    for k in 0..6 {
        world.emit(k % 2);
    }
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(1);
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [4, 6, 8, 10, 12, 14, 16]);
    let opened = |record: &&unbroken_core::record::Record| match &record.body {
        Body::GapOpened(gap) => gap.cause != GapCause::Start,
        _ => false,
    };
    assert_eq!(world.records().into_iter().filter(opened).count(), 0, "no row is even opened");
    let snapshots = |r: &&unbroken_core::record::Record| matches!(r.body, Body::SnapshotBegin(_));
    assert_eq!(world.records().into_iter().filter(snapshots).count(), 1, "and no second snapshot");
}
