//! Goal: a journal that stalls stops the reading, then ends the connection on our terms, and the
//! vendor is left alone until the journal has caught up.

use std::collections::BTreeSet;

use crate::world::{World, contiguous, stream};
use unbroken_core::connector::{Class, Failure, Replay};
use unbroken_core::ids::{ConnId, Label};
use unbroken_core::machine::{Input, Phase, Report};
use unbroken_core::position::Position;
use unbroken_core::record::{Body, Closer, Turn};

/// Live, and the journal takes no more.
fn stalled() -> (World, ConnId) {
    let mut world = World::new(contiguous());
    world.emit(0);
    world.run_to_live();
    world.settle();
    world.emit(1);
    let conn = world.sole_conn();
    world.deliver(conn);
    world.give(Input::Reading { conn, resumed: false });
    (world, conn)
}

/// Timers fire, the vendor answers, and nothing becomes durable.
fn pass(world: &mut World, ms: u64) {
    let until = world.now + ms;
    while world.deadline.is_some_and(|deadline| deadline <= until) {
        world.tick();
        while world.step_but_pages() {}
        while !world.pages.is_empty() {
            world.page(world.events.len());
        }
    }
    world.now = until;
}

#[test]
fn a_stall_that_lasts_too_long_ends_the_connection_on_our_terms() {
    let (mut world, conn) = stalled();
    let patience_ms = world.rules.timing.backpressure_ms;
    pass(&mut world, patience_ms - 1);
    assert!(world.socks.contains_key(&conn), "short stalls are borne");
    pass(&mut world, 1);
    assert!(!world.socks.contains_key(&conn));
    let closed = world.records().into_iter().rev().find_map(|record| match &record.body {
        Body::Connection(turn) if turn.turn == Turn::Closed => Some(turn.clone()),
        _ => None,
    });
    let closed = closed.expect("the record says so");
    assert_eq!(closed.by, Closer::Us);
    assert!(closed.why.as_str().starts_with("backpressure"), "{}", closed.why);
}

#[test]
fn a_journal_that_is_behind_is_waited_for_before_the_vendor_is_asked_again() {
    let (mut world, _) = stalled();
    world.now = world.now + 600_000;
    world.tick();
    pass(&mut world, 3_600_000);
    assert!(world.socks.is_empty(), "nothing that came could be taken");
    let phase = world.machine.phase(&stream());
    let Some(Phase::Waiting { why, .. }) = phase else { panic!("{phase:?}") };
    assert_eq!(why.as_str(), "the journal");
    let units = world.log.len();
    pass(&mut world, 3_600_000);
    assert_eq!(world.log.len(), units, "nor does it write of its waiting");
    world.emit(0);
    world.commit();
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [2, 3]);
    world.assert_state_is_the_vendors();
}

#[test]
fn events_of_a_numbering_that_cannot_be_entered_are_bounded_over_all_attempts() {
    let mut rules = contiguous();
    rules.timing.held_max = 4;
    // Only an Overlap, which takes events before it has a snapshot.
    rules.caps.replay = Replay::None;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world.settle();
    world.reset_epoch();
    // Each attempt brings three events and no snapshot.
    for _ in 0..6 {
        for _ in 0..100 {
            if world.socks.values().any(|sock| sock.subscribed) {
                break;
            }
            if !world.step_but_pages() {
                answer_pages_badly(&mut world);
                world.tick();
            }
        }
        for key in 0..3 {
            world.emit(key);
        }
        while world.step_but_pages() {}
        let Some(conn) = world.socks.keys().next_back().copied() else { continue };
        world.break_sock(conn);
    }
    let alarmed = world.reports.iter().any(|report| matches!(report, Report::Alarm { .. }));
    assert!(alarmed, "{:#?}", world.reports);
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
    let epoch = world.stream_fold().epoch;
    let here = |p: &Position| p.epoch == epoch;
    let positions = world.changes().into_iter().filter_map(|change| change.position);
    let held: BTreeSet<u64> = positions.filter(here).map(|p| p.sequence).collect();
    for made in world.events.iter().filter(|made| made.epoch == world.epoch) {
        let at = made.sequence;
        let in_a_row = world.ledger().iter().any(|row| {
            let (after, through) = (row.after.filter(here), row.through.filter(here));
            through.is_some_and(|p| at <= p.sequence) && after.is_none_or(|p| at > p.sequence)
        });
        assert!(held.contains(&at) || in_a_row, "{at} is nowhere: {:#?}", world.ledger());
    }
    assert!(held.len() < world.events.len(), "or the bound was not reached");
}

fn answer_pages_badly(world: &mut World) {
    for (request, _) in std::mem::take(&mut world.pages) {
        let class = Class::Retry { after_ms: None };
        let failure = Failure { class, code: Some(503), what: Label::from("503") };
        world.give(Input::PageFailed { request, failure });
    }
}
