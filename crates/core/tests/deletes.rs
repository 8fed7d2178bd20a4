//! Goal: what was deleted in a gap is deleted by the snapshot, unless the stream knows better.

mod world;

use unbroken_core::connector::Replay;
use unbroken_core::record::{Body, Change, GapCause, Origin};
use world::{World, contiguous, key};

/// A vendor without replay, cut off; the new subscription is confirmed and its snapshot asked for.
fn reconciling() -> World {
    let mut rules = contiguous();
    rules.caps.replay = Replay::None;
    let mut world = World::new(rules);
    (0..4).for_each(|k| world.emit(k));
    world.run_to_live();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world
}

fn until_page(world: &mut World) {
    while world.pages.is_empty() {
        if !world.step_but_pages() {
            world.tick();
        }
    }
}

fn items(world: &World) -> Vec<&Change> {
    world
        .records()
        .into_iter()
        .filter_map(|record| match &record.body {
            Body::SnapshotItem { change, .. } => Some(change),
            _ => None,
        })
        .collect()
}

#[test]
fn a_delete_in_the_gap_is_a_row_of_the_snapshot() {
    let mut world = reconciling();
    world.emit_as(2, true);
    world.run_to_live();
    let deletes: Vec<_> = items(&world).into_iter().filter(|change| change.deleted).collect();
    assert_eq!(deletes.len(), 1);
    assert_eq!((&deletes[0].key, deletes[0].origin), (&key(2), Origin::Snapshot));
    assert_eq!(deletes[0].position.unwrap().sequence, 5, "the tombstone keeps a version");
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.reconciled), (GapCause::NoReplay, true));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_key_that_the_stream_made_above_the_tag_is_kept() {
    let mut world = reconciling();
    until_page(&mut world);
    let tag = world.events.len();
    world.emit(7);
    world.step_but_pages();
    world.page(tag);
    world.run_to_live();
    world.settle();
    assert!(world.stream_fold().keys[&key(7)].present);
    assert!(items(&world).iter().all(|change| !change.deleted));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_deletion_above_the_tag_wins_over_the_row() {
    let mut world = reconciling();
    world.emit(1);
    until_page(&mut world);
    let tag = world.events.len();
    world.emit_as(1, true);
    world.step_but_pages();
    world.page(tag);
    world.run_to_live();
    world.settle();
    assert!(!world.stream_fold().keys[&key(1)].present, "the ghost does not come back");
    world.assert_state_is_the_vendors();
}
