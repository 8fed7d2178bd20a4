//! Goal: what was deleted in a gap is deleted by the snapshot, unless the stream knows better.

use crate::world::{World, contiguous, key, stream};
use unbroken_core::connector::Replay;
use unbroken_core::machine::{Blocked, Input, Phase};
use unbroken_core::record::{Body, Change, GapCause, Origin};

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

/// Live with two keys on a vendor without replay.
fn two() -> World {
    let mut rules = contiguous();
    rules.caps.replay = Replay::None;
    let mut world = World::new(rules);
    (0..2).for_each(|k| world.emit(k));
    world.run_to_live();
    world.settle();
    world
}

/// Both keys leave while nobody listens, and the next answers have no row.
fn everybody_leaves(world: &mut World) {
    let conn = world.sole_conn();
    world.break_sock(conn);
    (0..2).for_each(|k| world.emit_as(k, true));
    for _ in 0..100 {
        world.settle();
        if is_asking(world) {
            return;
        }
        world.tick();
    }
    panic!("nobody was asked: {:?}", world.machine.phase(&stream()));
}

fn is_asking(world: &World) -> bool {
    let why = Blocked::MassDelete { lacks: 2, of: 2 };
    world.machine.phase(&stream()) == Some(&Phase::Blocked { why })
}

#[test]
fn an_answer_without_any_row_is_asked_for_twice_and_then_a_person_is_asked() {
    let mut world = two();
    everybody_leaves(&mut world);
    let refused = |r: &&unbroken_core::machine::Report| {
        matches!(r, unbroken_core::machine::Report::SnapshotRefused { .. })
    };
    assert_eq!(world.reports.iter().filter(refused).count(), 1, "a second look");
    assert!(world.stream_fold().keys.values().all(|key| key.present), "old state is kept");
    assert!(!world.stream_fold().open_gaps.is_empty());
    world.give(Input::Resync { stream: stream(), keys: None });
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
    assert!(world.stream_fold().keys.values().all(|key| !key.present));
}

#[test]
fn as_soon_as_an_answer_has_a_row_the_stream_goes_on_without_a_person() {
    let mut world = two();
    everybody_leaves(&mut world);
    world.emit(1);
    world.tick();
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
    assert!(!world.stream_fold().keys[&key(0)].present);
}

#[test]
fn the_last_key_may_leave_by_an_event_or_on_purpose() {
    let mut world = two();
    (0..2).for_each(|k| world.emit_as(k, true));
    world.settle();
    world.give(Input::Resync { stream: stream(), keys: None });
    world.run_to_live();
    world.assert_state_is_the_vendors();

    let mut world = two();
    let conn = world.sole_conn();
    world.break_sock(conn);
    (0..2).for_each(|k| world.emit_as(k, true));
    world.give(Input::KeysChanged { stream: stream() });
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
}
