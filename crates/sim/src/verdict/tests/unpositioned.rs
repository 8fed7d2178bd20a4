//! The figures of a vendor without positions.

use super::scene::{Scene, us};
use crate::settings::Numbering;
use crate::truth::TruthRow;
use crate::verdict::Outcome;

#[test]
fn a_missing_event_is_found_by_its_body() {
    let mut scene = Scene::clean(Numbering::None);
    scene.served(0).confirmed = 2;
    scene.forget(2);
    let verdict = scene.verdict();
    assert_eq!((verdict.uncovered, verdict.duplicated, verdict.lost), (1, 0, 0));
    assert_eq!(verdict.examples[0].at_us, us(30));
    scene.row(None, None, (25, 35), Outcome::Unproven);
    let verdict = scene.verdict();
    assert_eq!((verdict.uncovered, verdict.unproven), (0, 1));
}

#[test]
fn a_row_reaches_back_to_what_was_under_way_and_not_further() {
    let mut scene = Scene::clean(Numbering::None);
    scene.served(0).confirmed = 2;
    scene.forget(4);
    // 4 was received late, at 61; 5 was under way behind it when the client noted 62.
    scene.evidence.stored[3].received_us = us(61);
    scene.evidence.stored[4].received_us = us(90);
    scene.row(None, None, (62, 80), Outcome::Unproven);
    assert_eq!(scene.verdict().uncovered, 0);
    // Seconds later it was no longer under way.
    scene.evidence.ledger[0].wall_from_us = us(5_000);
    scene.evidence.ledger[0].wall_to_us = Some(us(6_000));
    assert_eq!(scene.verdict().uncovered, 1);
}

#[test]
fn a_row_reaches_back_by_the_events_of_its_own_stream() {
    let mut scene = Scene::clean(Numbering::None);
    scene.served(0).confirmed = 2;
    scene.forget(4);
    scene.row(None, None, (62, 80), Outcome::Unproven);
    assert_eq!(scene.verdict().uncovered, 1, "what was made at 60 was there at 61");
    for stored in scene.evidence.stored.iter_mut().filter(|stored| stored.key == "b") {
        stored.stream = "cxone/another".to_owned();
    }
    assert_eq!(scene.verdict().uncovered, 0, "but not of this stream");
}

#[test]
fn bodies_that_come_again_are_matched_once_each() {
    let mut scene = Scene::new(Numbering::None);
    scene.subscribe(0, None);
    for (step, state) in ["Available", "Busy", "Available", "Busy", "Available"].iter().enumerate()
    {
        let at_ms = 100 * (step as i64 + 1);
        let at = scene.event_with("a", at_ms, state);
        scene.store(at, at_ms + 1);
    }
    assert_eq!((scene.verdict().duplicated, scene.verdict().uncovered), (0, 0));
    let again = scene.evidence.stored[4].clone();
    scene.evidence.stored.push(again);
    assert_eq!(scene.verdict().duplicated, 1);
    scene.evidence.stored.truncate(4);
    let verdict = scene.verdict();
    assert_eq!((verdict.duplicated, verdict.uncovered), (0, 1));
    assert_eq!(verdict.examples.iter().find(|e| e.figure == "uncovered").unwrap().at_us, us(500));
}

#[test]
fn what_comes_back_behind_a_dropped_event_can_only_be_taken_for_a_repetition() {
    let mut scene = Scene::new(Numbering::None);
    scene.subscribe(0, None);
    let first = scene.event_with("a", 100, "Connected");
    scene.store(first, 101);
    scene.event_with("a", 200, "Held");
    scene.event_with("a", 300, "Connected");
    for event in &mut scene.truth.events {
        event.row = TruthRow::Absent;
    }
    scene.read_all(0);
    scene.served(0).dropped.push(1);
    let verdict = scene.verdict();
    assert_eq!((verdict.undetectable, verdict.uncovered, verdict.lost), (2, 0, 0));
    // What was sent and is another state was there to be seen.
    scene.served(0).dropped.clear();
    assert_eq!(scene.verdict().uncovered, 2);
}

#[test]
fn records_of_an_agent_in_another_order_than_its_events_are_out_of_order() {
    let mut scene = Scene::clean(Numbering::None);
    scene.evidence.stored.swap(0, 2);
    for stored in &mut scene.evidence.stored {
        stored.received_us = us(100);
    }
    assert_eq!(scene.verdict().out_of_order, 1);
    // Between agents there is no order to keep.
    let mut scene = Scene::clean(Numbering::None);
    scene.evidence.stored.swap(0, 1);
    assert_eq!(scene.verdict().out_of_order, 0);
}

#[test]
fn a_record_that_says_it_is_late_may_stand_behind_newer_ones() {
    let mut scene = Scene::clean(Numbering::None);
    scene.evidence.stored.swap(0, 2);
    for stored in &mut scene.evidence.stored {
        stored.received_us = us(100);
    }
    scene.evidence.stored[2].is_state = false;
    let verdict = scene.verdict();
    assert_eq!((verdict.out_of_order, verdict.duplicated, verdict.uncovered), (0, 0, 0));
    // It has to have been sent, before it came, and once.
    scene.evidence.stored[2].received_us = us(-100);
    assert_eq!(scene.verdict().duplicated, 1);
    scene.evidence.stored[2].received_us = us(100);
    let again = scene.evidence.stored[2].clone();
    scene.evidence.stored.push(again);
    assert_eq!(scene.verdict().duplicated, 1);
    // The newer one has no such excuse.
    scene.evidence.stored.pop();
    scene.evidence.stored[2].is_state = true;
    scene.evidence.stored[0].is_state = false;
    assert_eq!(scene.verdict().out_of_order, 1);
}

#[test]
fn removals_are_matched_with_removals() {
    let mut scene = Scene::clean(Numbering::None);
    let gone = scene.removal("a", 70);
    scene.store(gone, 71).payload = bytes::Bytes::new();
    let back = scene.event("a", 80);
    scene.store(back, 81);
    let verdict = scene.verdict();
    assert_eq!((verdict.duplicated, verdict.uncovered), (0, 0));
    scene.forget(gone);
    assert_eq!(scene.verdict().uncovered, 1);
}

#[test]
fn a_row_in_the_baselines_own_form_shows_the_event_and_no_other_does() {
    let mut scene = Scene::clean(Numbering::None);
    let at = scene.event("a", 70);
    scene.store(at, 71);
    scene.truth.events[at].row = TruthRow::Other(bytes::Bytes::from_static(b"{\"row\":7}"));
    scene.end_state();
    let held = scene.evidence.state.iter().position(|value| value.key == "a").unwrap();
    scene.evidence.state[held].payload = Some(bytes::Bytes::from_static(b"{\"row\":7}"));
    assert_eq!(scene.verdict().stale_keys, 0);
    scene.evidence.state[held].payload = Some(bytes::Bytes::from_static(b"{\"row\":6}"));
    assert_eq!(scene.verdict().stale_keys, 1);
}

#[test]
fn adherence_under_names_of_the_clients_choice_shows_the_event_if_it_says_the_same() {
    let body = r#"{"user":{"id":"a"},"managementUnitId":"u","adherenceState":"InAdherence",
        "adherenceChangeTime":"t1","routingStatus":"__EMPTY__"}"#;
    let row = r#"{"user":{"id":"a","selfUri":"/a"},"managementUnit":{"id":"u"},
        "adherenceState":"InAdherence","timeOfAdherenceChange":"t1"}"#;
    let mut scene = Scene::clean(Numbering::None);
    let at = scene.event("a", 70);
    scene.truth.events[at].body = body.into();
    scene.truth.events[at].row = TruthRow::Other(row.into());
    scene.store(at, 71).payload = body.into();
    scene.end_state();
    let held = scene.evidence.state.iter().position(|value| value.key == "a").unwrap();
    let mut stale = |text: String| {
        scene.evidence.state[held].payload = Some(text.into());
        scene.verdict().stale_keys
    };
    let renamed = row.replace("timeOfAdherenceChange", "adherenceChangeTime");
    assert_eq!([stale(row.into()), stale(renamed.clone())], [0, 0]);
    assert_eq!(stale(renamed.replace("t1", "t2")), 1);
    assert_eq!(stale(renamed.replace("InAdherence", "Unknown")), 1);
}

#[test]
fn an_agent_is_judged_from_where_a_subscription_first_covered_it() {
    let mut scene = Scene::clean(Numbering::None);
    scene.served(0).agents = Some(vec!["a".to_owned()]);
    scene.subscribe(35, None);
    scene.served(1).agents = Some(vec!["b".to_owned()]);
    scene.served(1).first = 3;
    // Events of b: the second of all, before it was covered, and the fourth, after.
    scene.served(0).confirmed = 0;
    scene.evidence.stored.retain(|stored| stored.key == "a");
    let verdict = scene.verdict();
    assert_eq!((verdict.events_emitted, verdict.uncovered), (5, 2), "{verdict:?}");
}

#[test]
fn a_row_of_another_stream_speaks_of_other_agents() {
    let mut scene = Scene::clean(Numbering::None);
    scene.served(0).confirmed = 2;
    scene.forget(2);
    scene.row(None, None, (25, 35), Outcome::Unproven);
    assert_eq!(scene.verdict().uncovered, 0);
    scene.evidence.ledger[0].stream = "another".to_owned();
    assert_eq!(scene.verdict().uncovered, 1);
    // What is said to be lost there is not said of this one.
    scene.row(None, None, (45, 55), Outcome::Unrecoverable);
    assert_eq!(scene.verdict().overclaimed, 1);
    scene.evidence.ledger[1].stream = "another".to_owned();
    assert_eq!(scene.verdict().overclaimed, 0);
}
