//! Goal: where the vendor has a history, an interval whose events are lost ends with the facts of
//! it, each once, and only when the vendor's answers can be believed.

use crate::world;
use crate::world::{World, contiguous, key};
use bytes::Bytes;
use unbroken_core::connector::{
    Class, Fact, Failure, History, HistoryPage, Numbering, Replay, SnapshotKind,
};
use unbroken_core::ids::{Label, RequestId};
use unbroken_core::machine::{Input, Report};
use unbroken_core::record::{Body, Change, Effect, GapCause, GapClosed, GapOutcome, Origin};
use unbroken_core::time::UnixMicros;

const LAG_MS: u64 = 600_000;
const REACH_MS: u64 = 3_600_000;
const WALKS_MAX: u32 = 5;

/// No positions and no replay, as a notification service has it, and a query of history.
fn forgetful() -> world::Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    rules.caps.history = Some(History {
        lag_ms: LAG_MS,
        reach_ms: REACH_MS,
        again_ms: 60_000,
        walks_max: WALKS_MAX,
    });
    let never_ms = 1_000_000_000;
    rules.timing.audit_ms = never_ms;
    rules.timing.idle_ms = never_ms;
    rules.timing.ping_ms = never_ms;
    rules
}

/// Live again after an outage of a minute, about which history has not been asked yet.
fn after_an_outage() -> World {
    let mut world = World::new(forgetful());
    world.emit(0);
    world.run_to_live();
    world.now.0 += 10_000;
    outage(&mut world);
    world
}

fn outage(world: &mut World) {
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.now.0 += 60_000;
    world.run_to_live();
    world.settle();
}

fn row(world: &World) -> GapClosed {
    world.ledger().pop().unwrap()
}

fn fact(id: &str, began_at: UnixMicros, ended_at: Option<UnixMicros>) -> Fact {
    Fact {
        id: id.into(),
        key: key(1),
        kind: Some("segment".into()),
        began_at,
        ended_at,
        over: false,
        payload: Bytes::from(id.to_owned()),
    }
}

/// A fact in the middle of the last row.
fn within(world: &World, id: &str) -> Fact {
    let row = row(world);
    let middle = UnixMicros(i64::midpoint(row.wall_from.0, row.wall_to.0));
    fact(id, middle, Some(middle))
}

/// Lets time pass until history is asked; false if it is not within a day.
fn until_asked(world: &mut World) -> bool {
    let until = world.now + 86_400_000;
    while world.past.is_empty() && world.now < until {
        world.settle();
        let before = world.now;
        world.tick();
        if world.now == before && world.deadline.is_none() {
            return false;
        }
    }
    !world.past.is_empty()
}

/// One walk of one page.
fn answer(world: &mut World, facts: &[Fact], total: u64) {
    assert!(until_asked(world), "history is not asked");
    let (request, _) = world.past.remove(0);
    let hits = facts.len() as u64;
    let page =
        HistoryPage { facts: facts.to_vec(), hits, total: Some(total), next: None, later_ms: None };
    world.give(Input::HistoryPage { request, page });
    world.settle();
}

fn stored(world: &World) -> Vec<&Change> {
    let records = world.records().into_iter();
    let backfilled = records.filter_map(|record| match &record.body {
        Body::Change(change) if change.origin == Origin::Backfill => Some(change),
        _ => None,
    });
    backfilled.collect()
}

fn ids(world: &World) -> Vec<&str> {
    stored(world).iter().filter_map(|c| c.event_id.as_ref().map(Label::as_str)).collect()
}

#[test]
fn two_answers_that_agree_end_the_row_as_summarised() {
    let mut world = after_an_outage();
    let before = row(&world);
    assert_eq!((before.cause, before.outcome), (GapCause::NoReplay, GapOutcome::Unproven));
    assert!(until_asked(&mut world));
    let (_, asked) = world.past[0].clone();
    assert_eq!((asked.from, asked.to), (before.wall_from, before.wall_to));
    assert_eq!(asked.since.0, before.wall_from.0 - REACH_MS as i64 * 1_000);
    let waited_us = world.moment().wall.0 - before.wall_to.0;
    assert!(waited_us >= LAG_MS as i64 * 1_000, "the index needs its time: {waited_us}");
    let facts = [within(&world, "c1"), within(&world, "c2")];
    answer(&mut world, &facts, 2);
    assert_eq!(ids(&world), [""; 0], "one answer proves nothing");
    answer(&mut world, &facts, 2);
    assert_eq!(ids(&world), ["c1", "c2"]);
    assert!(stored(&world).iter().all(|change| change.effect == Effect::History));
    let after = row(&world);
    assert_eq!(after, GapClosed { outcome: GapOutcome::Summarised, ..before });
    assert!(!until_asked(&mut world), "nothing is left to ask");
    world.assert_state_is_the_vendors();
}

#[test]
fn an_index_that_is_still_being_filled_is_waited_for() {
    let mut world = after_an_outage();
    let facts = [within(&world, "c1"), within(&world, "c2"), within(&world, "c3")];
    answer(&mut world, &facts[..2], 2);
    answer(&mut world, &facts, 3);
    assert_eq!(row(&world).outcome, GapOutcome::Unproven);
    answer(&mut world, &facts, 3);
    assert_eq!(ids(&world), ["c1", "c2", "c3"]);
    assert_eq!(row(&world).outcome, GapOutcome::Summarised);
}

#[test]
fn a_total_that_lies_leaves_the_row_as_it_is_and_alarms() {
    let mut world = after_an_outage();
    let facts = [within(&world, "c1")];
    for _ in 0..WALKS_MAX {
        answer(&mut world, &facts, 2);
    }
    assert!(!until_asked(&mut world), "not for ever");
    assert_eq!(ids(&world), [""; 0]);
    assert_eq!(row(&world).outcome, GapOutcome::Unproven);
    let alarmed = |report: &Report| matches!(report, Report::Alarm { .. });
    assert!(world.reports.iter().any(alarmed));
    let gap = row(&world).gap;
    world.crash(0);
    world.run_to_live();
    assert!(!world.stream_fold().history_owed.contains_key(&gap));
}

#[test]
fn only_what_reaches_into_the_interval_is_stored() {
    let mut world = after_an_outage();
    let row = row(&world);
    let (from, to) = (row.wall_from, row.wall_to);
    let at = |moment: UnixMicros, by: i64| UnixMicros(moment.0 + by);
    let facts = [
        fact("over before", at(from, -9), Some(at(from, -1))),
        fact("reaches in", at(from, -9), Some(from)),
        fact("goes on", at(from, -9), None),
        fact("begins at the end", to, None),
        fact("begins after", at(to, 1), None),
    ];
    answer(&mut world, &facts, 5);
    answer(&mut world, &facts, 5);
    let mut found = ids(&world);
    found.sort_unstable();
    assert_eq!(found, ["begins at the end", "goes on", "reaches in"]);
}

#[test]
fn a_fact_that_reaches_into_two_intervals_is_stored_once() {
    let mut world = after_an_outage();
    let long = fact("long", row(&world).wall_from, None);
    outage(&mut world);
    let facts = [long];
    for _ in 0..4 {
        answer(&mut world, &facts, 1);
    }
    assert_eq!(ids(&world), ["long"]);
    let rows = world.ledger();
    let summarised = rows.iter().filter(|row| row.outcome == GapOutcome::Summarised);
    assert_eq!(summarised.count(), 2);
}

/// Ten outages of a minute in a row, about which the index can tell when it is asked at last.
fn after_ten_outages() -> World {
    let mut world = after_an_outage();
    for _ in 1..10 {
        outage(&mut world);
    }
    world.now.0 += LAG_MS;
    world
}

fn outcomes(world: &World, outcome: GapOutcome) -> usize {
    world.ledger().iter().filter(|row| row.outcome == outcome).count()
}

#[test]
fn one_walk_tells_of_every_row_that_is_complete() {
    let mut world = after_ten_outages();
    let rows: Vec<GapClosed> =
        world.ledger().into_iter().filter(|row| row.cause != GapCause::Start).collect();
    let facts: Vec<Fact> = rows
        .iter()
        .map(|row| fact(&format!("in {}", row.gap.0), row.wall_from, Some(row.wall_to)))
        .collect();
    assert!(until_asked(&mut world));
    let (_, asked) = world.past[0].clone();
    let ends = rows.iter().map(|row| row.wall_to).max();
    assert_eq!((asked.from, Some(asked.to)), (rows[0].wall_from, ends));
    answer(&mut world, &facts, 10);
    answer(&mut world, &facts, 10);
    assert_eq!(outcomes(&world, GapOutcome::Summarised), 10);
    assert_eq!(ids(&world).len(), 10, "each once");
    assert!(!until_asked(&mut world), "nothing is left to ask");
}

#[test]
fn what_cannot_be_told_of_many_rows_is_asked_about_one() {
    let mut world = after_ten_outages();
    let first = world.ledger().into_iter().find(|row| row.cause != GapCause::Start).unwrap();
    let facts = [fact("c1", first.wall_from, Some(first.wall_to))];
    for _ in 0..WALKS_MAX {
        answer(&mut world, &facts, 2);
    }
    assert!(until_asked(&mut world));
    let (_, asked) = world.past[0].clone();
    assert_eq!((asked.from, asked.to), (first.wall_from, first.wall_to));
    answer(&mut world, &facts, 1);
    answer(&mut world, &facts, 1);
    assert_eq!(outcomes(&world, GapOutcome::Summarised), 1);
    assert!(until_asked(&mut world), "the others are not given up");
}

#[test]
fn a_crash_between_facts_and_the_end_of_the_row_doubles_nothing() {
    for survivors in 0..=4 {
        let mut rules = forgetful();
        rules.timing.snapshot_unit_items = 1;
        let mut world = World::new(rules);
        world.emit(0);
        world.run_to_live();
        world.now.0 += 10_000;
        outage(&mut world);
        let facts = [within(&world, "c1"), within(&world, "c2"), within(&world, "c3")];
        answer(&mut world, &facts, 3);
        assert!(until_asked(&mut world));
        let (request, _) = world.past.remove(0);
        let page = HistoryPage {
            facts: facts.to_vec(),
            hits: 3,
            total: Some(3),
            next: None,
            later_ms: None,
        };
        world.give(Input::HistoryPage { request, page });
        let on_their_way = world.log.len() - world.durable;
        world.crash(survivors.min(on_their_way));
        world.run_to_live();
        for _ in 0..4 {
            if !until_asked(&mut world) {
                break;
            }
            answer(&mut world, &facts, 3);
        }
        let mut found = ids(&world);
        found.sort_unstable();
        assert_eq!(found, ["c1", "c2", "c3"], "{survivors} units survived");
    }
}

/// Two pages of one fact each.
fn page_of_two(world: &World, at: usize) -> HistoryPage {
    HistoryPage {
        facts: vec![within(world, ["c1", "c2"][at])],
        hits: 1,
        total: Some(2),
        next: ["2"].get(at).map(|next| Label::from(*next)),
        later_ms: None,
    }
}

fn fail_page(world: &mut World, request: RequestId, class: Class) {
    let failure = Failure { class, code: Some(503), what: Label::from("503") };
    world.give(Input::PageFailed { request, failure });
}

/// Two walks that agree; the second page fails so often first.
fn walked_through(failures: usize, class: Class) -> (World, usize) {
    let mut world = after_an_outage();
    let (mut first_pages, mut failed) = (0, 0);
    while row(&world).outcome != GapOutcome::Summarised {
        assert!(until_asked(&mut world), "after {failed} failures");
        let (request, asked) = world.past.remove(0);
        let at = usize::from(asked.page.is_some());
        first_pages += 1 - at;
        if at == 1 && failed < failures {
            failed += 1;
            fail_page(&mut world, request, class);
        } else {
            let page = page_of_two(&world, at);
            world.give(Input::HistoryPage { request, page });
        }
        world.settle();
    }
    assert_eq!(ids(&world), ["c1", "c2"]);
    assert!(world.is_live(), "the stream goes on");
    (world, first_pages)
}

#[test]
fn a_page_that_fails_is_asked_for_again_and_its_walk_goes_on() {
    let (world, walks) = walked_through(5, Class::Retry { after_ms: Some(5_000) });
    assert_eq!(walks, 2);
    let told = |report: &&Report| matches!(report, Report::Alarm { .. });
    assert_eq!(world.reports.iter().filter(told).count(), 1, "and somebody is told");
}

#[test]
fn a_page_that_goes_on_failing_is_the_end_of_its_walk() {
    let (_, walks) = walked_through(6, Class::Retry { after_ms: None });
    assert_eq!(walks, 3);
    let (_, walks) = walked_through(12, Class::Retry { after_ms: None });
    assert_eq!(walks, 4);
}

#[test]
fn a_place_in_the_pages_that_is_gone_is_the_end_of_its_walk() {
    let (_, walks) = walked_through(1, Class::Closing);
    assert_eq!(walks, 3);
}

/// One walk of two pages that name these totals; each page has one conversation.
fn answer_in_two(world: &mut World, facts: &[Fact; 2], totals: [u64; 2]) {
    assert!(until_asked(world), "history is not asked");
    for (at, next) in [(0, Some("2".into())), (1, None)] {
        let (request, _) = world.past.remove(0);
        let (facts, total) = (vec![facts[at].clone()], Some(totals[at]));
        let page = HistoryPage { facts, hits: 1, total, next, later_ms: None };
        world.give(Input::HistoryPage { request, page });
    }
    world.settle();
}

#[test]
fn a_total_that_grows_while_pages_are_read_is_believed_if_all_that_it_counts_was_read() {
    let mut world = after_an_outage();
    // What began after the interval is counted and comes at the end; it is no fact of it.
    let late = UnixMicros(row(&world).wall_to.0 + 1_000_000);
    let facts = [within(&world, "c1"), fact("c2", late, None)];
    answer_in_two(&mut world, &facts, [1, 2]);
    answer_in_two(&mut world, &facts, [1, 2]);
    assert_eq!(ids(&world), ["c1"]);
    assert_eq!(row(&world).outcome, GapOutcome::Summarised);
}

#[test]
fn a_total_that_shrinks_or_counts_more_than_was_read_is_not_believed() {
    for totals in [[3, 2], [2, 3], [1, 1]] {
        let mut world = after_an_outage();
        let facts = [within(&world, "c1"), within(&world, "c2")];
        for _ in 0..WALKS_MAX {
            answer_in_two(&mut world, &facts, totals);
        }
        assert_eq!(ids(&world), [""; 0], "{totals:?}");
        assert_eq!(row(&world).outcome, GapOutcome::Unproven, "{totals:?}");
    }
}

#[test]
fn a_right_that_is_missing_for_history_is_missing_only_there() {
    let mut world = after_an_outage();
    assert!(until_asked(&mut world));
    let (request, _) = world.past.remove(0);
    let failure = Failure { class: Class::Fatal, code: Some(403), what: Label::from("HTTP 403") };
    world.give(Input::PageFailed { request, failure });
    assert!(world.is_live());
    assert!(!until_asked(&mut world));
    assert_eq!(row(&world).outcome, GapOutcome::Unproven);
}

#[test]
fn nothing_is_asked_about_the_time_before_the_first_coverage() {
    let mut world = World::new(forgetful());
    world.emit(0);
    world.run_to_live();
    assert!(!until_asked(&mut world));
}

#[test]
fn what_cannot_come_again_is_forgotten() {
    let mut world = after_an_outage();
    let facts = [within(&world, "c1")];
    answer(&mut world, &facts, 1);
    answer(&mut world, &facts, 1);
    assert_eq!(world.stream_fold().facts.len(), 1);
    world.now.0 += 2 * REACH_MS;
    outage(&mut world);
    assert_eq!(world.stream_fold().facts.len(), 0);
}

#[test]
fn pages_without_an_end_are_left() {
    let mut world = after_an_outage();
    let facts = [within(&world, "c1")];
    let mut asked = 0;
    while until_asked(&mut world) {
        asked += 1;
        assert!(asked <= 3 * WALKS_MAX, "page after page");
        let (request, _) = world.past.remove(0);
        let next = Some("again".into());
        let page =
            HistoryPage { facts: facts.to_vec(), hits: 1, total: Some(2), next, later_ms: None };
        world.give(Input::HistoryPage { request, page });
    }
    assert_eq!(asked, 3 * WALKS_MAX, "each walk ends beyond the total");
    assert_eq!((ids(&world).len(), row(&world).outcome), (0, GapOutcome::Unproven));
}

#[test]
fn an_inquiry_outlives_a_doubt() {
    let mut world = after_an_outage();
    assert!(until_asked(&mut world));
    world.past.clear();
    world.give(Input::Resync { stream: world::stream(), keys: None });
    assert!(!world.is_live());
    // Neither the snapshot nor history is answered until both deadlines have passed.
    let late = world.now + world.rules.timing.page_ms + 1;
    while world.now < late {
        world.pages.clear();
        world.tick();
    }
    assert!(!world.is_live());
    world.run_to_live();
    let facts = [within(&world, "c1")];
    answer(&mut world, &facts, 1);
    answer(&mut world, &facts, 1);
    assert_eq!(row(&world).outcome, GapOutcome::Summarised);
}

#[test]
fn an_answer_that_takes_its_time_is_asked_for_again_and_not_begun_anew() {
    let mut world = after_an_outage();
    let facts = [within(&world, "c1")];
    for _ in 0..2 {
        assert!(until_asked(&mut world));
        for _ in 0..3 {
            let (request, _) = world.past.remove(0);
            let next = Some("job 7".into());
            let page = HistoryPage { next, later_ms: Some(5_000), ..HistoryPage::default() };
            let asked_at = world.now;
            world.give(Input::HistoryPage { request, page });
            assert!(until_asked(&mut world));
            assert_eq!(world.past[0].1.page, Some("job 7".into()));
            assert_eq!(world.now, asked_at + 5_000);
        }
        let (request, _) = world.past.remove(0);
        let page = HistoryPage { facts: facts.to_vec(), hits: 1, ..HistoryPage::default() };
        world.give(Input::HistoryPage { request, page });
    }
    assert_eq!(ids(&world), ["c1"]);
    assert_eq!(row(&world).outcome, GapOutcome::Summarised);
}

#[test]
fn an_answer_that_never_comes_to_an_end_is_given_up() {
    let mut world = after_an_outage();
    for _ in 0..2_000 {
        if !until_asked(&mut world) {
            assert_eq!(row(&world).outcome, GapOutcome::Unproven);
            return;
        }
        let (request, _) = world.past.remove(0);
        let page = HistoryPage { later_ms: Some(1), ..HistoryPage::default() };
        world.give(Input::HistoryPage { request, page });
    }
    panic!("it is asked for ever");
}
