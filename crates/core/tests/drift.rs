//! Goal: what a snapshot corrects on a stream that was complete is on the ledger, whoever asked for
//! it, from where the loss may have begun.

use crate::world::{Rules, World, contiguous, key, stream};
use unbroken_core::connector::{Coverage, Numbering, Replay, SnapshotKind};
use unbroken_core::ids::ConnId;
use unbroken_core::machine::{Input, Phase};
use unbroken_core::record::{GapCause, GapClosed, GapOutcome};

/// Numbers with holes that mean nothing, of which only a part is ours.
fn filtered() -> Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    rules.caps.coverage = Coverage::Filtered;
    rules
}

fn unpositioned() -> Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    rules
}

/// Live, with keys 0 and 1, and an event of each on the stream: of increasing numbers 6 and 8.
fn live(rules: Rules) -> World {
    let mut world = World::new(rules);
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    world.emit(0);
    world.emit(1);
    world.settle();
    world
}

fn resync(world: &mut World, keys: Option<&[u8]>) {
    let keys = keys.map(|keys| keys.iter().map(|k| key(*k)).collect());
    world.give(Input::Resync { stream: stream(), keys });
}

/// An event that never arrives, on a socket that stays up.
fn drop_event(world: &mut World, k: u8, deleted: bool) {
    let conn = world.sole_conn();
    world.emit_as(k, deleted);
    world.drop_event(conn);
}

/// The rows that speak of a loss without an outage.
fn drift(world: &World) -> Vec<GapClosed> {
    world.ledger().into_iter().filter(|row| row.cause == GapCause::Drift).collect()
}

fn interval(row: &GapClosed) -> (u64, u64) {
    (row.after.map_or(0, |p| p.sequence), row.through.map_or(0, |p| p.sequence))
}

#[test]
fn what_a_resync_corrects_at_a_position_that_the_stream_has_passed_is_drift() {
    let mut world = live(filtered());
    drop_event(&mut world, 1, true);
    world.emit(0);
    world.settle();
    resync(&mut world, None);
    world.run_to_live();
    world.assert_state_is_the_vendors();
    let rows = drift(&world);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].outcome, rows[0].reconciled), (GapOutcome::Drift, true));
    assert_eq!(interval(&rows[0]), (8, 12), "from the key's last value to where the stream is");
}

#[test]
fn what_a_resync_corrects_beyond_the_stream_is_unproven() {
    let mut world = live(filtered());
    drop_event(&mut world, 1, false);
    resync(&mut world, None);
    world.run_to_live();
    world.assert_state_is_the_vendors();
    let rows = drift(&world);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].outcome, GapOutcome::Unproven, "it may still come");
    assert_eq!(interval(&rows[0]), (8, 10));
}

#[test]
fn a_resync_that_finds_nothing_writes_nothing() {
    for rules in [filtered(), unpositioned()] {
        let mut world = live(rules);
        resync(&mut world, None);
        world.run_to_live();
        assert_eq!(drift(&world), []);
    }
}

#[test]
fn what_a_resync_of_named_keys_corrects_is_drift_of_those() {
    let mut world = live(filtered());
    drop_event(&mut world, 1, false);
    drop_event(&mut world, 0, false);
    world.emit(2);
    world.settle();
    resync(&mut world, Some(&[0]));
    world.run_to_live();
    let rows = drift(&world);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].outcome, interval(&rows[0])), (GapOutcome::Drift, (6, 14)));
}

/// The list of keys has changed: a second socket takes over at the next event.
fn change_keys(world: &mut World) {
    world.give(Input::KeysChanged { stream: stream() });
    world.settle();
    world.emit(0);
    world.settle();
    world.run_to_live();
}

#[test]
fn keys_that_come_and_go_on_purpose_are_no_drift_but_what_they_were_is() {
    let mut world = live(filtered());
    drop_event(&mut world, 2, false);
    world.emit(0);
    world.settle();
    change_keys(&mut world);
    assert!(world.stream_fold().keys[&key(2)].present);
    assert_eq!(drift(&world), [], "the key is new");

    drop_event(&mut world, 1, false);
    world.emit(0);
    world.settle();
    change_keys(&mut world);
    world.assert_state_is_the_vendors();
    assert_eq!(drift(&world).len(), 1);
}

#[test]
fn what_was_lost_before_an_outage_is_in_the_row_of_who_finds_it_behind_it() {
    for restarts in [false, true] {
        let mut world = live(filtered());
        drop_event(&mut world, 1, false);
        world.emit(0);
        world.settle();
        if restarts {
            world.crash(0);
        } else {
            let conn = world.sole_conn();
            world.break_sock(conn);
        }
        world.run_to_live();
        assert_eq!(drift(&world), [], "nothing was compared yet");
        resync(&mut world, None);
        world.run_to_live();
        world.assert_state_is_the_vendors();
        let rows = drift(&world);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].outcome, interval(&rows[0])), (GapOutcome::Drift, (8, 12)));
    }
}

#[test]
fn what_is_fetched_because_a_person_asked_in_an_outage_is_written_down_too() {
    let mut world = live(filtered());
    drop_event(&mut world, 1, false);
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    resync(&mut world, None);
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
    assert_eq!(interval(&drift(&world)[0]), (8, 12));
}

#[test]
fn an_event_under_way_is_waited_for_where_rows_have_no_position() {
    let mut world = live(unpositioned());
    let conn = world.sole_conn();
    resync(&mut world, None);
    world.emit(1);
    world.page(world.events.len());
    assert!(!world.is_live(), "the row is ahead of the stream, or the stream has lost something");
    world.deliver(conn);
    world.run_to_live();
    world.assert_state_is_the_vendors();
    assert_eq!(drift(&world), []);
    assert_eq!(world.changes().len(), 3);
}

#[test]
fn what_does_not_come_where_rows_have_no_position_is_unproven() {
    let mut world = live(unpositioned());
    let before = world.moment().wall;
    drop_event(&mut world, 1, false);
    world.now = world.now + 1_000;
    resync(&mut world, None);
    world.run_to_live();
    world.assert_state_is_the_vendors();
    let rows = drift(&world);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].outcome, rows[0].through), (GapOutcome::Unproven, None));
    assert!(rows[0].wall_from <= before && rows[0].wall_to > before);
}

#[test]
fn an_old_row_takes_nothing_back_from_a_complete_stream_without_positions() {
    let mut rules = unpositioned();
    rules.caps.snapshot_staleness_ms_max = 5_000;
    let mut world = live(rules);
    let conn = world.sole_conn();
    world.now = world.now + 60_000;
    world.emit(1);
    world.deliver(conn);
    resync(&mut world, None);
    while world.pages.is_empty() {
        world.tick();
    }
    let shown = world.surely_shown();
    world.page(shown);
    world.run_to_live();
    world.assert_state_is_the_vendors();
    assert_eq!(drift(&world), []);
}

fn is_blocked(world: &World) -> bool {
    matches!(world.machine.phase(&stream()), Some(Phase::Blocked { .. }))
}

fn run_until(world: &mut World, is_so: fn(&World) -> bool) {
    for _ in 0..100 {
        while !is_so(world) && world.step() {}
        if is_so(world) {
            return world.commit();
        }
        world.tick();
    }
    panic!("it never came to that: {:?}", world.machine.phase(&stream()));
}

#[test]
fn the_row_of_a_snapshot_that_a_person_has_to_confirm_begins_before_the_loss() {
    let mut world = live(filtered());
    drop_event(&mut world, 0, true);
    drop_event(&mut world, 1, true);
    world.emit(2);
    world.emit_as(2, true);
    world.settle();
    resync(&mut world, None);
    run_until(&mut world, is_blocked);
    assert_eq!(drift(&world), [], "still open");
    let open: Vec<_> = world.stream_fold().open_gaps.into_values().collect();
    assert_eq!(open.len(), 1);
    let after = open[0].opened.after.map(|after| after.sequence);
    assert_eq!(after, Some(6), "the older of the two values");
    world.crash(0);
    run_until(&mut world, is_blocked);
    resync(&mut world, None);
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
    let rows = drift(&world);
    assert_eq!((rows.len(), interval(&rows[0])), (1, (6, 16)));
}

/// Fires timers until this socket has been given up, and no further.
fn run_past(world: &mut World, conn: ConnId) {
    for _ in 0..200 {
        while world.socks.contains_key(&conn) && world.step() {}
        if !world.socks.contains_key(&conn) {
            return;
        }
        world.tick();
    }
    panic!("the socket was never given up");
}

#[test]
fn what_an_audit_has_decided_is_written_down_although_a_newer_event_hides_it() {
    let mut world = live(filtered());
    drop_event(&mut world, 1, false);
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    run_past(&mut world, conn);
    world.emit(1);
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
    let rows = drift(&world);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].outcome, GapOutcome::Drift);
    let (after, through) = interval(&rows[0]);
    assert!(after < 10 && through >= 10, "{after} to {through}");
    assert_eq!(world.sequences(), [6, 8, 12, 14]);
}
