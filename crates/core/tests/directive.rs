//! Goal: a position that a person sets or has forgotten stores no event twice, hides nothing, and
//! is where the next process begins.

use crate::world::{Rules, World, bookmark, contiguous, stream};
use unbroken_core::bookmark::After;
use unbroken_core::connector::{Ack, Numbering};
use unbroken_core::directive::{CannotSet, Decider, forget_position, set_position};
use unbroken_core::ids::{AppendId, Label};
use unbroken_core::machine::Start;
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Append, Body, GapCause, GapOutcome, Mark, Record};

/// Live at 4, stopped, and with events that nobody has taken.
fn stopped(rules: Rules, missed: usize) -> World {
    let mut world = World::new(rules);
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    world.emit(0);
    world.emit(1);
    world.settle();
    for index in 0..missed {
        world.emit(index as u8 % 2);
    }
    world
}

fn decider(world: &World) -> Decider {
    Decider { by: Label::from("anna"), why: Label::from("a bad batch"), at: world.moment().wall }
}

/// Writes a unit while no process runs, and starts one.
fn write_and_start(world: &mut World, bodies: Vec<Body>, position: Option<Position>) {
    world.commit();
    let received_at = world.moment().wall;
    let record = |body| Record { stream: stream(), received_at, body };
    let records = bodies.into_iter().map(record).collect();
    let mark = position.map(|position| Mark { stream: stream(), position });
    world.log.push(Append { id: AppendId(0), records, mark });
    world.crash(1);
}

fn set(world: &mut World, to: &After) -> Position {
    let set = set_position(&world.stream_fold(), to, &decider(world));
    let (bodies, position) = set.unwrap_or_else(|why| panic!("{why}"));
    write_and_start(world, bodies, Some(position));
    position
}

fn reset(world: &mut World) {
    let bodies = forget_position(&world.stream_fold(), &decider(world));
    write_and_start(world, bodies, None);
}

fn rows(world: &World) -> Vec<(Option<u64>, Option<u64>, GapCause, GapOutcome)> {
    let at = |position: Option<Position>| position.map(|p| p.sequence);
    let rows = world.ledger().into_iter().filter(|row| row.cause != GapCause::Start);
    rows.map(|row| (at(row.after), at(row.through), row.cause, row.outcome)).collect()
}

#[test]
fn a_position_set_forward_steps_over_events_with_a_row() {
    let mut world = stopped(contiguous(), 4);
    set(&mut world, &After::Sequence(6));
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(6)));
    assert_eq!(world.sequences(), [3, 4, 7, 8]);
    let row = (Some(4), Some(6), GapCause::Operator, GapOutcome::Unrecoverable);
    assert_eq!(rows(&world), [row]);
    world.assert_state_is_the_vendors();
    assert_eq!(world.stream_fold().stale_before, None, "a snapshot has mended state");
}

#[test]
fn a_position_is_never_set_to_where_events_would_be_stored_twice() {
    let world = stopped(contiguous(), 0);
    let held = Position::new(Epoch(0), 4);
    let set = |at| set_position(&world.stream_fold(), &After::Sequence(at), &decider(&world));
    assert_eq!(set(3).unwrap_err(), CannotSet::Behind(held));
    assert_eq!(set(0).unwrap_err(), CannotSet::Behind(held));
    assert_eq!(set(4).unwrap_err(), CannotSet::There(held));
    assert!(set(5).is_ok());
}

#[test]
fn a_position_is_of_the_kind_that_the_stream_has() {
    let fold = stopped(contiguous(), 0).stream_fold();
    let who = decider(&stopped(contiguous(), 0));
    let text = After::Bookmark(bookmark(9));
    assert_eq!(set_position(&fold, &text, &who).unwrap_err(), CannotSet::NotANumber);
    let fold = stopped(opaque(), 0).stream_fold();
    let number = After::Sequence(9);
    assert_eq!(set_position(&fold, &number, &who).unwrap_err(), CannotSet::NotAText);
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    let fold = stopped(rules, 0).stream_fold();
    assert_eq!(set_position(&fold, &number, &who).unwrap_err(), CannotSet::NoPosition);
}

#[test]
fn a_vendor_that_names_no_numbering_is_asked_from_there_too() {
    let mut rules = contiguous();
    rules.caps.epoch_named = false;
    let mut world = stopped(rules, 4);
    set(&mut world, &After::Sequence(6));
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(6)), "no anchor can come back: a person vouches");
    assert_eq!(world.sequences(), [3, 4, 7, 8]);
}

#[test]
fn a_position_beyond_what_the_vendor_serves_is_told_and_recovered_from() {
    let mut world = stopped(contiguous(), 0);
    set(&mut world, &After::Sequence(1_000));
    world.reports.clear();
    world.settle();
    let told = world.reports.iter().any(|report| match report {
        unbroken_core::machine::Report::Alarm { what, .. } => what.as_str().contains("1000"),
        _ => false,
    });
    assert!(told, "{:?}", world.reports);
}

fn opaque() -> Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Opaque;
    rules.caps.ack = Ack::WithPosition;
    rules
}

#[test]
fn an_unknown_bookmark_begins_an_epoch_of_its_own() {
    let mut world = stopped(opaque(), 4);
    let position = set(&mut world, &After::Bookmark(bookmark(6)));
    assert_eq!(position, Position::new(Epoch(1), 1));
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(6)));
    let positions: Vec<Epoch> =
        world.changes().iter().filter_map(|c| c.position.map(|p| p.epoch)).collect();
    assert_eq!(positions, [0, 0, 1, 1].map(Epoch), "two before, 7 and 8 after");
    assert_eq!(rows(&world).len(), 1);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_known_bookmark_further_back_is_refused() {
    let world = stopped(opaque(), 0);
    let fold = world.stream_fold();
    let set = |at| set_position(&fold, &After::Bookmark(bookmark(at)), &decider(&world));
    assert!(matches!(set(3), Err(CannotSet::Behind(_))));
    assert!(matches!(set(4), Err(CannotSet::There(_))));
}

#[test]
fn after_a_reset_the_stream_begins_again_in_an_epoch_of_its_own_with_one_row() {
    let mut world = stopped(contiguous(), 3);
    reset(&mut world);
    world.run_to_live();
    world.emit(0);
    world.settle();
    let at: Vec<(u32, u64)> = world
        .changes()
        .iter()
        .filter_map(|c| c.position.map(|p| (p.epoch.0, p.sequence)))
        .collect();
    assert_eq!(at, [(0, 3), (0, 4), (1, 8)]);
    let row = (Some(4), Some(7), GapCause::Operator, GapOutcome::Unrecoverable);
    assert_eq!(rows(&world), [row], "one row, across both epochs");
    assert_eq!(world.stream_fold().epoch_name, Some(Label::from("e0")));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_reset_makes_the_start_mode_count_again() {
    let mut world = stopped(contiguous(), 3);
    world.rules.start = Start::From { after: After::Sequence(3), epoch: None };
    reset(&mut world);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(3)));
    let again: Vec<(u32, u64)> = world
        .changes()
        .iter()
        .filter_map(|c| c.position.map(|p| (p.epoch.0, p.sequence)))
        .collect();
    let expected = [(0, 3), (0, 4), (1, 4), (1, 5), (1, 6), (1, 7)];
    assert_eq!(again, expected, "another epoch is another identity");
    world.crash(0);
    world.run_to_live();
    assert_eq!(world.asked.last(), Some(&Some(7)), "and only once");
}

#[test]
fn a_reset_that_crashes_before_it_has_begun_still_begins_again() {
    let mut world = stopped(contiguous(), 1);
    reset(&mut world);
    world.crash(0);
    assert!(world.stream_fold().forgotten);
    world.run_to_live();
    assert!(!world.stream_fold().forgotten);
    assert_eq!(rows(&world).len(), 1);
}

#[test]
fn a_reset_of_a_stream_without_positions_leaves_a_row() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    let mut world = stopped(rules, 2);
    reset(&mut world);
    world.run_to_live();
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.outcome), (GapCause::Operator, GapOutcome::Unproven));
    world.assert_state_is_the_vendors();
}
