//! Goal: positions that can only be compared are resumed from, deduplicated by, and never guessed.

use std::collections::BTreeSet;

use crate::world;
use crate::world::{OnOld, World, bookmark, contiguous, stream};
use bytes::Bytes;
use unbroken_core::connector::{Ack, Connections, Decoded, Item, Numbering};
use unbroken_core::ids::{ConnId, Label};
use unbroken_core::machine::{Input, Proof, Report};
use unbroken_core::record::{Body, GapCause, GapOutcome};

/// The vendor confirms with the bookmark from which it goes on.
fn confirming() -> world::Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Opaque;
    rules.caps.ack = Ack::WithPosition;
    rules.caps.epoch_named = false;
    rules
}

fn live(rules: world::Rules) -> World {
    let mut world = World::new(rules);
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    world.emit(0);
    world.emit(1);
    world.settle();
    world
}

/// The vendor's places of the events in the log.
fn places(world: &World) -> Vec<u64> {
    world.changes().iter().map(|change| world.place(change.position.unwrap())).collect()
}

fn outages(world: &World) -> Vec<unbroken_core::record::GapClosed> {
    world.ledger().into_iter().filter(|row| row.cause != GapCause::Start).collect()
}

#[test]
fn an_outage_is_resumed_from_the_last_bookmark_and_loses_nothing() {
    let mut world = live(confirming());
    let conn = world.sole_conn();
    world.break_sock(conn);
    for k in 0..3 {
        world.emit(k % 2);
    }
    world.run_to_live();
    world.emit(0);
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(4)));
    assert!(world.reports.contains(&Report::Proved { stream: stream(), proof: Proof::Ack }));
    assert_eq!(places(&world), [3, 4, 5, 6, 7, 8]);
    assert_eq!(outages(&world), []);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_restart_asks_from_the_bookmark_on_disk() {
    let mut world = live(confirming());
    world.emit(0);
    let conn = world.sole_conn();
    world.deliver(conn);
    world.crash(0);
    world.emit(1);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(4)));
    assert_eq!(places(&world), [3, 4, 5, 6]);
    assert_eq!(outages(&world), []);
    world.assert_state_is_the_vendors();
}

#[test]
fn what_is_on_its_way_to_the_disk_is_waited_for() {
    let mut world = live(confirming());
    world.emit(0);
    let conn = world.sole_conn();
    world.deliver(conn);
    world.break_sock(conn);
    assert!(world.socks.is_empty() && world.pages.is_empty(), "a page asked twice may differ");
    world.commit();
    world.run_to_live();
    assert_eq!(world.asked.last(), Some(&Some(5)));
    world.settle();
    assert_eq!(places(&world), [3, 4, 5]);
}

#[test]
fn events_that_come_again_are_known_by_their_bookmarks() {
    let mut world = live(confirming());
    let conn = world.sole_conn();
    for index in [2, 3, 2] {
        let made = world.events[index];
        let decoded = world.frame(&made);
        world.give(Input::Frame { conn, decoded });
    }
    world.emit(0);
    world.settle();
    assert_eq!(places(&world), [3, 4, 5]);
}

#[test]
fn a_refused_bookmark_leads_to_the_snapshot_and_a_row_that_is_an_interval() {
    let mut world = live(confirming());
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.emit(1);
    world.purge();
    world.run_to_live();
    world.emit(0);
    world.settle();
    world.assert_state_is_the_vendors();
    assert_eq!(places(&world), [3, 4, 7]);
    let row = outages(&world).remove(0);
    assert_eq!((row.cause, row.outcome), (GapCause::Refused, GapOutcome::Unrecoverable));
    assert!(row.after < row.through, "what is missing has a number: {row:?}");
    assert_eq!(world.place(row.after.unwrap()), 4);
    assert_eq!(world.place(row.through.unwrap()), 6, "the snapshot's bookmark names its end");
}

#[test]
fn after_a_snapshot_its_bookmark_is_where_the_next_resume_begins() {
    let mut world = World::new(confirming());
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(2)), "no event has come before");
    assert_eq!(places(&world), [3]);
    assert_eq!(outages(&world), []);
}

#[test]
fn a_later_snapshot_on_the_socket_of_a_rebase_leaves_the_bookmark_of_its_base() {
    let poison = || {
        let (reason, bytes) = (Label::from("bent"), Bytes::from_static(b"?"));
        Decoded { items: vec![Item::Poison { reason, bytes }], ..Decoded::default() }
    };
    let mut world = live(confirming());
    // So often that the vendor is not asked again any more.
    for _ in 0..10 {
        let conn = world.sole_conn();
        world.give(Input::Frame { conn, decoded: poison() });
        world.run_to_live();
        world.emit(0);
        world.settle();
    }
    let before = outages(&world).len();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    world.run_to_live();
    world.emit(1);
    world.settle();
    let conn = world.sole_conn();
    world.give(Input::Frame { conn, decoded: poison() });
    world.emit(0);
    world.run_to_live();
    world.settle();
    assert_eq!(world.sole_conn(), conn, "the snapshot came beside the stream");
    assert_eq!(outages(&world).len(), before + 2);
    let booked = world.booked();
    let numbers: BTreeSet<u64> = booked.iter().map(|(at, _)| *at).collect();
    assert_eq!(numbers.len(), booked.len(), "a number names one place: {booked:?}");
    world.assert_state_is_the_vendors();
}

#[test]
fn an_unknown_bookmark_in_the_confirmation_proves_nothing() {
    let mut world = live(world::Rules { on_old: OnOld::Clamp, ..confirming() });
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    world.emit(1);
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
    assert_eq!(places(&world), [3, 4, 6]);
    let row = outages(&world).remove(0);
    assert_eq!((row.cause, row.outcome), (GapCause::Unproven, GapOutcome::Unproven));
    assert!(row.after < row.through);
    assert_eq!(world.place(row.after.unwrap()), 4);
}

#[test]
fn without_a_telling_confirmation_the_last_event_coming_again_proves_it() {
    let mut rules = confirming();
    rules.caps.ack = Ack::Plain;
    let mut world = live(rules);
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(3)), "from before the last one");
    assert!(world.reports.contains(&Report::Proved { stream: stream(), proof: Proof::Anchor }));
    assert_eq!(places(&world), [3, 4, 5]);
    assert_eq!(outages(&world), []);
}

#[test]
fn where_another_event_comes_in_its_place_the_vendor_began_later() {
    let mut rules = world::Rules { on_old: OnOld::Clamp, ..confirming() };
    rules.caps.ack = Ack::Plain;
    let mut world = live(rules);
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    world.emit(1);
    world.run_to_live();
    world.emit(0);
    world.settle();
    world.assert_state_is_the_vendors();
    assert_eq!(places(&world), [3, 4, 6, 7]);
    let row = outages(&world).remove(0);
    assert_eq!((row.cause, row.outcome), (GapCause::Clamped, GapOutcome::Unrecoverable));
    assert!(row.after < row.through, "{row:?}");
}

/// One answer of a vendor that is asked again and again: events without a position of their own,
/// and one bookmark for the whole page.
fn page(world: &mut World, conn: ConnId, indices: &[usize], at: u64) {
    let mut decoded = unbroken_core::connector::Decoded::default();
    for index in indices {
        let made = world.events[*index];
        for item in world.frame(&made).items {
            if let Item::Event(mut event) = item {
                event.bookmark = None;
                decoded.items.push(Item::Event(event));
            }
        }
    }
    decoded.items.push(Item::Bookmark { at: bookmark(at) });
    world.give(Input::Frame { conn, decoded });
}

/// As [`confirming`], polled: one connection, bookmarks of pages only.
fn polled() -> (World, ConnId) {
    let mut rules = confirming();
    rules.caps.connections = Connections::One;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world.settle();
    let conn = world.sole_conn();
    for k in [1, 0, 1] {
        world.emit(k);
    }
    world.socks.get_mut(&conn).unwrap().queue.clear();
    (world, conn)
}

#[test]
fn a_page_s_bookmark_is_taken_with_its_events_in_one_unit() {
    let (mut world, conn) = polled();
    let units = world.log.len();
    page(&mut world, conn, &[1, 2, 3], 4);
    assert_eq!(world.log.len(), units + 1);
    let unit = world.log.last().unwrap();
    assert_eq!(unit.records.len(), 4, "three events and the bookmark");
    assert!(matches!(unit.records[3].body, Body::Progress { .. }));
    world.commit();
    assert_eq!(world.place(world.durable_position().unwrap()), 4);
    world.crash(0);
    world.emit(0);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(4)));
    assert_eq!(world.changes().len(), 4);
    assert_eq!(outages(&world), []);
    world.assert_state_is_the_vendors();
}

#[test]
fn events_behind_the_last_bookmark_are_not_taken_twice_after_a_restart() {
    let (mut world, conn) = polled();
    page(&mut world, conn, &[1], 2);
    let mut loose = world.frame(&world.events[2].clone());
    if let Item::Event(event) = &mut loose.items[0] {
        event.bookmark = None;
    }
    world.give(Input::Frame { conn, decoded: loose.clone() });
    world.commit();
    assert_eq!(world.place(world.durable_position().unwrap()), 2, "not behind the loose event");
    world.crash(0);
    while world.socks.is_empty() || world.socks[&world.sole_conn()].asked.is_none() {
        if !world.step() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.answer(conn);
    world.socks.get_mut(&conn).unwrap().queue.truncate(1);
    world.deliver(conn);
    page(&mut world, conn, &[2, 3], 4);
    world.run_to_live();
    assert_eq!(world.asked.last(), Some(&Some(2)));
    assert_eq!(world.changes().len(), 3);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_quiet_page_moves_the_bookmark_now_and_then_and_only_while_live() {
    let (mut world, conn) = polled();
    page(&mut world, conn, &[1, 2, 3], 4);
    let units = world.log.len();
    for at in 5..50 {
        page(&mut world, conn, &[], at);
    }
    assert_eq!(world.log.len(), units + 1, "once in ten seconds");
    world.settle();
    assert_eq!(world.place(world.durable_position().unwrap()), 5);
}

/// A numbering that the vendor names begins again while we are away, and events of it come before
/// the snapshot does.
fn reset_with_events_first(rules: world::Rules) -> World {
    let mut world = live(rules);
    world.reset_epoch();
    for k in [0, 1] {
        world.emit(k);
    }
    while !world.socks.values().any(|sock| sock.subscribed) {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    for k in [0, 1, 0] {
        world.emit(k);
    }
    while world.step_but_pages() {}
    world
}

#[test]
fn events_of_a_new_numbering_that_came_before_its_snapshot_are_kept_in_their_place() {
    let mut rules = confirming();
    rules.caps.epoch_named = true;
    rules.caps.replay = unbroken_core::connector::Replay::None;
    let mut world = reset_with_events_first(rules);
    world.page(world.events.len() - 1);
    world.run_to_live();
    world.emit(1);
    world.settle();
    world.assert_state_is_the_vendors();
    let new: Vec<_> =
        world.changes().into_iter().filter(|c| c.position.unwrap().epoch.0 == 1).collect();
    assert_eq!(new.len(), 4, "all that came, once");
    use unbroken_core::record::Effect::{History, State};
    let effects: Vec<_> = new.iter().map(|change| change.effect).collect();
    assert_eq!(effects, [History, History, State, State], "the snapshot showed two of them");
    let row = outages(&world).remove(0);
    assert_eq!(row.cause, GapCause::EpochChanged);
    assert!(row.through.unwrap() < new[0].position.unwrap(), "nothing that came is given up");
}

#[test]
fn events_of_a_new_numbering_outlive_the_socket_that_brought_them() {
    let mut rules = confirming();
    rules.caps.epoch_named = true;
    rules.caps.replay = unbroken_core::connector::Replay::None;
    let mut world = reset_with_events_first(rules);
    world.pages.clear();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(1);
    world.run_to_live();
    world.emit(1);
    world.settle();
    world.assert_state_is_the_vendors();
    let changes = world.changes();
    let new = changes.iter().filter(|c| c.position.unwrap().epoch.0 == 1);
    assert_eq!(new.count(), 4, "three of the first socket, one of the second");
}
