//! What a process took with it when it died, and what it had no right to take.

use super::scene::{Scene, place, us};
use crate::settings::Numbering;
use crate::truth::SubscriptionEnd;
use crate::verdict::{Death, Outcome};

fn death(born_ms: i64, died_ms: i64) -> Death {
    Death { born_us: us(born_ms), died_us: us(died_ms), is_orderly: false }
}

/// Events 1 to 6 were read on a socket that the vendor closed in order at 65; the process died at
/// 70, and its disk had 1 to 4. The vendor gave the other two to nobody again, as a row says.
fn taken(numbering: Numbering) -> Scene {
    let mut scene = Scene::clean(numbering);
    scene.forget(4);
    scene.forget(5);
    let served = scene.served(0);
    (served.ended_us, served.end) = (Some(us(65)), SubscriptionEnd::Closed);
    scene.evidence.live.clear();
    scene.live(0, 65);
    let head = scene.truth.events[5].sequence;
    let second = scene.subscribe(80, head);
    scene.served(second).floor = head.unwrap_or(0);
    scene.read_all(second);
    let after = scene.truth.events[3].sequence.and_then(|at| place(0, at));
    scene.row(after, head.and_then(|at| place(0, at)), (42, 81), Outcome::Unrecoverable);
    scene.live(81, 1_000);
    scene
}

fn lost(scene: &Scene) -> u64 {
    scene.verdict().lost
}

#[test]
fn what_died_on_its_way_to_the_disk_is_not_lost_but_withheld_by_the_vendor() {
    for numbering in [Numbering::Contiguous, Numbering::Increasing, Numbering::None] {
        let mut scene = taken(numbering);
        assert_eq!(lost(&scene), 2, "{numbering:?}: nobody died");
        scene.evidence.deaths = vec![death(-5, 70)];
        let verdict = scene.verdict();
        let figures = (verdict.lost, verdict.unrecoverable, verdict.uncovered);
        assert_eq!(figures, (0, 2, 0), "{numbering:?}: {:?}", verdict.examples);
        assert!(verdict.is_clean(1_000), "{numbering:?}: {:?}", verdict.examples);
        // It has to be in the ledger all the same.
        scene.evidence.ledger.clear();
        assert_eq!(scene.verdict().uncovered, 2, "{numbering:?}");
    }
}

#[test]
fn who_is_told_to_end_takes_only_what_waits_behind_a_hole() {
    let stopped = |numbering| {
        let mut scene = taken(numbering);
        scene.evidence.deaths = vec![Death { is_orderly: true, ..death(-5, 70) }];
        scene
    };
    let numbering = Numbering::Contiguous;
    assert_eq!(lost(&stopped(numbering)), 2, "it had both, and nothing was missing");
    let holed = |numbering| {
        let mut scene = stopped(numbering);
        scene.served(0).dropped.push(4);
        scene
    };
    assert_eq!(lost(&holed(numbering)), 0, "6 waits for 5, which the vendor has left out");
    let mut filled = holed(numbering);
    filled.store(4, 69);
    assert_eq!(lost(&filled), 1, "5 has come");
    assert_eq!(lost(&holed(Numbering::Increasing)), 1, "numbers with holes do not wait");
}

#[test]
fn what_lies_in_front_of_something_recorded_was_to_be_recorded_however_soon_death_came() {
    for numbering in [Numbering::Contiguous, Numbering::Increasing, Numbering::None] {
        let mut scene = taken(numbering);
        scene.evidence.deaths = vec![death(-5, 70)];
        scene.forget(1);
        assert_eq!(lost(&scene), 1, "{numbering:?}: read long before, and 3 and 4 are recorded");
        // A moment before the death is soon enough.
        scene.store(5, 69);
        assert_eq!(lost(&scene), 2, "{numbering:?}: 5 lies in front of 6");
    }
}

#[test]
fn only_what_the_dead_one_recorded_shows_how_far_it_had_come() {
    let mut scene = taken(Numbering::Increasing);
    scene.evidence.deaths = vec![death(-5, 70)];
    let later = scene.event("a", 90);
    scene.store(later, 91);
    assert_eq!(lost(&scene), 0, "the next one recorded that");
    scene.evidence.stored.last_mut().unwrap().received_us = us(69);
    assert_eq!(lost(&scene), 2);
    // On another socket than that of the other agent.
    scene.served(0).agents = Some(vec!["b".into()]);
    let third = scene.subscribe(0, None);
    scene.served(third).agents = Some(vec!["a".into()]);
    assert_eq!(lost(&scene), 0);
}

#[test]
fn who_says_to_be_live_again_has_nothing_on_its_way() {
    let mut scene = taken(Numbering::Increasing);
    scene.evidence.deaths = vec![death(-5, 70)];
    scene.live(66, 68);
    assert_eq!(lost(&scene), 2);
    // Before the socket ended it could say so of the socket.
    scene.evidence.live.pop();
    scene.live(64, 65);
    assert_eq!(lost(&scene), 0);
}

#[test]
fn a_process_takes_nothing_that_another_one_had_read() {
    for deaths in [[death(66, 70), death(75, 90)], [death(-9, -2), death(66, 70)]] {
        let mut scene = taken(Numbering::Increasing);
        scene.evidence.deaths = deaths.to_vec();
        assert_eq!(lost(&scene), 2, "the one that had read it was stopped in order: {deaths:?}");
    }
}

#[test]
fn what_the_vendor_would_have_given_again_is_lost_in_spite_of_the_death() {
    let mut scene = taken(Numbering::Increasing);
    scene.evidence.deaths = vec![death(-5, 70)];
    scene.served(1).floor = 0;
    assert_eq!(lost(&scene), 2);
}

#[test]
fn what_a_repair_cut_is_lost_only_if_the_vendor_would_have_given_it_after_that() {
    // The next process had 5 and 6 on its disk, and asked from behind them; at 85 they were cut.
    let mut scene = taken(Numbering::Increasing);
    scene.served(1).floor = 0;
    assert_eq!(lost(&scene), 2);
    scene.evidence.repairs = vec![85];
    assert_eq!(lost(&scene), 2, "a repair of another time");
    scene.evidence.repairs = vec![us(85)];
    assert_eq!(lost(&scene), 0);
    // What survived the repair shows what else was there.
    scene.store(5, 69);
    assert_eq!(lost(&scene), 1);
    scene.evidence.stored.pop();
    let head = scene.truth.events[5].sequence;
    let third = scene.subscribe(90, head);
    scene.served(third).floor = 0;
    assert_eq!(lost(&scene), 2, "kept by the vendor, and not asked for again");
    scene.served(third).floor = head.unwrap_or(0);
    assert_eq!(lost(&scene), 0);
}

#[test]
fn who_died_without_a_trace_was_never_there() {
    let mut scene = Scene::new(Numbering::Increasing);
    let first = scene.subscribe(0, None);
    scene.event("a", 10);
    scene.read_all(first);
    scene.broke(first, 20);
    scene.event("a", 25);
    scene.subscribe(30, None);
    let second = scene.event("a", 40);
    scene.store(second, 41);
    assert_eq!((scene.verdict().events_emitted, scene.verdict().uncovered), (3, 2));
    scene.evidence.deaths = vec![death(-5, 20)];
    assert_eq!((scene.verdict().events_emitted, scene.verdict().uncovered), (1, 0));
    // It had left something: the next one could know of it.
    scene.evidence.stored[0].received_us = us(15);
    assert_eq!((scene.verdict().events_emitted, scene.verdict().uncovered), (3, 2));
}

#[test]
fn what_was_dropped_before_a_death_need_not_show_after_it() {
    // Event 4 (of b) was passed over in silence; one look at 45 could have shown it, later ones
    // show 6, which the client holds.
    let mut scene = Scene::clean(Numbering::Increasing);
    scene.forget(3);
    scene.served(0).dropped = vec![3];
    for (look, as_of) in [(45, 5), (46, 5), (47, 5), (61, 6)] {
        scene.page(look);
        scene.truth.pages.last_mut().unwrap().as_of = as_of;
    }
    assert_eq!((scene.verdict().undetectable, scene.verdict().uncovered), (0, 1));
    scene.evidence.deaths = vec![death(-5, 46)];
    assert_eq!((scene.verdict().undetectable, scene.verdict().uncovered), (1, 0));
    // It was found in time to be written down.
    scene.evidence.deaths = vec![death(-5, 48)];
    assert_eq!((scene.verdict().undetectable, scene.verdict().uncovered), (0, 1));
}
