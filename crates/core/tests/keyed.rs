//! Goal: a resync of named keys brings those up to date, and nothing follows from it for others.
use crate::world;
use crate::world::{Rules, World, contiguous, key, stream};
use unbroken_core::connector::{Ack, Coverage, Numbering, Page, Row, SnapshotBody, SnapshotKind};
use unbroken_core::ids::Key;
use unbroken_core::machine::{Input, Report};
use unbroken_core::record::{Body, Effect, SnapshotBegin, SnapshotEnd, Witness, digest};

/// Live, with keys 0 to 3.
fn live(rules: Rules) -> World {
    let mut world = World::new(rules);
    for k in 0..4 {
        world.emit(k);
    }
    world.run_to_live();
    world.settle();
    world
}

fn resync(world: &mut World, keys: &[u8]) {
    let keys = keys.iter().map(|k| key(*k)).collect();
    world.give(Input::Resync { stream: stream(), keys: Some(keys) });
}

/// The brackets that name keys.
fn brackets(world: &World) -> Vec<(SnapshotBegin, Vec<Key>, SnapshotEnd)> {
    let mut found: Vec<(SnapshotBegin, Vec<Key>, Option<SnapshotEnd>)> = Vec::new();
    for record in world.records() {
        match &record.body {
            Body::SnapshotBegin(begin) => found.push((begin.clone(), Vec::new(), None)),
            Body::SnapshotItem { change, .. } => {
                found.last_mut().unwrap().1.push(change.key.clone());
            }
            Body::SnapshotEnd(end) => found.last_mut().unwrap().2 = Some(end.clone()),
            _ => {}
        }
    }
    let whole = found.into_iter().map(|(begin, items, end)| (begin, items, end.unwrap()));
    whole.filter(|(begin, _, _)| begin.keys.is_some()).collect()
}

/// Changes keys at the vendor without an event, as a lost one would.
fn change_silently(world: &mut World, keys: &[(u8, bool)]) {
    let muted: Vec<_> = world.socks.keys().copied().collect();
    for conn in &muted {
        world.socks.get_mut(conn).unwrap().mute = true;
    }
    for (k, deleted) in keys {
        world.emit_as(*k, *deleted);
    }
    for conn in muted {
        world.socks.get_mut(&conn).unwrap().mute = false;
    }
}

/// Rows without a position: what is fetched shows what the stream never did.
fn rows_only() -> Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    rules
}

#[test]
fn only_the_named_keys_are_brought_up_to_date() {
    let mut world = live(rows_only());
    change_silently(&mut world, &[(0, false), (1, false), (2, true), (3, true)]);
    resync(&mut world, &[0, 2]);
    assert!(!world.is_live(), "what a person doubts is not claimed");
    world.run_to_live();
    let (begin, items, end) = brackets(&world).pop().unwrap();
    assert_eq!(begin.keys, Some(vec![key(0), key(2)]));
    assert_eq!((items, end.keyed, end.witness), (vec![key(0), key(2)], true, Witness::Assumed));
    let fold = world.stream_fold();
    let held = |k: u8| fold.keys[&key(k)].digest;
    let newest = |k: u8| world.truth(world.events.len())[&k].map(|m| world::body(&m));
    assert_eq!(held(0), digest(&newest(0).unwrap()));
    assert_ne!(held(1), digest(&newest(1).unwrap()), "not named");
    assert!(!fold.keys[&key(2)].present && fold.keys[&key(3)].present, "a deletion too");
}

#[test]
fn a_named_key_is_written_even_if_it_is_as_it_was() {
    let mut world = live(contiguous());
    resync(&mut world, &[1]);
    world.run_to_live();
    let (_, items, end) = brackets(&world).pop().unwrap();
    assert_eq!((items, end.count), (vec![key(1)], 1));
    world.assert_state_is_the_vendors();
}

#[test]
fn neither_freshness_nor_position_follow_for_other_keys() {
    let mut world = live(contiguous());
    let before = world.stream_fold();
    world.emit(0);
    world.emit(1);
    resync(&mut world, &[0]);
    // The rows are here before the events that they show.
    world.page(world.events.len());
    world.tick();
    let fold = world.stream_fold();
    assert_eq!(fold.position, before.position);
    assert_eq!(fold.snapshot_tag, before.snapshot_tag);
    world.run_to_live();
    let effects: Vec<Effect> = world.changes().iter().map(|c| c.effect).collect();
    assert_eq!(effects.last(), Some(&Effect::State), "an event of a key that was not named");
    assert_eq!(world.sequences(), [5, 6]);
    world.assert_state_is_the_vendors();
}

/// Seen through a filter: the head moves by events of others.
fn filtered() -> Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    rules.caps.coverage = Coverage::Filtered;
    rules.caps.ack = Ack::WithPosition;
    rules
}

/// The vendor answers with its present rows, after so many events of others.
fn page_after_others(world: &mut World, tag: u64) {
    let (request, _) = world.pages.remove(0);
    let rows = world.truth(world.events.len()).into_values().flatten().map(|made| Row {
        key: key(made.key),
        version: None,
        occurred_at: None,
        digest: digest(&world::body(&made)),
        payload: world::body(&made),
    });
    let rows: Vec<Row> = rows.collect();
    let (epoch, total) = (world.epoch_name(0), Some(rows.len() as u64));
    let page = Page { epoch, tag: Some(tag), total, rows, ..Page::default() };
    world.give(Input::Page { request, page });
}

#[test]
fn that_others_moved_the_head_is_no_sign_of_a_mute_subscription() {
    for keys in [None, Some(vec![key(1)])] {
        let mut world = live(filtered());
        let (conn, asked) = (world.sole_conn(), world.asked.len());
        world.give(Input::Resync { stream: stream(), keys });
        page_after_others(&mut world, 100);
        world.run_to_live();
        assert_eq!((world.sole_conn(), world.asked.len()), (conn, asked), "the socket is well");
        assert_eq!(world.sequences(), [0; 0]);
    }
}

#[test]
fn a_snapshot_from_before_the_named_rows_does_not_travel_back() {
    let mut world = live(filtered());
    resync(&mut world, &[1]);
    page_after_others(&mut world, 100);
    world.run_to_live();
    assert_eq!(world.stream_fold().keyed_tag.map(|tag| tag.sequence), Some(100));
    world.reports.clear();
    let refusals = |world: &World| {
        let refused = |r: &&Report| matches!(r, Report::SnapshotRefused { .. });
        world.reports.iter().filter(refused).count()
    };
    world.give(Input::Resync { stream: stream(), keys: None });
    page_after_others(&mut world, 90);
    assert_eq!(refusals(&world), 1, "a cached answer");
    world.commit();
    world.crash(0);
    world.reports.clear();
    world.settle();
    world.give(Input::Resync { stream: stream(), keys: None });
    page_after_others(&mut world, 90);
    assert_eq!(refusals(&world), 1, "and after a restart");
    while world.pages.is_empty() {
        world.tick();
    }
    page_after_others(&mut world, 100);
    world.run_to_live();
}

#[test]
fn keys_asked_for_in_an_outage_are_fetched_before_live() {
    let mut world = live(contiguous());
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(2);
    resync(&mut world, &[1, 3]);
    world.run_to_live();
    let (_, items, _) = brackets(&world).pop().unwrap();
    assert_eq!(items, [key(1), key(3)]);
    assert_eq!(world.sequences(), [5]);
}

#[test]
fn keys_asked_for_stay_owed_when_the_socket_breaks_meanwhile() {
    let mut world = live(contiguous());
    resync(&mut world, &[1]);
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.pages.clear();
    world.emit(2);
    world.run_to_live();
    assert_eq!(brackets(&world).len(), 1);
    assert_eq!(world.sequences(), [5]);
}

#[test]
fn a_full_snapshot_pays_for_the_keys_too() {
    let mut world = live(contiguous());
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(2);
    world.purge();
    resync(&mut world, &[1]);
    world.run_to_live();
    assert!(brackets(&world).is_empty());
    world.assert_state_is_the_vendors();
}

#[test]
fn no_row_of_the_ledger_is_closed_by_named_keys() {
    let mut world = live(contiguous());
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(2);
    world.purge();
    resync(&mut world, &[1]);
    world.run_to_live();
    let closers: Vec<_> = world.ledger().iter().filter_map(|row| row.closed_by).collect();
    assert!(!closers.is_empty());
    let keyed: Vec<_> = brackets(&world).iter().map(|(begin, _, _)| begin.snapshot).collect();
    assert!(closers.iter().all(|snapshot| !keyed.contains(snapshot)));
}

#[test]
fn a_source_without_a_snapshot_of_its_keys_refuses_and_stays_live() {
    let kinds = [
        (SnapshotKind::None, SnapshotBody::State),
        (SnapshotKind::Positioned, SnapshotBody::Other),
    ];
    for (kind, body) in kinds {
        let mut rules = contiguous();
        rules.caps.snapshot = kind;
        rules.caps.snapshot_body = body;
        rules.caps.ack = Ack::WithPosition;
        let mut world = live(rules);
        world.reports.clear();
        resync(&mut world, &[1]);
        assert!(world.is_live());
        assert!(matches!(&world.reports[..], [Report::SnapshotRefused { .. }]));
        assert!(world.pages.is_empty() && brackets(&world).is_empty());
    }
}
