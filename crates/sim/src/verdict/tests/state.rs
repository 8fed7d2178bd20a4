//! `stale_keys`, `stale_marked_keys`, `stale_live_ms_max`.

use super::scene::{Scene, place, us};
use crate::settings::{Body, Numbering};
use crate::truth::TruthRow;
use crate::verdict::{FinalValue, Origin, Outcome};

#[test]
fn a_key_with_another_value_is_stale() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.evidence.state[0].payload = Some(scene.truth.events[0].body.clone());
    let verdict = scene.verdict();
    assert_eq!((verdict.stale_keys, verdict.stale_marked_keys), (1, 0));
    assert_eq!(verdict.examples[0].agent, "a");
}

#[test]
fn a_mark_excuses_a_key_only_where_no_baseline_tells_of_it() {
    let mut scene = Scene::clean(Numbering::None);
    scene.evidence.state[0].payload = Some(scene.truth.events[0].body.clone());
    scene.evidence.state[0].is_marked_stale = true;
    let verdict = scene.verdict();
    assert_eq!((verdict.stale_keys, verdict.stale_marked_keys), (1, 0));
    for event in &mut scene.truth.events {
        event.row = TruthRow::Absent;
    }
    let verdict = scene.verdict();
    assert_eq!((verdict.stale_keys, verdict.stale_marked_keys), (0, 1));
}

#[test]
fn a_key_whose_last_event_was_dropped_in_silence_and_is_on_no_baseline_is_nobodys_fault() {
    let mut scene = Scene::clean(Numbering::None);
    scene.forget(4);
    scene.served(0).confirmed = 4;
    scene.evidence.state[0].payload = Some(scene.truth.events[2].body.clone());
    for event in &mut scene.truth.events {
        event.row = TruthRow::Absent;
    }
    assert_eq!(scene.verdict().stale_keys, 1);
    scene.served(0).dropped.push(4);
    let verdict = scene.verdict();
    assert_eq!((verdict.stale_keys, verdict.undetectable), (0, 1));
}

#[test]
fn an_agent_is_wrong_while_live_only_on_its_own_stream() {
    let mut scene = Scene::clean(Numbering::None);
    scene.forget(5);
    assert_eq!(scene.verdict().stale_live_ms_max, 940);
    for live in &mut scene.evidence.live {
        live.stream = "cxone/another".to_owned();
    }
    assert_eq!(scene.verdict().stale_live_ms_max, 0);
}

#[test]
fn a_ghost_and_an_absent_key_are_stale() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.removal("a", 70);
    assert_eq!(scene.verdict().stale_keys, 1);
    scene.evidence.state[0].payload = None;
    assert_eq!(scene.verdict().stale_keys, 0);
    scene.evidence.state.remove(1);
    assert_eq!(scene.verdict().stale_keys, 1);
    scene.end_state();
    let payload = Some(scene.truth.events[0].body.clone());
    scene.evidence.state.push(FinalValue { key: "x".into(), payload, is_marked_stale: false });
    assert_eq!(scene.verdict().stale_keys, 1);
}

#[test]
fn agents_that_were_there_before_the_coverage_count_where_the_baseline_shows_them() {
    let mut scene = Scene::new(Numbering::Contiguous);
    scene.event("a", 1);
    scene.subscribe(5, None);
    assert_eq!(scene.verdict().stale_keys, 1);
    scene.truth.body = Body::Schedules;
    assert_eq!(scene.verdict().stale_keys, 0);
}

#[test]
fn a_key_that_left_need_not_be_held_when_no_baseline_could_tell_of_its_return() {
    let returned = |body: Body| {
        let mut scene = Scene::clean(Numbering::Contiguous);
        scene.truth.body = body;
        let gone = scene.removal("a", 70);
        scene.store(gone, 71);
        scene.evidence.state[0].payload = None;
        let back = scene.event("a", 90);
        scene.read_all(0);
        let place = |at| place(0, at);
        let (after, through) = (place(7), place(8));
        scene.row(after, through, (89, 91), Outcome::Unrecoverable);
        assert_eq!(back, 7);
        scene
    };
    // Held as gone, it has to be marked; not held, it was never told of.
    let mut held = returned(Body::Schedules);
    assert_eq!(held.verdict().stale_keys, 1);
    held.evidence.state.remove(0);
    assert_eq!(held.verdict().stale_keys, 0);
    // A baseline of state shows it, and what it was last told to be there it has to hold.
    let mut told = returned(Body::State);
    told.evidence.state.remove(0);
    assert_eq!(told.verdict().stale_keys, 1);
    let mut dropped = returned(Body::Schedules);
    dropped.evidence.state.clear();
    assert_eq!(dropped.verdict().stale_keys, 1, "b was there");
}

#[test]
fn the_longest_wrong_time_while_live_is_found() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.evidence.stored[2].received_us = us(130);
    assert_eq!(scene.verdict().stale_live_ms_max, 21, "the next event of a came at 51");
    scene.evidence.stored[4].received_us = us(140);
    assert_eq!(scene.verdict().stale_live_ms_max, 100);
    // Not while it did not say Live.
    scene.evidence.live.clear();
    scene.live(0, 60);
    scene.live(120, 1_000);
    assert_eq!(scene.verdict().stale_live_ms_max, 30);
    scene.evidence.live.clear();
    assert_eq!(scene.verdict().stale_live_ms_max, 0);
}

#[test]
fn a_key_that_is_never_put_right_is_wrong_to_the_end() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.forget(5);
    assert_eq!(scene.verdict().stale_live_ms_max, 940);
    // A snapshot's row puts it right.
    let item = scene.store(5, 200);
    item.origin = Origin::Snapshot;
    assert_eq!(scene.verdict().stale_live_ms_max, 140);
    // A record that only fills the log does not.
    scene.evidence.stored.last_mut().unwrap().is_state = false;
    assert_eq!(scene.verdict().stale_live_ms_max, 940);
}

#[test]
fn a_removal_found_by_a_snapshot_counts_from_there() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    let gone = scene.removal("a", 70);
    let item = scene.store(gone, 90);
    item.origin = Origin::Snapshot;
    item.payload = bytes::Bytes::new();
    assert_eq!(scene.verdict().stale_live_ms_max, 20);
}

#[test]
fn an_agent_that_came_and_went_unseen_is_wrong_only_between() {
    let mut scene = Scene::clean(Numbering::None);
    scene.event("c", 100);
    scene.removal("c", 300);
    let row = crate::verdict::Outcome::Unproven;
    scene.row(None, None, (90, 310), row);
    assert_eq!(scene.verdict().stale_live_ms_max, 200);
    // Gone for good, and held all the same: wrong to the end.
    let mut scene = Scene::clean(Numbering::None);
    let at = scene.event("c", 100);
    scene.store(at, 101);
    scene.removal("c", 300);
    assert_eq!(scene.verdict().stale_live_ms_max, 700);
}

#[test]
fn a_state_that_came_back_while_the_one_between_went_by_unseen_is_right_again() {
    let mut scene = Scene::clean(Numbering::None);
    for (at_ms, state) in [(100, "Away"), (200, "Busy"), (500, "Away"), (900, "Busy")] {
        let at = scene.event_with("a", at_ms, state);
        if at_ms == 100 {
            scene.store(at, at_ms + 1);
        }
    }
    // Wrong from 200 to 500, and from 900 to the end of the live interval at 1,000.
    assert_eq!(scene.verdict().stale_live_ms_max, 300);
}
