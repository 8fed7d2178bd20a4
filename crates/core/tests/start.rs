//! Goal: a stream without a record begins as it is told, and only then; a snapshot is taken when
//! its start mode allows one.

use crate::world::{OnOld, Rules, World, bookmark, contiguous, key, stream};
use unbroken_core::bookmark::After;
use unbroken_core::connector::{Ack, Numbering, Replay, SnapshotKind};
use unbroken_core::ids::Label;
use unbroken_core::machine::{Blocked, Phase, Report, Start};
use unbroken_core::record::{Body, GapCause, GapOutcome};
use unbroken_core::time::Millis;

fn from(sequence: u64) -> Start {
    Start::From { after: After::Sequence(sequence), epoch: None }
}

/// A vendor with some history, met for the first time.
fn met(rules: Rules, events: u8) -> World {
    let mut world = World::new(contiguous());
    world.rules = rules;
    for k in 0..events {
        world.emit(k % 2);
    }
    world.crash(0);
    world
}

fn snapshots(world: &World) -> usize {
    let begun = |r: &&&unbroken_core::record::Record| matches!(r.body, Body::SnapshotBegin(_));
    world.records().iter().filter(begun).count()
}

fn alarms(world: &World) -> Vec<String> {
    let alarm = |report: &Report| match report {
        Report::Alarm { what, .. } => Some(what.to_string()),
        _ => None,
    };
    world.reports.iter().filter_map(alarm).collect()
}

/// Interval, cause and outcome of each row.
fn rows(world: &World) -> Vec<(Option<u64>, Option<u64>, GapCause, GapOutcome)> {
    let at = |position: Option<unbroken_core::position::Position>| position.map(|p| p.sequence);
    let row = |row: &unbroken_core::record::GapClosed| {
        (at(row.after), at(row.through), row.cause, row.outcome)
    };
    world.ledger().iter().map(row).collect()
}

const BEGUN: (GapCause, GapOutcome) = (GapCause::Start, GapOutcome::Unrecoverable);

#[test]
fn from_a_position_every_event_after_it_is_recorded_and_state_is_complete() {
    let mut world = met(Rules { start: from(2), ..contiguous() }, 5);
    world.run_to_live();
    world.emit(0);
    world.settle();
    assert_eq!(world.asked, [Some(2)]);
    assert_eq!(world.sequences(), [3, 4, 5, 6]);
    assert_eq!(rows(&world), [(None, Some(2), BEGUN.0, BEGUN.1)]);
    world.assert_state_is_the_vendors();
    assert_eq!(world.stream_fold().stale_before, None, "the snapshot has brought what is older");
}

#[test]
fn from_counts_only_while_there_is_no_record() {
    let mut world = met(Rules { start: from(2), ..contiguous() }, 5);
    world.run_to_live();
    world.settle();
    world.emit(0);
    world.crash(0);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked, [Some(2), Some(5)]);
    assert_eq!(world.sequences(), [3, 4, 5, 6]);
}

#[test]
fn a_crash_right_after_the_first_unit_leaves_the_position_and_the_debt_of_a_snapshot() {
    let mut world = met(Rules { start: from(2), ..contiguous() }, 5);
    world.crash(1);
    world.run_to_live();
    assert_eq!(world.sequences(), [3, 4, 5]);
    world.assert_state_is_the_vendors();
    assert_eq!(rows(&world).len(), 1, "it begins once");
}

#[test]
fn a_position_that_the_vendor_does_not_serve_is_told_and_is_in_the_ledger() {
    let mut world = met(Rules { start: from(2), ..contiguous() }, 5);
    world.purge();
    world.run_to_live();
    world.emit(1);
    world.settle();
    let refused = (Some(2), Some(5), GapCause::Refused, GapOutcome::Unrecoverable);
    assert_eq!(rows(&world), [(None, Some(2), BEGUN.0, BEGUN.1), refused]);
    let told = alarms(&world);
    assert!(
        told.iter().any(|what| what.contains("does not serve the position set, 2")),
        "{told:?}"
    );
    assert_eq!(world.sequences(), [6]);
    world.assert_state_is_the_vendors();
}

#[test]
fn from_takes_the_name_that_the_vendor_gives_the_numbering() {
    let mut world = met(Rules { start: from(2), ..contiguous() }, 4);
    world.run_to_live();
    assert_eq!(world.stream_fold().epoch_name, Some(Label::from("e0")));
    assert_eq!(world.stream_fold().epoch.0, 0);
}

#[test]
fn from_another_numbering_is_a_new_epoch_with_a_row() {
    let after = After::Sequence(2);
    let start = Start::From { after, epoch: Some(Label::from("e7")) };
    let mut world = met(Rules { start, ..contiguous() }, 4);
    world.run_to_live();
    world.emit(0);
    world.settle();
    assert_eq!(world.stream_fold().epoch_name, Some(Label::from("e0")));
    assert_eq!(world.ledger().pop().unwrap().cause, GapCause::EpochChanged);
    assert_eq!(world.sequences(), [5]);
    world.assert_state_is_the_vendors();
}

#[test]
fn from_a_position_of_a_vendor_that_names_no_numbering() {
    let mut rules = Rules { start: from(2), ..contiguous() };
    rules.caps.epoch_named = false;
    let mut world = met(rules, 4);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked, [Some(2)]);
    assert_eq!(world.sequences(), [3, 4]);
}

#[test]
fn from_an_opaque_position() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Opaque;
    rules.caps.ack = Ack::WithPosition;
    rules.start = Start::From { after: After::Bookmark(bookmark(2)), epoch: None };
    let mut world = met(rules, 5);
    world.run_to_live();
    world.emit(0);
    world.settle();
    assert_eq!(world.asked, [Some(2)]);
    assert_eq!(world.changes().len(), 4, "3, 4, 5 and 6 of the vendor's");
    world.assert_state_is_the_vendors();
}

#[test]
fn from_is_refused_where_it_means_nothing() {
    use unbroken_core::machine::Unsuited;
    let mut caps = contiguous().caps;
    assert_eq!(from(2).suits(&caps), Ok(()));
    let text = Start::From { after: After::Bookmark(bookmark(2)), epoch: None };
    assert_eq!(text.suits(&caps), Err(Unsuited::NotANumber));
    caps.position = Numbering::Opaque;
    assert_eq!(from(2).suits(&caps), Err(Unsuited::NotAText));
    caps.replay = Replay::None;
    assert_eq!(text.suits(&caps), Err(Unsuited::NoReplay));
    assert_eq!(Start::Never.suits(&caps), Ok(()));
}

#[test]
fn never_records_from_now_on_and_takes_no_snapshot() {
    let mut rules = Rules { start: Start::Never, ..contiguous() };
    rules.caps.ack = Ack::WithPosition;
    let mut world = met(rules, 3);
    world.run_to_live();
    world.emit(0);
    world.settle();
    assert_eq!(world.sequences(), [4]);
    assert_eq!(rows(&world), [(None, Some(3), BEGUN.0, BEGUN.1)]);
    let fold = world.stream_fold();
    assert_eq!(fold.keys.keys().collect::<Vec<_>>(), [&key(0)], "state is what events showed");
    for _ in 0..50 {
        world.tick();
        world.settle();
    }
    assert_eq!(snapshots(&world), 0);
}

#[test]
fn never_means_a_refusal_too_and_leaves_what_is_older_marked_stale() {
    let mut rules = Rules { start: Start::Never, ..contiguous() };
    rules.caps.ack = Ack::WithPosition;
    let mut world = met(rules, 0);
    world.run_to_live();
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(1);
    world.purge();
    world.run_to_live();
    world.emit(1);
    world.settle();
    assert_eq!(world.sequences(), [1, 3]);
    assert_eq!(rows(&world).pop().unwrap().2, GapCause::Refused);
    let fold = world.stream_fold();
    assert!(fold.stale_since(&fold.keys[&key(0)]).is_some());
    assert!(fold.stale_since(&fold.keys[&key(1)]).is_none());
    assert_eq!(snapshots(&world), 0);
}

#[test]
fn never_is_no_way_into_a_vendor_that_wants_a_position_first() {
    let mut rules = Rules { start: Start::Never, ..contiguous() };
    rules.caps.subscribe_without_position = false;
    let world = met(rules, 3);
    let blocked = Phase::Blocked { why: Blocked::NoWay };
    assert_eq!(world.machine.phase(&stream()), Some(&blocked));
}

/// A vendor whose resume cannot be proved: numbers with holes, a plain confirmation.
fn unprovable(start: Start) -> World {
    let mut rules = Rules { start, ..contiguous() };
    rules.caps.position = Numbering::Increasing;
    let mut world = met(rules, 3);
    world.run_to_live();
    world.settle();
    world
}

#[test]
fn when_needed_takes_a_snapshot_at_the_first_start_and_none_for_a_mere_lack_of_proof() {
    let mut taken = Vec::new();
    for start in [Start::Initial, Start::WhenNeeded] {
        let mut world = unprovable(start);
        assert_eq!(snapshots(&world), 1);
        world.emit(0);
        world.crash(0);
        world.run_to_live();
        world.settle();
        taken.push(snapshots(&world));
        assert_eq!(world.sequences(), [8]);
        assert_eq!(rows(&world).pop().unwrap().2, GapCause::Unproven);
    }
    assert_eq!(taken, [2, 1]);
}

#[test]
fn when_needed_takes_a_snapshot_where_the_stream_cannot_resume_also_after_a_restart() {
    let mut world = met(Rules { start: Start::WhenNeeded, ..contiguous() }, 3);
    world.run_to_live();
    world.settle();
    world.emit(0);
    world.emit(1);
    world.purge();
    world.crash(0);
    world.run_to_live();
    world.settle();
    assert_eq!(snapshots(&world), 2);
    assert_eq!(rows(&world).pop().unwrap().2, GapCause::Refused);
    world.assert_state_is_the_vendors();
}

#[test]
fn when_needed_answers_a_silent_clamp_with_a_snapshot() {
    let rules = Rules { start: Start::WhenNeeded, on_old: OnOld::Clamp, ..contiguous() };
    let mut world = met(rules, 3);
    world.run_to_live();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    world.emit(1);
    world.run_to_live();
    assert_eq!(rows(&world).pop().unwrap().2, GapCause::Clamped);
    assert_eq!(snapshots(&world), 2);
    world.assert_state_is_the_vendors();
}

#[test]
fn initial_takes_a_snapshot_at_the_first_start() {
    let world_of = |snapshot| {
        let mut rules = contiguous();
        rules.caps.snapshot = snapshot;
        rules.caps.ack = Ack::WithPosition;
        let mut world = met(rules, 3);
        world.run_to_live();
        world
    };
    assert_eq!(snapshots(&world_of(SnapshotKind::Positioned)), 1);
    assert_eq!(snapshots(&world_of(SnapshotKind::None)), 0);
}

#[test]
fn the_first_row_ends_when_coverage_began_and_does_not_begin_later() {
    let mut world = World::new(contiguous());
    world.emit(0);
    world.run_to_live();
    assert!(world.now > Millis(0), "the wait for a proof took its time");
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.wall_to.0), (GapCause::Start, 0));
    assert!(row.wall_from <= row.wall_to, "{row:?}");
}

/// Nothing happens until the first connection breaks; then something does, and nobody sees it.
#[test]
fn an_outage_before_the_first_event_is_in_the_ledger_from_its_beginning() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.epoch_named = false;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    let missed_at = world.moment().wall;
    world.emit(1);
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().queue.clear();
    world.break_sock(conn);
    world.now = world.now + 10_000;
    world.run_to_live();
    let row = world.ledger().pop().unwrap();
    assert_eq!(row.cause, GapCause::NoReplay);
    assert!(row.wall_from <= missed_at && row.wall_to > missed_at, "{row:?}");
}

/// The connection breaks when the first snapshot is installed and not durable yet, and an event is
/// made meanwhile: it is asked for from the snapshot on, when the journal has that.
#[test]
fn a_break_before_the_first_install_is_durable_waits_for_the_journal() {
    let mut rules = contiguous();
    rules.caps.ack = Ack::Plain;
    let mut world = World::new(rules);
    world.emit(0);
    while !world.is_live() {
        if world.step_but_pages() {
            continue;
        }
        match world.pages.is_empty() {
            true => world.tick(),
            false if world.socks.is_empty() => world.page(1),
            false => {
                world.emit(1);
                let conn = world.sole_conn();
                world.deliver(conn);
                world.page(world.events.len());
            }
        }
    }
    assert_eq!(world.durable_position(), None);
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    (0..3).for_each(|_| world.tick());
    assert!(world.socks.is_empty() && world.pages.is_empty(), "there is no place yet");
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(2)));
    assert_eq!(world.sequences().last(), Some(&3));
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start));
    world.assert_state_is_the_vendors();
}
