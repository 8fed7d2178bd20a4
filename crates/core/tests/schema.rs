//! Goal: a vendor that begins to speak otherwise is noticed within a few frames, and what was not
//! understood is on the ledger where no hole would show.

use crate::world::{World, contiguous};
use unbroken_core::connector::{Decoded, Item, Numbering, Replay, SnapshotKind};
use unbroken_core::machine::{Input, Report};
use unbroken_core::record::{GapCause, GapOutcome};

fn live(numbering: Numbering) -> World {
    let mut rules = contiguous();
    rules.caps.position = numbering;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world
}

fn give(world: &mut World, items: Vec<Item>) {
    let conn = world.sole_conn();
    world.give(Input::Frame { conn, decoded: Decoded { items, ..Decoded::default() } });
}

fn strange(world: &mut World, count: usize) {
    for _ in 0..count {
        give(world, vec![Item::Unknown]);
    }
}

/// Frames that are understood: bare signs of life.
fn plain(world: &mut World, count: usize) {
    for _ in 0..count {
        give(world, Vec::new());
    }
}

fn alarms(world: &World) -> Vec<(u32, u32)> {
    let told = |report: &Report| match report {
        Report::SchemaChanged { strange, frames, .. } => Some((*strange, *frames)),
        _ => None,
    };
    world.reports.iter().filter_map(told).collect()
}

fn endings(world: &World) -> usize {
    world.reports.iter().filter(|r| matches!(r, Report::SchemaKnown { .. })).count()
}

#[test]
fn a_few_are_an_accident_and_the_fifth_is_an_alarm() {
    let mut world = live(Numbering::Contiguous);
    strange(&mut world, 4);
    assert_eq!(alarms(&world), []);
    strange(&mut world, 1);
    assert!(matches!(alarms(&world)[..], [(5, frames)] if frames < 20), "{:?}", alarms(&world));
    strange(&mut world, 50);
    assert_eq!(alarms(&world).len(), 1, "told once, not with every frame");
}

#[test]
fn one_in_a_hundred_is_borne_and_more_is_not() {
    let mut world = live(Numbering::Contiguous);
    for _ in 0..40 {
        plain(&mut world, 110);
        strange(&mut world, 1);
    }
    assert_eq!(alarms(&world), []);
    for _ in 0..40 {
        plain(&mut world, 60);
        strange(&mut world, 1);
    }
    assert_eq!(alarms(&world).len(), 1);
}

#[test]
fn a_busy_frame_counts_once() {
    let mut world = live(Numbering::Contiguous);
    give(&mut world, vec![Item::Unknown; 50]);
    assert_eq!(alarms(&world), []);
}

#[test]
fn it_ends_when_frames_are_understood_again_and_may_begin_anew() {
    let mut world = live(Numbering::Contiguous);
    strange(&mut world, 5);
    plain(&mut world, 900);
    assert_eq!(endings(&world), 0);
    plain(&mut world, 1_100);
    assert_eq!(endings(&world), 1);
    strange(&mut world, 30);
    assert_eq!(alarms(&world).len(), 2);
}

#[test]
fn where_holes_show_the_stream_stays_live() {
    let mut world = live(Numbering::Contiguous);
    strange(&mut world, 20);
    assert!(world.is_live());
    assert!(world.stream_fold().open_gaps.is_empty());
}

#[test]
fn elsewhere_the_interval_is_on_the_ledger_until_state_has_been_fetched() {
    let mut world = live(Numbering::Increasing);
    strange(&mut world, 5);
    assert!(!world.is_live());
    let open: Vec<_> = world.stream_fold().open_gaps.into_values().collect();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].opened.cause, GapCause::Poison);
    world.settle();
    assert!(world.is_live());
    strange(&mut world, 50);
    assert!(world.is_live(), "one row for each time that the vendor changes, not for each frame");
    world.assert_state_is_the_vendors();
}

#[test]
fn without_positions_the_ledger_has_all_moments_from_before_the_first_to_the_last() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    let mut came_at = Vec::new();
    for _ in 0..5 {
        world.now = world.now + 1_000;
        came_at.push(world.moment().wall);
        strange(&mut world, 1);
        world.now = world.now + 1_000;
        world.emit(0);
        world.settle();
    }
    world.run_to_live();
    let rows = world.ledger();
    let rows: Vec<_> = rows.iter().filter(|row| row.cause == GapCause::Poison).collect();
    assert!(rows.iter().all(|row| row.outcome == GapOutcome::Unproven), "{rows:?}");
    assert!(rows.iter().all(|row| row.wall_from <= row.wall_to), "{rows:?}");
    for at in came_at {
        let inside = rows.iter().any(|row| row.wall_from <= at && at <= row.wall_to);
        assert!(inside, "{at:?} in {rows:?}");
    }
}

#[test]
fn before_the_stream_was_ever_live_nothing_is_said() {
    let mut world = World::new(contiguous());
    world.emit(0);
    while world.socks.is_empty() {
        assert!(world.step(), "it connects");
    }
    strange(&mut world, 50);
    assert_eq!(alarms(&world), []);
}
