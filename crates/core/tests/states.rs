//! Goal: a source that tells its keys' present states again and again gives one event for each
//! state that it shows, and no state travels back in time.

use crate::world::{World, bookmark, contiguous, key};
use bytes::Bytes;
use unbroken_core::connector::{
    Ack, Class, Connections, Decoded, Event, EventBody, Failure, Item, Numbering,
};
use unbroken_core::ids::ConnId;
use unbroken_core::machine::Input;
use unbroken_core::record::{GapCause, GapOutcome, digest};
use unbroken_core::time::UnixMicros;

const SECOND_US: i64 = 1_000_000;

/// A polled vendor: one connection, bookmarks of answers, states in place of changes.
fn polled() -> (World, ConnId) {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Opaque;
    rules.caps.event_body = EventBody::State;
    rules.caps.ack = Ack::WithPosition;
    rules.caps.epoch_named = false;
    rules.caps.subscribe_without_position = false;
    rules.caps.connections = Connections::One;
    let mut world = World::new(rules);
    world.emit(9);
    world.run_to_live();
    world.settle();
    let conn = world.sole_conn();
    // Places that the vendor knows; what it shows at them is each test's to say.
    for _ in 2..6 {
        world.emit(9);
    }
    world.socks.get_mut(&conn).unwrap().queue.clear();
    (world, conn)
}

/// One answer: each key's state and its time in seconds; the place, unless it is not the last page.
fn answer(world: &mut World, conn: ConnId, states: &[(u8, &str, i64)], place: Option<u64>) {
    let event = |(index, text, at): &(u8, &str, i64)| {
        let payload = Bytes::copy_from_slice(text.as_bytes());
        Item::Event(Event {
            key: key(*index),
            sequence: None,
            bookmark: None,
            event_id: None,
            kind: None,
            deleted: false,
            occurred_at: Some(UnixMicros(at * SECOND_US)),
            digest: digest(&payload),
            identity: digest(&payload),
            payload,
        })
    };
    let place = place.map(|at| Item::Bookmark { at: bookmark(at) });
    let items = states.iter().map(event).chain(place).collect();
    world.give(Input::Frame { conn, decoded: Decoded { items, ..Decoded::default() } });
}

fn texts(world: &World) -> Vec<String> {
    let text = |payload: &Bytes| String::from_utf8(payload.to_vec()).unwrap();
    world.changes().iter().map(|change| text(&change.payload)).collect()
}

fn shown(world: &World, index: u8) -> String {
    let payload = world.stream_fold().keys.get(&key(index)).unwrap().payload.clone();
    String::from_utf8(payload.to_vec()).unwrap()
}

fn outages(world: &World) -> usize {
    world.ledger().into_iter().filter(|row| row.cause != GapCause::Start).count()
}

/// Brings the stream back up to the confirmation; the connection, and the place asked from.
fn up_again(world: &mut World) -> (ConnId, u64) {
    while world.socks.is_empty() || world.socks[&world.sole_conn()].asked.is_none() {
        if !world.step() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.answer(conn);
    world.socks.get_mut(&conn).unwrap().queue.truncate(1);
    world.deliver(conn);
    (conn, world.asked.last().copied().flatten().unwrap())
}

fn again(world: &mut World, conn: ConnId) -> (ConnId, u64) {
    world.break_sock(conn);
    up_again(world)
}

#[test]
fn a_state_that_is_told_again_is_one_event() {
    let (mut world, conn) = polled();
    answer(&mut world, conn, &[(1, "A", 1), (2, "B", 1)], Some(2));
    answer(&mut world, conn, &[(1, "A", 1), (2, "C", 2)], Some(3));
    answer(&mut world, conn, &[(2, "C", 2)], Some(4));
    assert_eq!(texts(&world), ["A", "B", "C"]);
}

#[test]
fn there_and_back_again_is_three_events_even_when_the_time_stands_still() {
    let (mut world, conn) = polled();
    for (place, (text, at)) in (2..).zip([("A", 1), ("B", 1), ("A", 1)]) {
        answer(&mut world, conn, &[(1, text, at)], Some(place));
    }
    assert_eq!(texts(&world), ["A", "B", "A"]);
    assert_eq!(shown(&world, 1), "A");
}

#[test]
fn a_server_that_lags_does_not_turn_a_state_back() {
    let (mut world, conn) = polled();
    answer(&mut world, conn, &[(1, "A", 1)], Some(2));
    answer(&mut world, conn, &[(1, "B", 5)], Some(3));
    answer(&mut world, conn, &[(1, "A", 1)], Some(4));
    assert_eq!(texts(&world), ["A", "B"]);
    assert_eq!(shown(&world, 1), "B");
}

#[test]
fn a_clock_that_was_set_back_hides_nothing() {
    let (mut world, conn) = polled();
    answer(&mut world, conn, &[(1, "A", 36_000)], Some(2));
    answer(&mut world, conn, &[(1, "B", 1)], Some(3));
    assert_eq!(texts(&world), ["A", "B"], "nothing is under way for ten hours");
    assert_eq!(shown(&world, 1), "B");
}

#[test]
fn the_place_moves_with_the_last_page_only_and_a_lost_one_is_asked_for_again() {
    let (mut world, conn) = polled();
    answer(&mut world, conn, &[(1, "A", 1)], Some(2));
    answer(&mut world, conn, &[(1, "B", 2), (2, "X", 2)], None);
    world.commit();
    let (conn, asked) = again(&mut world, conn);
    assert_eq!(asked, 2, "the second page never came");
    // Told again: one that is held, one that is another state of the same key, in other places.
    answer(&mut world, conn, &[(2, "Y", 3), (1, "B", 2), (3, "Z", 3)], Some(3));
    assert_eq!(texts(&world), ["A", "B", "X", "Y", "Z"]);
    assert_eq!(shown(&world, 2), "Y");
    world.commit();
    assert_eq!(again(&mut world, conn).1, 3);
    assert_eq!(outages(&world), 0);
}

#[test]
fn the_same_holds_over_a_crash() {
    let (mut world, conn) = polled();
    answer(&mut world, conn, &[(1, "A", 1)], Some(2));
    answer(&mut world, conn, &[(1, "B", 2), (2, "X", 2)], None);
    world.commit();
    world.crash(0);
    let (conn, asked) = up_again(&mut world);
    assert_eq!(asked, 2);
    answer(&mut world, conn, &[(2, "Y", 3), (1, "B", 2)], Some(3));
    assert_eq!(texts(&world), ["A", "B", "X", "Y"]);
    assert_eq!(outages(&world), 0);
}

#[test]
fn a_place_that_stands_still_loses_and_repeats_nothing() {
    let (mut world, conn) = polled();
    for (text, at) in [("A", 1), ("B", 2), ("C", 3)] {
        answer(&mut world, conn, &[(1, text, at)], Some(2));
    }
    world.commit();
    let (conn, asked) = again(&mut world, conn);
    assert_eq!(asked, 2);
    answer(&mut world, conn, &[(1, "C", 3)], Some(2));
    answer(&mut world, conn, &[(1, "D", 4)], Some(3));
    world.commit();
    assert_eq!(texts(&world), ["A", "B", "C", "D"]);
    assert_eq!(again(&mut world, conn).1, 3);
    assert_eq!(outages(&world), 0);
}

/// Fires timers and answers pages until the stream is live, or is not.
fn run_until_live(world: &mut World, wanted: bool) {
    for _ in 0..200 {
        if world.is_live() == wanted {
            return;
        }
        world.tick();
        while !world.pages.is_empty() {
            world.page(world.events.len());
        }
    }
    panic!("it has not come to be {}live", if wanted { "" } else { "not " });
}

/// A vendor that has changed a key, which no answer tells, and an audit that has seen it once.
fn in_doubt() -> (World, ConnId) {
    let (mut world, conn) = polled();
    run_until_live(&mut world, false);
    (world, conn)
}

/// The second look, which finds the difference again, and what follows.
fn decide(world: &mut World, conn: ConnId) {
    for _ in 0..200 {
        if !world.socks.contains_key(&conn) {
            break;
        }
        assert!(!world.is_live());
        world.tick();
        while !world.pages.is_empty() {
            world.page(world.events.len());
        }
    }
    up_again(world);
    run_until_live(world, true);
    world.assert_state_is_the_vendors();
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.outcome), (GapCause::Drift, GapOutcome::Drift));
}

#[test]
fn a_doubt_that_an_audit_has_raised_outlives_the_connection() {
    let (mut world, conn) = in_doubt();
    let (mut conn, _) = again(&mut world, conn);
    for _ in 0..3 {
        assert!(!world.is_live(), "nothing has answered what the audit has asked");
        (conn, _) = again(&mut world, conn);
    }
    decide(&mut world, conn);
}

#[test]
fn a_second_look_that_finds_no_answer_is_taken_again() {
    let (mut world, conn) = in_doubt();
    let mut failures = 0;
    for _ in 0..400 {
        if failures == 40 {
            break;
        }
        world.tick();
        for (request, _) in std::mem::take(&mut world.pages) {
            let class = Class::Retry { after_ms: None };
            let failure = Failure { class, code: Some(503), what: "down".into() };
            world.give(Input::PageFailed { request, failure });
            failures += 1;
        }
        assert!(!world.is_live());
    }
    assert_eq!(failures, 40, "it has given up");
    decide(&mut world, conn);
}
