//! Goal: the vendor's timestamps are no versions: equal and skewed ones lose nothing.

use crate::world::{World, contiguous, key};
use bytes::Bytes;
use unbroken_core::connector::{Decoded, Event, Item, Numbering, Replay, SnapshotKind};
use unbroken_core::machine::Input;
use unbroken_core::record::{Effect, digest};
use unbroken_core::time::UnixMicros;

fn live() -> World {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world
}

fn say(world: &mut World, value: &'static str, at_us: i64) {
    let payload = Bytes::from_static(value.as_bytes());
    let event = Event {
        key: key(0),
        sequence: None,
        bookmark: None,
        event_id: None,
        kind: None,
        deleted: false,
        occurred_at: Some(UnixMicros(at_us)),
        digest: digest(&payload),
        identity: digest(&payload),
        payload,
    };
    let decoded = Decoded { items: vec![Item::Event(event)], ..Decoded::default() };
    let conn = world.sole_conn();
    world.give(Input::Frame { conn, decoded });
}

fn said(world: &World) -> Vec<(&str, Effect)> {
    let text = |payload| std::str::from_utf8(payload).unwrap();
    let records = world.changes().into_iter();
    records.map(|change| (text(&change.payload), change.effect)).collect()
}

fn shown(world: &World) -> String {
    let fold = world.stream_fold();
    String::from_utf8(fold.keys[&key(0)].payload.to_vec()).unwrap()
}

#[test]
fn two_values_of_the_same_millisecond_are_both_kept_and_the_later_arrival_shows() {
    let mut world = live();
    say(&mut world, "ready", 5_000);
    say(&mut world, "busy", 5_000);
    say(&mut world, "ready", 5_000);
    use Effect::State;
    assert_eq!(said(&world), [("ready", State), ("busy", State), ("ready", State)]);
    assert_eq!(shown(&world), "ready");
}

#[test]
fn only_an_equal_value_at_an_equal_time_is_a_repetition() {
    let mut world = live();
    say(&mut world, "ready", 5_000);
    say(&mut world, "ready", 5_000);
    assert_eq!(said(&world).len(), 1);
}

#[test]
fn an_older_time_is_kept_as_history_and_does_not_touch_state() {
    let mut world = live();
    say(&mut world, "busy", 9_000);
    say(&mut world, "ready", 5_000);
    assert_eq!(said(&world), [("busy", Effect::State), ("ready", Effect::History)]);
    assert_eq!(shown(&world), "busy");
}

#[test]
fn with_positions_times_decide_nothing() {
    let mut world = World::new(contiguous());
    world.emit(0);
    world.run_to_live();
    for (sequence, at_us) in [(2, 9_000), (3, 5_000), (4, 5_000)] {
        let payload = Bytes::from(format!("v{sequence}"));
        let event = Event {
            key: key(0),
            sequence: Some(sequence),
            bookmark: None,
            event_id: None,
            kind: None,
            deleted: false,
            occurred_at: Some(UnixMicros(at_us)),
            digest: digest(&payload),
            identity: digest(&payload),
            payload,
        };
        let conn = world.sole_conn();
        let epoch = world.epoch_name(0);
        let decoded = Decoded { items: vec![Item::Event(event)], epoch, subscription: None };
        world.give(Input::Frame { conn, decoded });
    }
    assert!(said(&world).iter().all(|(_, effect)| *effect == Effect::State));
    assert_eq!(shown(&world), "v4");
}
