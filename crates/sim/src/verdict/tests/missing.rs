//! `lost`, `undetectable`, `uncovered`, `unproven`, `unrecoverable`.

use super::scene::{Scene, place, us};
use crate::settings::{Body, Numbering};
use crate::truth::{SubscriptionEnd, TruthSubscription};
use crate::verdict::{Origin, Outcome};

/// Events 1 to 3 stored, then the socket broke; 4 and 5 were made in the outage; a second
/// subscription from 5 on (as after a rebase) and 6 on it. A row says that 4 and 5 are gone.
fn outage() -> Scene {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.forget(3);
    scene.forget(4);
    let served = scene.served(0);
    (served.delivered, served.confirmed) = (3, 3);
    scene.broke(0, 35);
    let second = scene.subscribe(55, Some(5));
    scene.served(second).floor = 5;
    scene.read_all(second);
    scene.row(place(0, 3), place(0, 5), (35, 56), Outcome::Unrecoverable);
    scene
}

#[test]
fn purged_history_in_a_row_is_unrecoverable_and_nothing_worse() {
    let verdict = outage().verdict();
    assert_eq!((verdict.unrecoverable, verdict.lost, verdict.uncovered), (2, 0, 0));
    assert!(verdict.is_clean(1_000), "{:?}", verdict.examples);
}

#[test]
fn history_that_was_kept_but_not_asked_for_is_lost() {
    let mut scene = outage();
    scene.served(1).floor = 3;
    let verdict = scene.verdict();
    assert_eq!((verdict.lost, verdict.unrecoverable), (2, 2));
    let example = &verdict.examples[0];
    assert_eq!((example.figure, example.position.as_deref()), ("lost", Some("e1:4")));
    assert!(!verdict.is_clean(1_000));
    // One further up and the first of the two would have been refused.
    scene.served(1).floor = 4;
    assert_eq!(scene.verdict().lost, 0);
}

#[test]
fn a_vendor_that_does_not_replay_or_wants_its_exact_head_loses_the_events_itself() {
    let mut scene = outage();
    scene.served(1).floor = 0;
    scene.served(1).replay = false;
    assert_eq!(scene.verdict().lost, 0);
    scene.served(1).replay = true;
    scene.served(1).exact_head = true;
    assert_eq!(scene.verdict().lost, 0);
    scene.served(1).exact_head = false;
    assert_eq!(scene.verdict().lost, 2);
}

#[test]
fn another_numbering_has_no_history_of_the_old_one() {
    let mut scene = outage();
    scene.served(1).floor = 0;
    scene.truth.epochs.push("e2".into());
    scene.served(1).epoch = 1;
    assert_eq!(scene.verdict().lost, 0);
}

#[test]
fn what_was_read_on_an_orderly_socket_is_lost_if_missing() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.forget(2);
    scene.row(place(0, 2), place(0, 3), (20, 40), Outcome::Unproven);
    assert_eq!(scene.verdict().lost, 1);
    scene.served(0).end = SubscriptionEnd::Left;
    assert_eq!(scene.verdict().lost, 1);
    // A break may have taken what was under way.
    scene.broke(0, 70);
    let verdict = scene.verdict();
    assert_eq!((verdict.lost, verdict.unproven), (0, 1));
    scene.served(0).end = SubscriptionEnd::Closed;
    scene.served(0).confirmed = 2;
    assert_eq!(scene.verdict().lost, 0);
}

#[test]
fn a_replay_that_broke_before_it_was_read_withholds_the_events_again() {
    let mut scene = outage();
    // The second subscription asked rightly, but broke; then history was purged.
    let served = scene.served(1);
    (served.floor, served.asked, served.first, served.confirmed) = (3, Some(3), 3, 3);
    scene.broke(1, 57);
    let third = scene.subscribe(58, Some(5));
    scene.served(third).floor = 5;
    scene.read_all(third);
    assert_eq!(scene.verdict().lost, 0);
    scene.served(third).floor = 3;
    assert_eq!(scene.verdict().lost, 2);
}

#[test]
fn the_clients_own_rows_say_where_it_stood() {
    // It rebased at 5, so that it could have asked from there for 6.
    let mut scene = outage();
    scene.forget(5);
    scene.served(1).confirmed = 5;
    scene.broke(1, 70);
    let third = scene.subscribe(80, None);
    scene.served(third).floor = 5;
    assert_eq!(scene.verdict().lost, 1);
    scene.evidence.ledger.clear();
    assert_eq!(scene.verdict().lost, 0);
}

#[test]
fn events_before_the_first_coverage_are_not_missed() {
    let mut scene = Scene::new(Numbering::Contiguous);
    scene.event("a", 1);
    scene.event("b", 2);
    scene.subscribe(5, None);
    let verdict = scene.verdict();
    assert_eq!((verdict.events_emitted, verdict.uncovered), (0, 0));
    scene.event("a", 6);
    let verdict = scene.verdict();
    assert_eq!((verdict.events_emitted, verdict.uncovered), (1, 1));
}

#[test]
fn agents_out_of_scope_are_not_missed() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.forget(1);
    scene.served(0).agents = Some(vec!["a".into()]);
    let verdict = scene.verdict();
    assert_eq!((verdict.events_emitted, verdict.uncovered, verdict.lost), (3, 0, 0));
}

#[test]
fn a_missing_event_outside_every_row_is_uncovered() {
    let mut scene = outage();
    scene.evidence.ledger.clear();
    let verdict = scene.verdict();
    assert_eq!((verdict.uncovered, verdict.unrecoverable), (2, 0));
    assert_eq!(verdict.examples.iter().filter(|e| e.figure == "uncovered").count(), 2);
}

#[test]
fn bounds_of_a_row_are_after_and_through() {
    for (after, through, uncovered) in [(3, 5, 0), (4, 5, 1), (3, 4, 1), (2, 9, 0)] {
        let mut scene = outage();
        scene.evidence.ledger[0].after = place(0, after);
        scene.evidence.ledger[0].through = place(0, through);
        assert_eq!(scene.verdict().uncovered, uncovered, "({after}, {through}]");
    }
}

#[test]
fn each_kind_of_row_says_what_it_says() {
    let of = |outcome| {
        let mut scene = outage();
        scene.evidence.ledger.clear();
        scene.row(place(0, 3), place(0, 5), (35, 56), outcome);
        let verdict = scene.verdict();
        (verdict.uncovered, verdict.unproven, verdict.unrecoverable, verdict.gaps_open)
    };
    assert_eq!(of(Outcome::Unrecoverable), (0, 0, 2, 0));
    assert_eq!(of(Outcome::Summarised), (0, 0, 2, 0));
    assert_eq!(of(Outcome::Unproven), (0, 2, 0, 0));
    assert_eq!(of(Outcome::Drift), (0, 2, 0, 0));
    assert_eq!(of(Outcome::Open), (0, 2, 0, 1));
    // It says that nothing is missing, and that is not so.
    assert_eq!(of(Outcome::Repaired), (2, 0, 0, 0));
}

#[test]
fn a_row_across_numberings_covers_the_end_of_one_and_the_start_of_the_other() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.forget(5);
    scene.served(0).confirmed = 5;
    scene.broke(0, 60);
    scene.reset();
    let first = scene.event("a", 70);
    let last = scene.event("b", 80);
    let second = scene.subscribe(75, Some(1));
    scene.served(second).floor = 1;
    scene.store(last, 81);
    scene.row(place(0, 5), place(1, 1), (55, 76), Outcome::Unrecoverable);
    let verdict = scene.verdict();
    assert_eq!((verdict.unrecoverable, verdict.uncovered, verdict.lost), (2, 0, 0));
    assert_eq!(scene.truth.events[first].sequence, Some(1));
    scene.evidence.ledger[0].through = place(0, 6);
    assert_eq!(scene.verdict().uncovered, 1);
}

#[test]
fn epochs_are_matched_by_name_or_else_by_order() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.reset();
    scene.subscribe(90, Some(0));
    let at = scene.event("a", 100);
    scene.store(at, 101);
    for stored in &mut scene.evidence.stored {
        stored.epoch += 7;
    }
    assert_eq!(scene.verdict().uncovered + scene.verdict().duplicated, 0);
    for stored in &mut scene.evidence.stored {
        stored.epoch_name = None;
    }
    assert_eq!(scene.verdict().uncovered + scene.verdict().duplicated, 0);
    // The names say that the client took one numbering for the other.
    scene.evidence.epoch_names = vec![(7, "e2".into()), (8, "e1".into())];
    assert!(scene.verdict().duplicated > 0);
}

#[test]
fn the_start_of_a_new_numbering_cannot_be_asked_for_by_who_stood_nowhere_in_it() {
    let mut scene = Scene::clean(Numbering::Contiguous);
    scene.broke(0, 65);
    scene.reset();
    scene.event("a", 70);
    let second = scene.subscribe(75, None);
    let last = scene.event("b", 80);
    scene.store(last, 81);
    scene.read_all(second);
    scene.row(place(0, 6), place(1, 1), (65, 76), Outcome::Unrecoverable);
    let verdict = scene.verdict();
    assert_eq!((verdict.lost, verdict.unrecoverable, verdict.overclaimed), (0, 1, 0));
    // It is lost to who stood at its beginning …
    scene.evidence.ledger[0].through = place(1, 0);
    assert_eq!(scene.verdict().lost, 1);
    // … and to who was served it.
    scene.evidence.ledger.clear();
    assert_eq!(scene.verdict().lost, 0);
    scene.served(second).first = 6;
    assert_eq!(scene.verdict().lost, 1);
}

/// Event 4 (of b) was dropped on a muted socket that stayed up; 6 (of b) came on the next one, and
/// an audit between them showed what `audit_after` events had made.
fn muted(numbering: Numbering, audit_after: usize) -> Scene {
    let mut scene = Scene::clean(numbering);
    scene.forget(3);
    scene.served(0).confirmed = 3;
    scene.served(0).muted = true;
    scene.page(65);
    scene.truth.pages[0].as_of = audit_after as u64;
    scene
}

#[test]
fn a_drop_that_no_audit_can_see_is_undetectable() {
    for numbering in [Numbering::Increasing, Numbering::None] {
        let verdict = muted(numbering, 6).verdict();
        assert_eq!((verdict.undetectable, verdict.uncovered), (1, 0), "{numbering:?}");
        assert!(verdict.is_clean(1_000));
    }
}

#[test]
fn a_drop_that_an_audit_shows_is_not_undetectable() {
    let verdict = muted(Numbering::Increasing, 5).verdict();
    assert_eq!((verdict.undetectable, verdict.uncovered), (0, 1));
    // The newer state that the audit shows is not held either: a difference all the same.
    let mut scene = muted(Numbering::Increasing, 6);
    scene.forget(5);
    assert_eq!(scene.verdict().undetectable, 0);
    // Nobody looked.
    let mut scene = muted(Numbering::Increasing, 6);
    scene.truth.pages.clear();
    assert_eq!(scene.verdict().undetectable, 0);
}

/// As `muted`, but the subscription went on: only event 4 (of b) was passed over. So many looks
/// followed while 4 was the last of b, then one after 6.
fn dropped(numbering: Numbering, looks: usize) -> Scene {
    let mut scene = Scene::clean(numbering);
    scene.forget(3);
    scene.served(0).dropped = vec![3];
    for look in 0..=looks {
        scene.page(42 + look as i64);
        scene.truth.pages[look].as_of = if look < looks { 5 } else { 6 };
    }
    scene
}

#[test]
fn a_single_drop_is_undetectable_unless_three_looks_can_see_it() {
    for numbering in [Numbering::Increasing, Numbering::None] {
        let figures = |scene: &Scene| {
            let verdict = scene.verdict();
            (verdict.undetectable, verdict.uncovered, verdict.lost)
        };
        let mut seen_twice = dropped(numbering, 2);
        assert_eq!(figures(&seen_twice), (1, 0, 0), "{numbering:?}");
        // The client left before the third look: what the last one shows decides.
        seen_twice.truth.pages.remove(0);
        assert_eq!(figures(&seen_twice), (1, 0, 0), "{numbering:?}");
        let mut left = dropped(numbering, 2);
        left.truth.pages.pop();
        assert_eq!(figures(&left), (0, 1, 0), "{numbering:?}");
        // Looks at a single row are no audit.
        for page in &mut seen_twice.truth.pages {
            page.rows = 1;
        }
        assert_eq!(figures(&seen_twice), (0, 1, 0), "{numbering:?}");
        // The last page of a walk may have one all the same.
        for page in &mut seen_twice.truth.pages {
            page.offset = 1;
        }
        assert_eq!(figures(&seen_twice), (1, 0, 0), "{numbering:?}");
        assert_eq!(figures(&dropped(numbering, 3)), (0, 1, 0), "{numbering:?}");
        // The first was to become Live, and left agents that events had touched to the stream.
        let mut first = dropped(numbering, 3);
        first.evidence.live.clear();
        first.live(43, 1_000);
        assert_eq!(figures(&first), (1, 0, 0), "{numbering:?}");
        // The vendor broke the socket before the third look.
        let mut broken = dropped(numbering, 3);
        broken.broke(0, 43);
        assert_eq!(figures(&broken), (1, 0, 0), "{numbering:?}");
        // Before the first: it had looked before, and could not know that it would have to.
        broken.truth.pages.clear();
        assert_eq!(figures(&broken), (0, 1, 0), "{numbering:?}");
        broken.page(35);
        broken.truth.pages[0].as_of = 3;
        assert_eq!(figures(&broken), (1, 0, 0), "{numbering:?}");
        // Whoever was not passed over has read it.
        let mut read = dropped(numbering, 2);
        read.served(0).dropped.clear();
        assert_eq!(read.verdict().lost, 1, "{numbering:?}");
    }
}

#[test]
fn where_numbers_are_contiguous_a_dropped_event_is_there_for_the_asking() {
    let mut scene = dropped(Numbering::Contiguous, 2);
    assert_eq!((scene.verdict().undetectable, scene.verdict().uncovered), (0, 1));
    assert_eq!(scene.verdict().lost, 0, "nobody has subscribed since");
    scene.broke(0, 61);
    scene.subscribe(62, Some(6));
    assert_eq!(scene.verdict().lost, 1);
}

#[test]
fn an_event_that_came_garbled_is_there_for_the_asking_once() {
    for numbering in [Numbering::Contiguous, Numbering::Increasing] {
        let mut scene = Scene::clean(numbering);
        scene.forget(3);
        scene.served(0).garbled = vec![3];
        assert_eq!(scene.verdict().lost, 0, "nobody has subscribed since");
        assert_eq!(scene.verdict().uncovered, 1);
        scene.broke(0, 61);
        let last = scene.truth.events[5].sequence;
        let second = scene.subscribe(62, last);
        assert_eq!(scene.verdict().lost, 1, "{numbering:?}");
        // Asked rightly and garbled again: who asks from behind it then has been driven to it.
        let served = scene.served(second);
        (served.first, served.garbled) = (3, vec![3]);
        scene.broke(second, 63);
        scene.subscribe(64, last);
        assert_eq!((scene.verdict().lost, scene.verdict().uncovered), (0, 1), "{numbering:?}");
        // Not who asked from behind it in between.
        scene.truth.subscriptions.swap(1, 2);
        assert_eq!(scene.verdict().lost, 1, "{numbering:?}");
    }
}

/// The two events of the outage were served to two subscriptions that were mute; a third was asked
/// for from behind them.
fn muted_twice() -> Scene {
    let mut scene = outage();
    let last = scene.truth.subscriptions.pop().unwrap();
    for at_ms in [51, 53] {
        let number = scene.subscribe(at_ms, Some(3));
        let served = scene.served(number);
        (served.muted, served.end) = (true, SubscriptionEnd::Left);
        served.ended_us = Some(us(at_ms + 1));
    }
    scene.truth.subscriptions.push(TruthSubscription { floor: 0, ..last });
    scene
}

#[test]
fn nobody_asks_a_third_time_where_two_subscriptions_were_seen_to_be_mute() {
    assert_eq!(muted_twice().verdict().lost, 0);
    // What was made since they were over was given up with what had been due.
    let mut since = muted_twice();
    (since.served(1).accepted_us, since.served(1).ended_us) = (us(41), Some(us(42)));
    (since.served(2).accepted_us, since.served(2).ended_us) = (us(43), Some(us(44)));
    assert_eq!(since.verdict().lost, 0);
    // So it is where the vendor closed both before anything came, mute or not; but one of each may
    // be two accidents.
    let mut closed = muted_twice();
    closed.served(1).end = SubscriptionEnd::Closed;
    assert_eq!(closed.verdict().lost, 2);
    closed.served(2).end = SubscriptionEnd::Closed;
    assert_eq!(closed.verdict().lost, 0);
    (closed.served(1).muted, closed.served(2).muted) = (false, false);
    assert_eq!(closed.verdict().lost, 0);
    closed.served(2).delivered = 4;
    assert_eq!(closed.verdict().lost, 2);
    // Who asked rightly once more all the same has to ask again if that broke after it had begun.
    let mut again = muted_twice();
    let third = TruthSubscription {
        muted: false,
        accepted_us: us(54),
        ended_us: Some(us(55)),
        end: SubscriptionEnd::Broken,
        confirmed: 4,
        ..again.served(2).clone()
    };
    again.truth.subscriptions.insert(3, third);
    assert_eq!(again.verdict().lost, 2);
    // Once may be an accident, a break shows nothing, and what began behind the events was none.
    let mut once = muted_twice();
    once.served(1).muted = false;
    assert_eq!(once.verdict().lost, 2);
    let mut broken = muted_twice();
    broken.served(2).end = SubscriptionEnd::Broken;
    assert_eq!(broken.verdict().lost, 2);
    // One that was over before the event was made counts if there was something to bring.
    let mut over = muted_twice();
    over.served(1).ended_us = Some(over.truth.events[3].wall_us);
    assert_eq!(over.verdict().lost, 0);
    over.served(1).ended_us = Some(over.truth.events[3].wall_us - 1);
    assert_eq!(over.verdict().lost, 2);
    // One that brings something in between is the end of the doubt.
    let mut brings = muted_twice();
    let between = TruthSubscription { muted: false, confirmed: 4, ..brings.served(1).clone() };
    brings.truth.subscriptions.insert(2, TruthSubscription { first: 3, ..between });
    assert!(brings.verdict().lost > 0);
    // Who asked from behind them before it had seen two has not been driven to it.
    let mut early = muted_twice();
    early.truth.subscriptions.swap(2, 3);
    assert_eq!(early.verdict().lost, 2);
}

#[test]
fn a_client_stands_where_a_row_ends_but_not_where_a_page_showed_a_drift() {
    // The vendor's floor is above what the client had read, and at the end of a row.
    let ends = |cause: &str| {
        let mut scene = outage();
        scene.served(1).floor = 4;
        scene.row(place(0, 2), place(0, 4), (34, 41), Outcome::Unproven);
        scene.evidence.ledger.last_mut().unwrap().cause = cause.into();
        scene.verdict().lost
    };
    assert_eq!(ends("refused"), 1);
    assert_eq!(ends("drift"), 0);
}

#[test]
fn a_newer_state_that_is_held_ends_a_difference_whatever_was_dropped_behind_it() {
    // 6 (of b) was held when 8 (of b) was dropped, too: the looks behind 8 show 8.
    let scene = |held: bool| {
        let mut scene = dropped(Numbering::None, 0);
        scene.event("a", 70);
        scene.store(6, 71);
        scene.event("b", 80);
        scene.read_all(0);
        scene.served(0).dropped.push(7);
        (82..85).for_each(|at_ms| scene.page(at_ms));
        if !held {
            scene.forget(5);
            scene.served(0).dropped.push(5);
        }
        let verdict = scene.verdict();
        (verdict.undetectable, verdict.uncovered)
    };
    assert_eq!(scene(true), (1, 1), "4 cannot be seen, 8 can");
    assert_eq!(scene(false), (0, 3), "b was wrong from 4 on");
}

#[test]
fn nothing_is_undetectable_on_a_contiguous_stream_or_a_broken_socket() {
    assert_eq!(muted(Numbering::Contiguous, 6).verdict().undetectable, 0);
    let mut scene = muted(Numbering::Increasing, 6);
    scene.served(0).muted = false;
    assert_eq!(scene.verdict().undetectable, 0);
}

#[test]
fn an_audit_without_state_sees_nothing() {
    let mut scene = muted(Numbering::Increasing, 5);
    scene.truth.body = Body::Schedules;
    assert_eq!(scene.verdict().undetectable, 1);
}

#[test]
fn what_a_client_leaves_for_an_outage_later_looks_show_no_more() {
    // Event 4 was dropped at 40, and looked for once or three times before the client left at 55.
    let left = |looks: usize, cause: &str, outcome: Outcome| {
        let mut scene = dropped(Numbering::None, looks - 1);
        scene.truth.events.pop();
        scene.evidence.stored.pop();
        (57..60).for_each(|at_ms| scene.page(at_ms));
        let served = scene.served(0);
        (served.end, served.ended_us, served.confirmed) = (SubscriptionEnd::Left, Some(us(55)), 5);
        scene.subscribe(56, None);
        scene.row(None, None, (52, 56), outcome);
        scene.evidence.ledger.last_mut().unwrap().cause = cause.into();
        let verdict = scene.verdict();
        (verdict.undetectable, verdict.uncovered)
    };
    assert_eq!(left(1, "no_replay", Outcome::Unproven), (1, 0));
    assert_eq!(left(3, "no_replay", Outcome::Unproven), (0, 1), "three looks can see it");
    // Another one went on: the looks behind show it still.
    assert_eq!(left(1, "no_replay", Outcome::Repaired), (0, 1));
    assert_eq!(left(1, "drift", Outcome::Unproven), (0, 1));
}

/// After an outage up to 40, event 4 (of b, at 40) was dropped; a snapshot that said what b is was
/// published at 46, to become Live.
fn mended_by_a_snapshot(numbering: Numbering) -> Scene {
    let mut scene = dropped(numbering, 3);
    scene.evidence.live.clear();
    scene.live(0, 30);
    scene.live(46, 1_000);
    scene.row(None, None, (30, 39), Outcome::Unproven);
    let item = scene.store(3, 46);
    item.origin = Origin::Snapshot;
    scene
}

#[test]
fn what_the_snapshot_behind_an_outage_has_mended_no_audit_can_show() {
    let figures = |scene: &Scene| {
        let verdict = scene.verdict();
        (verdict.undetectable, verdict.uncovered)
    };
    let numbering = Numbering::None;
    assert_eq!(figures(&mended_by_a_snapshot(numbering)), (1, 0));
    // Another agent's row tells nothing of it.
    let mut other = mended_by_a_snapshot(numbering);
    other.evidence.stored.last_mut().unwrap().key = "a".into();
    assert_eq!(figures(&other), (0, 1));
    // Live in between, it had said that nothing was in doubt.
    let mut live = mended_by_a_snapshot(numbering);
    live.live(41, 45);
    assert_eq!(figures(&live), (0, 1));
    // An outage that is said to have changed nothing is no reason for a difference.
    let mut repaired = mended_by_a_snapshot(numbering);
    repaired.evidence.ledger[0].outcome = Outcome::Repaired;
    assert_eq!(figures(&repaired), (0, 1));
    // The snapshot came first.
    let mut early = mended_by_a_snapshot(numbering);
    early.evidence.stored.last_mut().unwrap().received_us = 39_500;
    assert_eq!(figures(&early), (0, 1));
}
