//! The figures of history.

use super::scene::{Scene, us};
use crate::settings::Numbering;
use crate::truth::TruthFact;
use crate::verdict::{FactVerdict, StoredFact, judge_facts};

/// Segments of one session: 10 to 20 ms, 20 to 40 ms, from 40 ms on.
fn scene() -> Scene {
    let mut scene = Scene::new(Numbering::None);
    for (from_ms, to_ms) in [(10, Some(20)), (20, Some(40)), (40, None)] {
        scene.truth.facts.push(TruthFact {
            conversation: "c".into(),
            participant: "p".into(),
            session: "s".into(),
            segment_start_us: us(from_ms),
            segment_end_us: to_ms.map(us),
            agent: None,
        });
    }
    scene
}

fn held(starts_ms: &[i64]) -> Vec<StoredFact> {
    let fact = |start_ms: &i64| StoredFact {
        conversation: "c".into(),
        participant: "p".into(),
        session: "s".into(),
        segment_start_us: us(*start_ms),
    };
    starts_ms.iter().map(fact).collect()
}

#[test]
fn what_was_open_or_ended_in_an_interval_must_be_held() {
    let truth = scene().truth;
    let verdict = |interval: (i64, i64), starts: &[i64]| {
        judge_facts(&truth, &[(us(interval.0), us(interval.1))], &held(starts))
    };
    let clean = |required| FactVerdict { required, ..FactVerdict::default() };
    assert_eq!(verdict((0, 5), &[]), clean(0));
    assert_eq!(verdict((0, 15), &[10]), clean(1));
    assert_eq!(verdict((25, 30), &[20]), clean(1));
    assert_eq!(verdict((30, 90), &[20, 40]), clean(2));
    assert_eq!(verdict((30, 90), &[40]).missing, 1);
    assert!(verdict((30, 90), &[20, 40]).is_clean() && !verdict((30, 90), &[40]).is_clean());
    assert_eq!(verdict((15, 50), &[]).missing, 3);
}

#[test]
fn what_is_held_twice_or_never_was_is_counted() {
    let truth = scene().truth;
    let verdict = judge_facts(&truth, &[(us(0), us(15))], &held(&[10, 10, 20, 33]));
    assert_eq!(verdict, FactVerdict { required: 1, missing: 0, duplicated: 1, unknown: 1 });
}
