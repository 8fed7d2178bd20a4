//! Goal: make before break has no hole, no double, and never trusts a confirmation alone.

use crate::world;
use crate::world::{World, contiguous};
use unbroken_core::connector::{
    Class, Connections, Decoded, Failure, Item, Numbering, Replay, SnapshotKind,
};
use unbroken_core::ids::ConnId;
use unbroken_core::machine::{Budget, Input, Report};
use unbroken_core::record::{Body, Effect, Turn};

fn live(rules: world::Rules) -> World {
    let mut world = World::new(rules);
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    world.emit(0);
    world.settle();
    world
}

fn announce_close(world: &mut World) -> ConnId {
    let conn = world.sole_conn();
    let closing = Item::Closing { within_ms: Some(60_000) };
    let decoded = Decoded { items: vec![closing], ..Decoded::default() };
    world.give(Input::Frame { conn, decoded });
    conn
}

#[test]
fn the_second_connection_takes_over_after_the_join() {
    let mut world = live(contiguous());
    let old = announce_close(&mut world);
    assert_eq!(world.socks.len(), 2, "a second connection is opened beside the first");
    let new = world.sole_conn();
    world.accept(new);
    world.answer(new);
    world.deliver(new);
    assert!(world.socks.contains_key(&old), "a confirmation alone does not close the first");
    world.emit(1);
    world.settle();
    assert_eq!(world.socks.keys().collect::<Vec<_>>(), [&new]);
    world.emit(0);
    world.settle();
    assert!(world.is_live());
    assert_eq!(world.sequences(), [3, 4, 5]);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_hand_over_waits_until_a_jump_over_a_hole_is_durable() {
    let mut world = World::new(contiguous());
    world.emit(0);
    world.emit(1);
    while !world.is_live() {
        if !world.step_but_pages() {
            match world.pages.is_empty() {
                true => world.tick(),
                false => world.page(world.events.len()),
            }
        }
    }
    announce_close(&mut world);
    assert_eq!(
        world.socks.len(),
        1,
        "asked from before the jump, it would bring what was given up"
    );
    world.commit();
    assert_eq!(world.socks.len(), 2);
    world.emit(0);
    world.settle();
    assert_eq!(world.sequences(), [3]);
    world.assert_state_is_the_vendors();
}

#[test]
fn if_the_first_dies_before_the_join_the_second_must_prove_itself() {
    let mut world = live(contiguous());
    let old = announce_close(&mut world);
    let new = world.sole_conn();
    world.accept(new);
    world.answer(new);
    world.deliver(new);
    world.emit(1);
    world.break_sock(old);
    assert!(!world.is_live());
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [3, 4]);
    world.assert_state_is_the_vendors();
}

/// By the rule of those who read the log for who is Live: a connection beside it changes nothing.
fn live_by_the_log(world: &World) -> Option<ConnId> {
    let turns = world.records().into_iter().filter_map(|record| match &record.body {
        Body::Connection(turn) => Some(turn),
        _ => None,
    });
    turns.fold(None, |live, turn| match turn.turn {
        Turn::Live => Some(turn.conn),
        Turn::Opened => live,
        Turn::Doubted | Turn::Closed => live.filter(|conn| *conn != turn.conn),
    })
}

#[test]
fn a_kill_in_or_after_a_hand_over_ends_the_one_that_was_live() {
    for is_given_up in [false, true] {
        let mut world = live(contiguous());
        let old = announce_close(&mut world);
        let new = world.sole_conn();
        world.accept(new);
        if is_given_up {
            world.break_sock(new);
        }
        world.commit();
        assert_eq!(live_by_the_log(&world), Some(old));
        world.crash(0);
        assert_eq!(live_by_the_log(&world), None, "given up: {is_given_up}");
        world.run_to_live();
        assert!(live_by_the_log(&world).is_some_and(|conn| conn > new));
    }
}

#[test]
fn on_a_quiet_stream_the_deadline_makes_the_second_an_overlap() {
    let mut world = live(contiguous());
    let old = announce_close(&mut world);
    world.settle();
    assert_eq!(world.socks.len(), 2);
    while world.socks.contains_key(&old) {
        world.tick();
        world.settle();
    }
    world.run_to_live();
    assert_eq!(world.socks.len(), 1);
    world.emit(1);
    world.settle();
    assert_eq!(world.sequences(), [3, 4]);
    world.assert_state_is_the_vendors();
}

#[test]
fn where_the_vendor_allows_one_connection_nothing_is_opened_beside_it() {
    let mut rules = contiguous();
    rules.caps.connections = Connections::One;
    let mut world = live(rules);
    announce_close(&mut world);
    assert_eq!(world.socks.len(), 1);
    assert!(world.is_live());
}

#[test]
fn changed_keys_are_fetched_after_the_hand_over() {
    let mut world = live(contiguous());
    world.give(Input::KeysChanged { stream: world::stream() });
    world.emit(1);
    world.settle();
    world.run_to_live();
    assert_eq!(world.socks.len(), 1);
    let ends = |record: &&unbroken_core::record::Record| {
        matches!(record.body, unbroken_core::record::Body::SnapshotEnd(_))
    };
    assert_eq!(world.records().into_iter().filter(ends).count(), 2);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_flap_inside_a_hand_over_is_kept_whole_without_positions() {
    let mut world = live(without_positions());
    let before = world.changes().len();
    let old = announce_close(&mut world);
    let new = world.sole_conn();
    world.accept(new);
    world.answer(new);
    world.deliver(new);
    for _ in 0..3 {
        world.emit(0);
    }
    while !world.socks[&new].queue.is_empty() && world.socks.contains_key(&old) {
        if !world.socks[&old].queue.is_empty() {
            world.deliver(old);
        }
        if world.socks.contains_key(&new) {
            world.deliver(new);
        }
    }
    world.settle();
    assert_eq!(world.changes().len() - before, 3);
    world.assert_state_is_the_vendors();
}

fn without_positions() -> world::Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    rules
}

/// A second connection, subscribed.
fn second(world: &mut World) -> (ConnId, ConnId) {
    let old = announce_close(world);
    let new = world.sole_conn();
    world.accept(new);
    world.answer(new);
    world.deliver(new);
    (old, new)
}

#[test]
fn what_both_have_brought_is_stored_once_if_the_first_dies_before_the_join() {
    let mut world = live(without_positions());
    let before = world.changes().len();
    let (old, new) = second(&mut world);
    for key in 0..3 {
        world.emit(key);
    }
    // Of the second channel's first event the first channel knows nothing: no join shows.
    world.socks.get_mut(&old).unwrap().queue.pop_front();
    for conn in [old, old, new, new, new] {
        world.deliver(conn);
    }
    assert_eq!(world.changes().len() - before, 2);
    world.break_sock(old);
    assert_eq!(world.changes().len() - before, 3);
    // A moment later the same may come again as news.
    world.run_to_live();
    world.now = world.now + world.rules.timing.grace_ms + 1;
    world.tick();
    world.emit(1);
    world.settle();
    assert_eq!(world.changes().len() - before, 4);
    world.assert_state_is_the_vendors();
}

#[test]
fn what_only_the_second_has_brought_and_is_older_is_history_if_both_die_before_the_join() {
    let mut rules = without_positions();
    rules.times = true;
    let mut world = live(rules);
    let before = world.changes().len();
    let (old, new) = second(&mut world);
    for key in [0, 1, 0] {
        world.now = world.now + 1;
        world.emit(key);
    }
    world.socks.get_mut(&old).unwrap().queue.pop_front();
    for conn in [old, old, new] {
        world.deliver(conn);
    }
    world.break_sock(old);
    world.break_sock(new);
    let effects: Vec<Effect> = world.changes()[before..].iter().map(|c| c.effect).collect();
    assert_eq!(effects, [Effect::State, Effect::State, Effect::History]);
    world.run_to_live();
    assert_eq!(world.changes().len() - before, 3);
    world.assert_state_is_the_vendors();
}

/// A sign of life.
fn beat(world: &mut World, conn: ConnId) {
    world.give(Input::Frame { conn, decoded: Decoded::default() });
}

#[test]
fn at_night_a_second_connection_takes_over_without_a_row() {
    let mut world = live(without_positions());
    let rows = world.ledger().len();
    let (old, new) = second(&mut world);
    // The first answers the ping that follows the confirmation.
    world.now = world.now + 1;
    beat(&mut world, old);
    while world.socks.contains_key(&old) {
        world.tick();
        for conn in [old, new] {
            if world.socks.contains_key(&conn) {
                beat(&mut world, conn);
            }
        }
    }
    assert!(world.is_live());
    assert_eq!(world.socks.keys().collect::<Vec<_>>(), [&new]);
    assert_eq!(world.ledger().len(), rows, "nobody has missed anything");
    let before = world.changes().len();
    world.emit(0);
    world.settle();
    assert_eq!(world.changes().len() - before, 1);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_second_connection_that_is_mute_does_not_take_over() {
    let mut world = live(without_positions());
    let (old, new) = second(&mut world);
    let before = world.changes().len();
    world.now = world.now + world.rules.timing.grace_ms + 1;
    world.emit(0);
    world.socks.get_mut(&new).unwrap().queue.clear();
    world.deliver(old);
    assert_eq!(world.changes().len() - before, 1);
    while world.socks.contains_key(&new) {
        world.tick();
        beat(&mut world, old);
    }
    assert!(world.is_live(), "the first goes on");
    assert!(world.socks.contains_key(&old));
}

#[test]
fn a_hand_over_ends_before_the_vendor_closes() {
    let mut world = live(without_positions());
    let rows = world.ledger().len();
    let (old, closes_at) = (world.sole_conn(), world.now + 400);
    let items = vec![Item::Closing { within_ms: Some(400) }];
    world.give(Input::Frame { conn: old, decoded: Decoded { items, ..Decoded::default() } });
    let new = world.sole_conn();
    world.accept(new);
    world.answer(new);
    world.deliver(new);
    world.now = world.now + 1;
    beat(&mut world, old);
    while world.socks.contains_key(&old) {
        world.tick();
    }
    assert!(world.now < closes_at, "{:?}", world.now);
    assert!(world.is_live());
    assert_eq!(world.ledger().len(), rows);
}

#[test]
fn a_flap_behind_a_hand_over_is_no_echo_of_what_the_first_brought_alone() {
    let mut world = live(without_positions());
    let before = world.changes().len();
    let old = announce_close(&mut world);
    let new = world.sole_conn();
    world.accept(new);
    // The vendor does not serve the second connection yet.
    world.emit(0);
    world.deliver(old);
    let alone = world.events[world.events.len() - 1];
    world.answer(new);
    world.deliver(new);
    world.emit(0);
    world.settle();
    assert_eq!(world.socks.keys().collect::<Vec<_>>(), [&new]);
    assert_eq!(world.changes().len() - before, 2);
    let decoded = world.frame(&alone);
    world.give(Input::Frame { conn: new, decoded });
    assert_eq!(world.changes().len() - before, 3, "A, B, and A again");
}

#[test]
fn keys_that_change_during_a_hand_over_are_subscribed_to() {
    let mut world = live(without_positions());
    let (_, stale) = second(&mut world);
    world.give(Input::KeysChanged { stream: world::stream() });
    assert!(!world.socks.contains_key(&stale), "it knows the keys from before");
    let fresh = world.sole_conn();
    assert_ne!(fresh, stale);
    world.accept(fresh);
    world.answer(fresh);
    world.deliver(fresh);
    world.emit(0);
    world.settle();
    assert_eq!(world.socks.keys().collect::<Vec<_>>(), [&fresh]);
    world.run_to_live();
    world.assert_state_is_the_vendors();
}

#[test]
fn a_second_connection_that_is_refused_is_not_tried_ever_faster() {
    let mut rules = without_positions();
    rules.timing.handover_ms = 60_000;
    // Room for hundreds: it is not the budget that holds them back.
    rules.budget = Budget::demo();
    let mut world = live(rules);
    let old = world.sole_conn();
    let items = vec![Item::Closing { within_ms: Some(5_000) }];
    world.give(Input::Frame { conn: old, decoded: Decoded { items, ..Decoded::default() } });
    let begun = world.now;
    while world.now < begun + 20_000 && world.socks.contains_key(&old) {
        if let Some(new) = world.socks.keys().copied().find(|conn| *conn != old) {
            let class = Class::Retry { after_ms: None };
            let failure = Failure { class, code: Some(503), what: "HTTP 503".into() };
            world.socks.remove(&new);
            world.give(Input::Refused { conn: new, failure });
        }
        world.tick();
        beat(&mut world, old);
    }
    assert!(world.is_live(), "the first goes on for as long as it is there");
    let is_lost = |report: &&Report| matches!(report, Report::Lost { .. });
    let tries = world.reports.iter().filter(is_lost).count();
    assert!((2..20).contains(&tries), "tried {tries} times in 20 s");
}

#[test]
fn what_is_expected_of_a_second_connection_is_bounded() {
    let mut rules = without_positions();
    rules.timing.held_max = 5;
    let mut world = live(rules);
    let (old, new) = second(&mut world);
    world.socks.get_mut(&new).unwrap().mute = true;
    for _ in 0..6 {
        assert!(world.socks.contains_key(&new));
        world.emit(0);
        world.deliver(old);
    }
    assert!(!world.socks.contains_key(&new), "given up for now");
    assert!(world.is_live() && world.socks.contains_key(&old));
    assert!(world.reports.iter().any(|report| matches!(report, Report::Lost { .. })));
}
