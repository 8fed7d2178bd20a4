//! `duplicated`, `out_of_order`, `overclaimed`, `gaps_open`.

use bytes::Bytes;

use super::scene::{Scene, place, us};
use crate::settings::Numbering;
use crate::verdict::{Origin, Outcome};

#[test]
fn an_event_stored_twice_is_duplicated() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    let again = scene.evidence.stored[5].clone();
    scene.evidence.stored.push(again);
    let verdict = scene.verdict();
    assert_eq!((verdict.duplicated, verdict.out_of_order, verdict.uncovered), (1, 0, 0));
    assert!(!verdict.is_clean(1_000));
}

#[test]
fn an_event_that_was_never_made_is_duplicated() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    let mut invented = scene.evidence.stored[5].clone();
    invented.sequence = Some(7);
    scene.evidence.stored.push(invented);
    assert_eq!(scene.verdict().duplicated, 1);
}

#[test]
fn an_altered_event_is_missing_and_beyond_the_match() {
    let alter: [fn(&mut Scene); 4] = [
        |scene| scene.evidence.stored[2].payload = Bytes::from_static(b"{\"agentId\":\"a\"}"),
        |scene| scene.evidence.stored[2].key = "b".into(),
        |scene| scene.evidence.stored[2].deleted = true,
        |scene| scene.evidence.stored[2].ordinal = 1,
    ];
    for alter in alter {
        let mut scene = Scene::clean(Numbering::Contiguous);
        alter(&mut scene);
        let verdict = scene.verdict();
        assert_eq!((verdict.duplicated, verdict.uncovered), (1, 1));
    }
}

#[test]
fn the_payload_may_be_the_frame_or_the_object_alone() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    for (stored, event) in scene.evidence.stored.iter_mut().zip(&scene.truth.events) {
        stored.payload = event.body.clone();
    }
    assert!(scene.verdict().is_clean(1_000));
}

#[test]
fn snapshot_items_and_corrections_are_not_events() {
    for origin in [Origin::Snapshot, Origin::Synthetic] {
        let mut scene = Scene::clean(Numbering::Contiguous);
        let mut item = scene.evidence.stored[5].clone();
        item.origin = origin;
        scene.evidence.stored.push(item);
        let verdict = scene.verdict();
        assert_eq!((verdict.duplicated, verdict.events_stored), (0, 6));
    }
}

#[test]
fn history_stored_twice_is_duplicated() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.forget(2);
    let mut filled = scene.store(2, 500).clone();
    filled.origin = Origin::Backfill;
    filled.is_state = false;
    scene.evidence.stored.pop();
    scene.evidence.stored.push(filled.clone());
    assert_eq!(scene.verdict().duplicated, 0);
    scene.evidence.stored.push(filled);
    assert_eq!(scene.verdict().duplicated, 1);
}

#[test]
fn a_lower_neighbour_is_out_of_order() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.evidence.stored.swap(2, 3);
    let verdict = scene.verdict();
    assert_eq!((verdict.out_of_order, verdict.duplicated, verdict.uncovered), (1, 0, 0));
    // Another stream, another numbering and backfill have an order of their own.
    for change in [0, 1, 2] {
        let mut scene = Scene::clean(Numbering::Contiguous);
        scene.evidence.stored.swap(2, 3);
        let late = &mut scene.evidence.stored[3];
        match change {
            0 => late.stream = "cxone/other".into(),
            1 => late.epoch = 1,
            _ => late.origin = Origin::Backfill,
        }
        assert_eq!(scene.verdict().out_of_order, 0);
    }
}

#[test]
fn a_record_in_a_row_that_says_it_is_gone_is_overclaimed() {
    for (outcome, overclaimed) in [
        (Outcome::Unrecoverable, 2),
        (Outcome::Summarised, 0),
        (Outcome::Unproven, 0),
        (Outcome::Repaired, 0),
        (Outcome::Open, 0),
    ] {
        let mut scene = Scene::clean(Numbering::Contiguous);
        scene.row(place(0, 3), place(0, 5), (35, 56), outcome);
        assert_eq!(scene.verdict().overclaimed, overclaimed, "{outcome:?}");
    }
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.row(place(0, 6), place(0, 9), (35, 56), Outcome::Unrecoverable);
    assert_eq!(scene.verdict().overclaimed, 0);
    scene.row(None, place(0, 1), (0, 5), Outcome::Unrecoverable);
    assert_eq!(scene.verdict().overclaimed, 1);
}

#[test]
fn a_row_by_wall_clock_overclaims_strictly_inside() {
    let mut scene = Scene::clean(Numbering::None);
    // Records were received at 11, 21, … 61 ms.
    scene.row(None, None, (21, 41), Outcome::Unrecoverable);
    assert_eq!(scene.verdict().overclaimed, 1);
    scene.evidence.ledger[0].wall_from_us = us(31);
    assert_eq!(scene.verdict().overclaimed, 0);
}

#[test]
fn an_open_row_is_an_open_gap() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.row(place(0, 6), None, (61, 0), Outcome::Open);
    let verdict = scene.verdict();
    assert_eq!(verdict.gaps_open, 1);
    assert!(!verdict.is_clean(1_000));
}

#[test]
fn examples_are_few_and_say_where() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    for _ in 0..30 {
        let again = scene.evidence.stored[5].clone();
        scene.evidence.stored.push(again);
    }
    let verdict = scene.verdict();
    assert_eq!(verdict.duplicated, 30);
    let examples: Vec<_> =
        verdict.examples.iter().filter(|example| example.figure == "duplicated").collect();
    assert_eq!(examples.len(), 20);
    assert_eq!((examples[0].agent.as_str(), examples[0].position.as_deref()), ("b", Some("0:6")));
}
