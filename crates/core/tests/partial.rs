//! Goal: a subscription that leaves out a part of the wanted keys is never Live, and the time is on
//! the ledger.

use crate::world;
use crate::world::{World, contiguous, stream};
use unbroken_core::connector::{Decoded, Item, Numbering};
use unbroken_core::ids::ConnId;
use unbroken_core::machine::{Input, Phase, Report};
use unbroken_core::record::{GapCause, GapOutcome};

/// The vendor numbers all keys; what it leaves out is a hole in the numbers.
fn rules() -> world::Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    rules.caps.ack = unbroken_core::connector::Ack::WithPosition;
    rules
}

fn confirm(world: &mut World, dark: u64) -> ConnId {
    while !world.socks.values().any(|sock| sock.asked.is_some()) {
        if !world.step() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.answer(conn);
    let ack = &mut world.socks.get_mut(&conn).unwrap().queue[0];
    assert!(matches!(ack.items[0], Item::Ack { .. }));
    if dark > 0 {
        ack.items.insert(0, Item::Dark { keys: dark, why: None });
    }
    conn
}

/// Key 1 changes and its event is withheld.
fn emit_withheld(world: &mut World) {
    world.emit(1);
    for sock in world.socks.values_mut().filter(|sock| sock.subscribed) {
        sock.queue.pop_back();
    }
}

fn dark() -> World {
    let mut world = World::new(rules());
    world.emit(0);
    world.emit(1);
    confirm(&mut world, 1);
    world.settle();
    world
}

#[test]
fn it_is_not_live_and_says_so_but_records_what_comes() {
    let mut world = dark();
    assert_eq!(world.machine.phase(&stream()), Some(&Phase::CatchingUp));
    let alarm = |r: &Report| matches!(r, Report::Alarm { .. });
    assert_eq!(world.reports.iter().filter(|r| alarm(r)).count(), 1);
    world.emit(0);
    emit_withheld(&mut world);
    world.emit(0);
    world.settle();
    assert!(!world.is_live());
    assert_eq!(world.sequences(), [6, 10]);
    let open: Vec<_> = world.stream_fold().open_gaps.into_values().collect();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].opened.cause, GapCause::Partial);
}

#[test]
fn a_confirmation_of_all_keys_ends_the_row_and_makes_it_live() {
    let mut world = dark();
    world.emit(0);
    emit_withheld(&mut world);
    world.emit(0);
    world.settle();
    world.tick();
    confirm(&mut world, 0);
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
    let rows = world.ledger();
    let row = rows.iter().find(|row| row.cause == GapCause::Partial).unwrap();
    assert_eq!((row.outcome, row.reconciled), (GapOutcome::Unproven, true));
    assert_eq!(row.through.unwrap().sequence, 10, "with what came in between");
}

#[test]
fn while_it_stays_so_state_is_fetched_again_with_each_try() {
    let mut world = dark();
    world.emit(0);
    emit_withheld(&mut world);
    world.settle();
    for _ in 0..3 {
        world.tick();
        confirm(&mut world, 1);
        world.settle();
        assert!(!world.is_live());
        world.assert_state_is_the_vendors();
    }
    assert_eq!(world.ledger().iter().filter(|row| row.cause == GapCause::Partial).count(), 0);
    assert_eq!(world.stream_fold().open_gaps.len(), 1, "one row for the whole time");
}

#[test]
fn a_part_that_is_taken_away_later_ends_live() {
    let mut world = World::new(rules());
    world.emit(0);
    world.run_to_live();
    world.emit(1);
    world.settle();
    let conn = world.sole_conn();
    let decoded = Decoded { items: vec![Item::Dark { keys: 1, why: None }], ..Decoded::default() };
    world.give(Input::Frame { conn, decoded });
    world.settle();
    assert!(!world.is_live());
    emit_withheld(&mut world);
    world.crash(0);
    confirm(&mut world, 0);
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.after.unwrap().sequence), (GapCause::Partial, 4));
    assert_eq!(world.sequences(), [4, 6], "the resume has brought what was withheld");
    assert_eq!(row.outcome, GapOutcome::Repaired);
}
