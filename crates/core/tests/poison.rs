//! Goal: bytes that cannot be understood stop nothing and are not passed over in silence.

use crate::world;
use crate::world::{World, contiguous, stream};
use bytes::Bytes;
use unbroken_core::connector::{Ack, Class, Decoded, Failure, Item, Numbering, Replay};
use unbroken_core::ids::{ConnId, Label};
use unbroken_core::machine::{Blocked, Input, Phase, Report};
use unbroken_core::record::{
    Body, GapCause, GapClosed, GapOutcome, QUARANTINE_BYTES_MAX, Quarantined, digest,
};

fn live(rules: world::Rules) -> World {
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world
}

fn increasing() -> world::Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    rules
}

/// Holes mean nothing, and nothing is replayed.
fn forgetful() -> world::Rules {
    let mut rules = increasing();
    rules.caps.replay = Replay::None;
    rules
}

fn poison() -> Decoded {
    poison_of(Bytes::from_static(b"{\"adherence\":7}"))
}

fn poison_of(bytes: Bytes) -> Decoded {
    let reason = Label::from("at /adherence: expected an object, found a number");
    Decoded { items: vec![Item::Poison { reason, bytes }], ..Decoded::default() }
}

fn quarantined(world: &World) -> Vec<Quarantined> {
    let records = world.records().into_iter();
    let found = records.filter_map(|record| match &record.body {
        Body::Quarantined(quarantined) => Some(quarantined.clone()),
        _ => None,
    });
    found.collect()
}

/// The last event of the vendor's arrives as bytes that cannot be understood.
fn poison_last(world: &mut World, conn: ConnId) {
    *world.socks.get_mut(&conn).unwrap().queue.back_mut().unwrap() = poison();
}

#[test]
fn poison_is_quarantined_and_stepped_over_with_a_ledger_row() {
    let mut world = live(contiguous());
    world.emit(1);
    world.settle();
    world.emit(0);
    world.emit(1);
    for _ in 0..40 {
        if world.is_live() && world.sequences().contains(&4) {
            break;
        }
        let conns: Vec<_> = world.socks.keys().copied().collect();
        for conn in conns {
            let bad = world.events[2];
            let bad = world.frame(&bad);
            let queue = &mut world.socks.get_mut(&conn).unwrap().queue;
            if let Some(at) = queue.iter().position(|frame| *frame == bad) {
                queue[at] = poison();
            }
        }
        if !world.step() {
            world.tick();
        }
    }
    world.settle();
    let quarantined =
        world.records().iter().filter(|r| matches!(r.body, Body::Quarantined(_))).count();
    assert!(quarantined >= 1);
    assert_eq!(world.sequences(), [2, 4]);
    let covered = world.ledger().iter().any(|row| {
        row.after.is_some_and(|p| p.sequence <= 2) && row.through.is_some_and(|p| p.sequence == 3)
    });
    assert!(covered, "the hole is in the ledger: {:?}", world.ledger());
    world.assert_state_is_the_vendors();
}

#[test]
fn it_is_kept_with_length_and_digest_up_to_a_bound() {
    let mut world = live(forgetful());
    let bytes = Bytes::from(vec![7_u8; QUARANTINE_BYTES_MAX + 1]);
    let conn = world.sole_conn();
    world.give(Input::Frame { conn, decoded: poison_of(bytes.clone()) });
    let kept = quarantined(&world).remove(0);
    assert_eq!((kept.length, kept.digest), (bytes.len() as u64, digest(&bytes)));
    assert_eq!(kept.bytes.len(), QUARANTINE_BYTES_MAX);
    let unit = &world.log.last().unwrap().records;
    let opened =
        |body: &Body| matches!(body, Body::GapOpened(gap) if gap.cause == GapCause::Poison);
    assert!(unit.iter().any(|record| opened(&record.body)), "bytes and row are one unit");
}

#[test]
fn where_numbers_have_holes_and_history_is_kept_it_is_asked_for_again() {
    let mut world = live(increasing());
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.emit(1);
    poison_last(&mut world, conn);
    world.emit(0);
    world.deliver(conn);
    world.run_to_live();
    world.settle();
    assert!(!world.socks.contains_key(&conn));
    assert_eq!(world.sequences(), [4, 6, 8], "what came garbled came whole the second time");
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_hard_way_back_does_not_use_up_the_right_to_ask_again() {
    let mut world = live(increasing());
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    for _ in 0..4 {
        while world.socks.is_empty() {
            world.settle();
            world.tick();
        }
        let conn = world.sole_conn();
        world.socks.remove(&conn);
        let class = Class::Retry { after_ms: None };
        let failure = Failure { class, code: Some(503), what: Label::from("503") };
        world.give(Input::Refused { conn, failure });
    }
    world.run_to_live();
    let conn = world.sole_conn();
    world.emit(1);
    poison_last(&mut world, conn);
    world.deliver(conn);
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [4, 6], "what came garbled came whole the second time");
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start), "{:?}", world.ledger());
}

#[test]
fn a_vendor_that_sends_such_bytes_all_the_time_is_not_asked_all_the_time() {
    let mut world = live(increasing());
    let mut conns = std::collections::BTreeSet::from([world.sole_conn()]);
    for _ in 0..20 {
        let conn = world.sole_conn();
        world.emit(0);
        let queue = &mut world.socks.get_mut(&conn).unwrap().queue;
        queue.push_front(poison());
        world.deliver(conn);
        world.run_to_live();
        world.settle();
        conns.extend(world.socks.keys());
    }
    assert!((2..=10).contains(&conns.len()), "{} sockets for 20 frames", conns.len());
    assert_eq!(world.sequences().len(), 20, "the stream has gone on");
}

#[test]
fn where_numbers_have_holes_and_nothing_is_replayed_it_is_on_the_ledger_at_once() {
    let mut world = live(forgetful());
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.emit(1);
    poison_last(&mut world, conn);
    world.emit(0);
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [4, 8]);
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.outcome), (GapCause::Poison, GapOutcome::Unrecoverable));
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (4, 7));
    world.assert_state_is_the_vendors();
}

#[test]
fn without_positions_its_row_ends_behind_the_moment_at_which_it_came() {
    let mut rules = forgetful();
    rules.caps.position = Numbering::None;
    rules.caps.snapshot = unbroken_core::connector::SnapshotKind::Unpositioned;
    let mut world = live(rules);
    for _ in 0..3 {
        world.now = world.now + 1_000;
        world.emit(0);
        world.settle();
    }
    let came_at = world.moment().wall;
    let conn = world.sole_conn();
    world.give(Input::Frame { conn, decoded: poison() });
    world.run_to_live();
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.outcome), (GapCause::Poison, GapOutcome::Unproven));
    assert!(row.wall_from <= came_at && row.wall_to >= came_at, "{row:?}");
}

#[test]
fn as_the_last_thing_that_came_its_row_reaches_to_the_snapshot_s_tag() {
    let mut rules = increasing();
    rules.caps.snapshot_staleness_ms_max = 4_000;
    let mut world = live(rules);
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.emit(1);
    poison_last(&mut world, conn);
    world.deliver(conn);
    let whole = world.frame(&world.events[2].clone());
    let (mut again_at, mut fetched_at) = (None, None);
    for _ in 0..200 {
        for sock in world.socks.values_mut() {
            for frame in sock.queue.iter_mut().filter(|frame| **frame == whole) {
                *frame = poison();
            }
        }
        if quarantined(&world).len() > 1 {
            again_at.get_or_insert(world.now);
            if !world.pages.is_empty() {
                fetched_at.get_or_insert(world.now);
            }
        }
        if !world.step() {
            if world.is_live() {
                break;
            }
            world.tick();
        }
    }
    assert!(world.is_live(), "the same bytes again and again: {:?}", world.ledger());
    let waited_ms = fetched_at.unwrap().since(again_at.unwrap());
    assert!(waited_ms >= 4_000, "an answer from a cache could not show it yet: {waited_ms} ms");
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.outcome), (GapCause::Poison, GapOutcome::Unrecoverable));
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (4, 6));
    world.assert_state_is_the_vendors();
}

#[test]
fn it_is_on_the_ledger_when_it_comes_while_state_is_fetched() {
    let mut world = live(forgetful());
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(1);
    while world.pages.is_empty() {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.emit(0);
    world.deliver(conn);
    let before_it = world.events.len();
    world.emit(1);
    poison_last(&mut world, conn);
    world.deliver(conn);
    if !world.pages.is_empty() {
        world.page(before_it);
    }
    world.run_to_live();
    world.emit(0);
    world.settle();
    world.assert_state_is_the_vendors();
    assert_eq!(world.sequences(), [6, 10]);
    let rows = world.ledger();
    let holds = |row: &unbroken_core::record::GapClosed| {
        row.after.is_some_and(|p| p.sequence < 8) && row.through.is_some_and(|p| p.sequence >= 8)
    };
    assert!(rows.iter().any(holds), "the poisoned event 8 is in no row: {rows:?}");
}

#[test]
fn while_state_is_fetched_it_is_asked_for_again_too() {
    let mut world = live(increasing());
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(1);
    world.purge();
    while world.pages.is_empty() || !world.socks.values().any(|sock| sock.subscribed) {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.emit(0);
    while !world.socks[&conn].queue.is_empty() {
        world.deliver(conn);
    }
    world.emit(1);
    poison_last(&mut world, conn);
    world.deliver(conn);
    assert!(!world.socks.contains_key(&conn), "given up");
    world.run_to_live();
    world.emit(0);
    world.settle();
    assert_eq!(world.sequences(), [6, 8, 10], "what came garbled came whole the second time");
    assert!(world.ledger().iter().all(|row| row.cause != GapCause::Poison));
    world.assert_state_is_the_vendors();
}

#[test]
fn if_nothing_else_comes_any_more_it_stops_loudly() {
    let mut world = live(increasing());
    let mut given = 0;
    while !matches!(world.machine.phase(&stream()), Some(Phase::Blocked { .. })) {
        let conns: Vec<_> = world.socks.iter().filter(|(_, s)| s.subscribed).collect();
        match conns.first().map(|(conn, _)| **conn) {
            Some(conn) => {
                given += 1;
                world.give(Input::Frame { conn, decoded: poison() });
            }
            None => world.tick(),
        }
        world.settle();
        assert!(given < 1_000, "it goes on for ever");
    }
    let why = match world.machine.phase(&stream()) {
        Some(Phase::Blocked { why: Blocked::Fatal { failure } }) => failure.what.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(why.contains("not understood"), "{why}");
    assert_eq!(quarantined(&world).len(), given, "and everything that came is kept");
}

#[test]
fn what_is_understood_in_between_lets_it_go_on() {
    let mut world = live(forgetful());
    for _ in 0..300 {
        let conn = world.sole_conn();
        world.give(Input::Frame { conn, decoded: poison() });
        world.emit(0);
        world.settle();
    }
    world.run_to_live();
    assert_eq!(world.sequences().len(), 300);
}

#[test]
fn what_the_second_connection_of_a_hand_over_could_not_tell_is_on_the_ledger() {
    let mut world = live(increasing());
    world.emit(0);
    world.settle();
    let old = world.sole_conn();
    let closing = Item::Closing { within_ms: Some(60_000) };
    let decoded = Decoded { items: vec![closing], ..Decoded::default() };
    world.give(Input::Frame { conn: old, decoded });
    let new = world.sole_conn();
    world.accept(new);
    world.answer(new);
    world.deliver(new);
    world.emit(1);
    poison_last(&mut world, new);
    world.deliver(new);
    world.break_sock(old);
    world.run_to_live();
    world.emit(0);
    world.settle();
    world.assert_state_is_the_vendors();
    let held = world.sequences().contains(&6);
    let covered = world.ledger().iter().any(|row| {
        row.after.is_some_and(|p| p.sequence < 6) && row.through.is_some_and(|p| p.sequence >= 6)
    });
    assert!(held || covered, "event 6 is neither held nor covered: {:?}", world.ledger());
}

/// What was read together with such bytes is not served again: the vendor has forgotten it when it
/// is asked.
#[test]
fn what_was_read_behind_it_is_kept_if_the_vendor_has_forgotten_it() {
    let mut rules = increasing();
    rules.caps.ack = Ack::WithPosition;
    let mut world = live(rules);
    world.emit(1);
    world.settle();
    let conn = world.sole_conn();
    (0..3).for_each(|_| world.emit(0));
    world.garble(conn);
    world.deliver(conn);
    world.deliver(conn);
    assert!(world.socks.contains_key(&conn), "it is left when all that was read is taken in");
    world.tick();
    assert!(!world.socks.contains_key(&conn));
    world.purge();
    world.emit(1);
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [4, 8, 10, 12]);
    let lost = world.ledger().into_iter().filter(|row| row.outcome == GapOutcome::Unrecoverable);
    let lost: Vec<_> = lost.filter_map(|row| row.after.zip(row.through)).collect();
    let [(after, through)] = &lost[..] else { panic!("{lost:?}") };
    assert_eq!((after.sequence, through.sequence), (4, 7));
    world.assert_state_is_the_vendors();
}

#[test]
fn what_was_read_behind_it_comes_again_and_counts_once() {
    let mut rules = increasing();
    rules.caps.ack = Ack::WithPosition;
    let mut world = live(rules);
    world.emit(1);
    world.settle();
    let conn = world.sole_conn();
    (0..3).for_each(|_| world.emit(0));
    world.garble(conn);
    world.deliver(conn);
    world.deliver(conn);
    world.tick();
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [4, 6, 8, 10]);
    let is_lossless =
        |row: &GapClosed| row.cause == GapCause::Start || row.outcome == GapOutcome::Repaired;
    assert!(world.ledger().iter().all(is_lossless), "{:?}", world.ledger());
    world.assert_state_is_the_vendors();
}

#[test]
fn an_alarm_behind_it_does_not_take_in_what_waits_before_the_rest_has_come_again() {
    let mut rules = increasing();
    rules.caps.ack = Ack::WithPosition;
    let mut world = live(rules);
    world.emit(1);
    world.settle();
    let conn = world.sole_conn();
    (0..12).for_each(|_| world.emit(0));
    // Every second one is garbled: five are an alarm.
    for _ in 0..6 {
        world.garble(conn);
        world.deliver(conn);
    }
    let is_alarm = |report: &Report| matches!(report, Report::SchemaChanged { .. });
    assert!(world.reports.iter().any(is_alarm));
    world.tick();
    assert!(!world.socks.contains_key(&conn), "it is left, to ask again");
    world.run_to_live();
    world.settle();
    let all: Vec<u64> = (2..15).map(|step| 2 * step).collect();
    assert_eq!(world.sequences(), all);
    world.assert_state_is_the_vendors();
}

fn garbled_again(meanwhile: impl FnOnce(&mut World)) -> World {
    let mut rules = increasing();
    rules.caps.ack = Ack::WithPosition;
    let mut world = live(rules);
    world.emit(1);
    world.settle();
    let conn = world.sole_conn();
    (0..4).for_each(|_| world.emit(0));
    // The first and the third are garbled, and the first comes garbled again.
    for _ in 0..2 {
        world.garble(conn);
        world.deliver(conn);
    }
    world.tick();
    assert!(!world.socks.contains_key(&conn), "it is left, to ask again");
    while world.socks.is_empty() {
        if !world.step() {
            world.tick();
        }
    }
    let again = world.sole_conn();
    world.accept(again);
    world.answer(again);
    world.deliver(again);
    world.garble(again);
    meanwhile(&mut world);
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [4, 8, 10, 12]);
    let is_open_to_doubt = |row: &GapClosed| {
        row.cause == GapCause::Poison
            && row.after.is_some_and(|after| after.sequence < 6)
            && row.through.is_some_and(|through| through.sequence >= 6)
    };
    assert!(world.ledger().iter().any(is_open_to_doubt), "{:?}", world.ledger());
    world.assert_state_is_the_vendors();
    world
}

#[test]
fn what_comes_garbled_again_does_not_take_in_what_waits_before_the_rest_has_come_again() {
    garbled_again(|_| {});
}

#[test]
fn nor_is_it_forgotten_while_state_is_fetched_meanwhile() {
    garbled_again(|world| {
        world.give(Input::Resync { stream: stream(), keys: None });
        assert!(!world.is_live());
    });
}
