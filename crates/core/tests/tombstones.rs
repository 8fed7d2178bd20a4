//! Goal: a deleted key leaves state for good, and what is told of it afterwards is neither taken
//! twice nor brings it back.

use crate::world::{Rules, World, contiguous, key};
use unbroken_core::connector::{Decoded, EventBody, Item, Numbering, Replay, SnapshotKind};
use unbroken_core::ids::Key;
use unbroken_core::machine::{Input, Timing};
use unbroken_core::record::Body;

/// Longer than any tombstone stands here, in milliseconds.
const LONG_MS: u64 = 200_000;

/// A vendor from whom silence is an end: 70 s is the longest that an event may be under way.
fn talkative(mut rules: Rules) -> Rules {
    rules.timing.idle_ms = 40_000;
    rules
}

fn unpositioned() -> Rules {
    let mut rules = talkative(contiguous());
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    rules.times = true;
    rules
}

fn live(rules: Rules, keys: u8) -> World {
    let mut world = World::new(rules);
    (0..keys).for_each(|k| world.emit(k));
    world.run_to_live();
    world.settle();
    world
}

/// Lets time pass in which the vendor is heard.
fn talk(world: &mut World, for_ms: u64) {
    let until = world.now + for_ms;
    let mut beat_at = world.now;
    loop {
        if world.now >= beat_at {
            beat_at = world.now + 10_000;
            world.beat_all();
        }
        world.settle();
        let next = until.min(beat_at);
        match world.deadline.filter(|at| *at <= next) {
            Some(_) => world.tick(),
            None if next == until => {
                world.now = until;
                return;
            }
            None => world.now = next,
        }
    }
}

fn forgotten(world: &World) -> Vec<Key> {
    let records = world.records().into_iter();
    let keys = records.filter_map(|record| match &record.body {
        Body::Forgotten { key } => Some(key.clone()),
        _ => None,
    });
    keys.collect()
}

#[test]
fn a_deleted_key_is_forgotten_and_the_others_stay() {
    for rules in [talkative(contiguous()), unpositioned()] {
        let mut world = live(rules, 3);
        world.emit_as(1, true);
        talk(&mut world, 69_000);
        assert_eq!(forgotten(&world), [], "an event from before may be under way");
        assert!(!world.stream_fold().keys[&key(1)].present);
        talk(&mut world, LONG_MS);
        assert_eq!(forgotten(&world), [key(1)], "once");
        let held: Vec<Key> = world.stream_fold().keys.keys().cloned().collect();
        assert_eq!(held, [key(0), key(2)]);
        world.assert_state_is_the_vendors();
    }
}

#[test]
fn a_key_that_is_back_in_time_is_not_forgotten() {
    let mut world = live(talkative(contiguous()), 2);
    world.emit_as(1, true);
    talk(&mut world, 60_000);
    world.emit(1);
    talk(&mut world, LONG_MS);
    assert_eq!(forgotten(&world), []);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_key_that_comes_back_after_it_was_forgotten_is_a_new_one() {
    for rules in [talkative(contiguous()), unpositioned()] {
        let mut world = live(rules, 2);
        world.emit_as(1, true);
        talk(&mut world, LONG_MS);
        world.emit(1);
        world.settle();
        world.assert_state_is_the_vendors();
        world.emit_as(1, true);
        talk(&mut world, LONG_MS);
        assert_eq!(forgotten(&world), [key(1), key(1)]);
    }
}

#[test]
fn what_a_numbered_stream_tells_again_of_a_forgotten_key_is_known_by_its_number() {
    let mut world = live(talkative(contiguous()), 2);
    world.emit(1);
    world.emit_as(1, true);
    let conn = world.sole_conn();
    let again = world.socks[&conn].queue.clone();
    talk(&mut world, LONG_MS);
    assert_eq!(forgotten(&world), [key(1)]);
    let told = world.changes().len();
    for decoded in again {
        world.give(Input::Frame { conn, decoded });
    }
    world.settle();
    assert_eq!(world.changes().len(), told);
    assert!(!world.stream_fold().keys.contains_key(&key(1)));
    assert!(world.is_live());
}

#[test]
fn a_snapshot_after_an_outage_does_not_bring_a_forgotten_key_back() {
    for rules in [talkative(contiguous()), unpositioned()] {
        let mut world = live(rules, 3);
        world.emit_as(1, true);
        talk(&mut world, LONG_MS);
        let conn = world.sole_conn();
        world.break_sock(conn);
        world.emit(0);
        world.purge();
        world.run_to_live();
        talk(&mut world, LONG_MS);
        assert_eq!(forgotten(&world), [key(1)], "nor does it forget it again");
        world.assert_state_is_the_vendors();
    }
}

#[test]
fn deletions_that_a_snapshot_shows_are_forgotten_too() {
    let mut rules = unpositioned();
    rules.timing.mass_delete_percent = 100;
    let mut world = live(rules, 20);
    let conn = world.sole_conn();
    world.break_sock(conn);
    (0..15).for_each(|k| world.emit_as(k, true));
    world.run_to_live();
    assert_eq!(world.stream_fold().keys.len(), 20);
    talk(&mut world, LONG_MS);
    assert_eq!(world.stream_fold().keys.len(), 5);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_restart_goes_on_with_the_tombstones_that_it_finds() {
    let mut world = live(talkative(contiguous()), 3);
    world.emit_as(1, true);
    talk(&mut world, 60_000);
    world.commit();
    world.crash(0);
    world.run_to_live();
    talk(&mut world, 60_000);
    assert_eq!(forgotten(&world), [], "how long it stood before nobody knows");
    talk(&mut world, 60_000);
    assert_eq!(forgotten(&world), [key(1)]);
    world.commit();
    world.crash(0);
    world.run_to_live();
    talk(&mut world, LONG_MS);
    assert_eq!(forgotten(&world), [key(1)], "once");
}

#[test]
fn nothing_is_forgotten_before_the_stream_is_live_again() {
    let mut world = live(talkative(contiguous()), 3);
    world.emit_as(1, true);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    while world.now.0 < 2 * LONG_MS {
        let handshake = world.socks.keys().next().copied();
        handshake.into_iter().for_each(|conn| world.refuse_handshake(conn));
        world.tick();
    }
    assert!(!world.is_live());
    assert_eq!(forgotten(&world), []);
    world.run_to_live();
    talk(&mut world, LONG_MS);
    assert_eq!(forgotten(&world), [key(1)]);
}

/// A frame of so many keys of its own, which come or go.
fn crowd(world: &World, deleted: bool) -> Decoded {
    let made = world.events[0];
    let mut decoded = Decoded::default();
    for number in 0..1_200 {
        let mut frame = world.frame(&made);
        for item in &mut frame.items {
            let Item::Event(event) = item else { continue };
            event.key = Key::new(format!("crowd {number}"));
            event.deleted = deleted;
            event.identity = number * 2 + u128::from(deleted);
        }
        decoded.epoch = frame.epoch;
        decoded.items.append(&mut frame.items);
    }
    decoded
}

#[test]
fn a_crowd_that_leaves_at_once_is_forgotten_in_steps() {
    let mut rules = unpositioned();
    rules.times = false;
    let mut world = live(rules, 1);
    let conn = world.sole_conn();
    for deleted in [false, true] {
        let decoded = crowd(&world, deleted);
        world.give(Input::Frame { conn, decoded });
    }
    assert_eq!(world.stream_fold().keys.len(), 1_201);
    let units = world.log.len();
    talk(&mut world, LONG_MS);
    let is_end = |body: &Body| matches!(body, Body::Forgotten { .. });
    let count = |unit: &unbroken_core::record::Append| {
        unit.records.iter().filter(|record| is_end(&record.body)).count()
    };
    let steps: Vec<usize> = world.log[units..].iter().map(count).filter(|n| *n > 0).collect();
    assert_eq!(steps, [512, 512, 176]);
    assert_eq!(world.stream_fold().keys.len(), 1);
}

#[test]
fn a_vendor_of_states_that_tells_again_who_is_gone_tells_nothing() {
    let mut rules = unpositioned();
    rules.caps.event_body = EventBody::State;
    let mut world = live(rules, 2);
    world.emit_as(1, true);
    let conn = world.sole_conn();
    let again = world.socks[&conn].queue[0].clone();
    talk(&mut world, LONG_MS);
    assert_eq!(forgotten(&world), [key(1)]);
    let told = world.changes().len();
    world.give(Input::Frame { conn, decoded: again });
    assert_eq!(world.changes().len(), told);
}

#[test]
fn the_page_of_limits_says_how_long_a_tombstone_stands() {
    let page = include_str!("../../../docs/reference/limits.md");
    let seconds = Timing::default().under_way_ms_max() / 1_000;
    assert!(page.contains(&format!("({seconds} s with the default timing)")), "{seconds} s");
}
