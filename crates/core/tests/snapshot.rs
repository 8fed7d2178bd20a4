//! Goal: a snapshot is believed only if it is whole, young enough and plausible.

use crate::world;
use crate::world::{World, contiguous, key, stream};
use unbroken_core::connector::{Numbering, Paging, Replay, SnapshotBody};
use unbroken_core::ids::{Key, Label};
use unbroken_core::machine::{Blocked, Input, Phase, Report};
use unbroken_core::record::Body;

fn cut_and_refuse(world: &mut World) {
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
}

fn with_keys(rules: world::Rules, keys: u8) -> World {
    let mut world = World::new(rules);
    (0..keys).for_each(|k| world.emit(k));
    world.run_to_live();
    world
}

fn until_page(world: &mut World) {
    while world.pages.is_empty() {
        if !world.step_but_pages() {
            world.tick();
        }
    }
}

#[test]
fn a_tag_below_what_is_held_is_asked_again() {
    let mut world = with_keys(contiguous(), 3);
    cut_and_refuse(&mut world);
    until_page(&mut world);
    world.page(1);
    let refused = |r: &Report| matches!(r, Report::SnapshotRefused { .. });
    assert!(world.reports.iter().any(refused));
    world.run_to_live();
    world.assert_state_is_the_vendors();
}

#[test]
fn the_tag_is_the_minimum_over_the_pages_and_the_rest_converges() {
    let mut rules = contiguous();
    rules.caps.paging = Paging::Offset;
    let mut world = with_keys(rules, 2);
    cut_and_refuse(&mut world);
    until_page(&mut world);
    let (request, _) = world.pages.remove(0);
    let mut first = world.page_at(world.events.len(), true);
    let moved = first.rows.pop().unwrap();
    first.next = Some(Label::from("2"));
    first.total = Some(2);
    world.give(Input::Page { request, page: first });
    world.emit(1);
    let (request, _) = world.pages.remove(0);
    let mut second = world.page_at(world.events.len(), true);
    second.rows.retain(|row| row.key == moved.key);
    second.total = Some(2);
    world.give(Input::Page { request, page: second });
    world.run_to_live();
    world.settle();
    let end = world.records().into_iter().rev().find_map(|r| match &r.body {
        Body::SnapshotEnd(end) => Some(end.clone()),
        _ => None,
    });
    assert_eq!(end.unwrap().tag.unwrap().sequence, 3);
    assert_eq!(world.sequences(), [4]);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_total_that_changes_between_pages_begins_the_snapshot_again() {
    let mut world = with_keys(contiguous(), 2);
    cut_and_refuse(&mut world);
    until_page(&mut world);
    let (request, _) = world.pages.remove(0);
    let mut first = world.page_at(world.events.len(), true);
    first.next = Some(Label::from("2"));
    first.total = Some(9);
    world.give(Input::Page { request, page: first });
    world.page(world.events.len());
    let torn = |r: &Report| match r {
        Report::SnapshotRefused { why, .. } => why.as_str().contains("total"),
        _ => false,
    };
    assert!(world.reports.iter().any(torn));
    world.run_to_live();
    world.assert_state_is_the_vendors();
}

#[test]
fn a_key_that_left_during_the_outage_is_deleted() {
    let mut world = with_keys(contiguous(), 3);
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit_as(2, true);
    world.purge();
    world.run_to_live();
    world.assert_state_is_the_vendors();
    assert!(!world.stream_fold().keys[&key(2)].present);
}

#[test]
fn shifting_pages_delete_only_what_is_absent_twice_running() {
    let mut rules = contiguous();
    rules.caps.paging = Paging::Offset;
    let mut world = with_keys(rules, 3);
    cut_and_refuse(&mut world);
    until_page(&mut world);
    let (request, _) = world.pages.remove(0);
    let mut page = world.page_at(world.events.len(), true);
    page.rows.retain(|row| row.key != key(2));
    page.total = Some(2);
    world.give(Input::Page { request, page });
    world.run_to_live();
    world.assert_state_is_the_vendors();
    assert!(world.stream_fold().keys[&key(2)].present);
}

#[test]
fn an_empty_answer_does_not_delete_everybody() {
    let mut world = with_keys(contiguous(), 20);
    cut_and_refuse(&mut world);
    until_page(&mut world);
    let (request, _) = world.pages.remove(0);
    let mut page = world.page_at(world.events.len(), true);
    page.rows.clear();
    page.total = Some(0);
    world.give(Input::Page { request, page });
    let blocked = Some(&Phase::Blocked { why: Blocked::MassDelete { lacks: 20, of: 20 } });
    assert_eq!(world.machine.phase(&stream()), blocked);
    assert!(world.stream_fold().keys.values().all(|key| key.present), "old state is kept");
    world.give(Input::Resync { stream: stream(), keys: None });
    world.run_to_live();
    world.assert_state_is_the_vendors();
}

#[test]
fn rows_of_another_entity_leave_untouched_keys_marked_stale() {
    let mut rules = contiguous();
    rules.caps.snapshot_body = SnapshotBody::Other;
    let mut world = with_keys(rules, 0);
    (0..3).for_each(|k| world.emit(k));
    world.settle();
    cut_and_refuse(&mut world);
    world.run_to_live();
    world.emit(1);
    world.settle();
    let fold = world.stream_fold();
    let stale = |k: u8| fold.stale_since(&fold.keys[&key(k)]).is_some();
    assert!(stale(0) && stale(2), "nothing says what they are now");
    assert!(!stale(1), "an event has said it");
}

#[test]
fn a_bracket_found_open_at_the_start_is_aborted_first() {
    let mut rules = contiguous();
    rules.timing.snapshot_unit_items = 1;
    let mut world = with_keys(rules, 4);
    world.settle();
    let end = |r: &unbroken_core::record::Record| matches!(r.body, Body::SnapshotEnd(_));
    let at = world.log.iter().position(|append| append.records.iter().any(end)).unwrap();
    world.durable = at;
    world.crash(0);
    let first = &world.log[at].records[0];
    assert!(matches!(first.body, Body::SnapshotAbort { .. }));
    assert!(world.stream_fold().keys.is_empty(), "nothing of an open bracket is published");
    world.run_to_live();
    world.assert_state_is_the_vendors();
    assert!(world.stream_fold().keys.contains_key(&Key::from("k3")));
}

#[test]
fn an_empty_answer_on_a_busy_stream_does_not_delete_the_quiet_ones() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    let mut world = with_keys(rules, 20);
    let conn = world.sole_conn();
    world.break_sock(conn);
    until_page(&mut world);
    (0..17).for_each(|k| world.emit(k));
    while world.step_but_pages() {}
    let (request, _) = world.pages.remove(0);
    let mut page = world.page_at(world.events.len(), true);
    page.rows.clear();
    page.total = Some(0);
    world.give(Input::Page { request, page });
    let blocked = Some(&Phase::Blocked { why: Blocked::MassDelete { lacks: 20, of: 20 } });
    assert_eq!(world.machine.phase(&stream()), blocked);
    assert!(world.stream_fold().keys.values().all(|key| key.present), "old state is kept");
}
