//! Goal: a paused stream asks nothing of the vendor, survives restarts, and loses nothing that the
//! vendor replays.

use crate::world;
use crate::world::{World, contiguous, stream};
use unbroken_core::connector::{Ack, Replay};
use unbroken_core::directive::Act;
use unbroken_core::ids::Label;
use unbroken_core::machine::{Input, Phase};
use unbroken_core::record::{Body, GapCause, GapOutcome};
use unbroken_core::time::Millis;

fn live() -> World {
    live_with(contiguous())
}

fn live_with(rules: world::Rules) -> World {
    let mut world = World::new(rules);
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    world.emit(0);
    world.settle();
    world
}

fn pause(world: &mut World) {
    let (by, why) = (Label::from("anna"), Label::from("works at the vendor's"));
    world.give(Input::Pause { stream: stream(), by, why });
}

fn resume(world: &mut World) {
    let (by, why) = (Label::from("ben"), Label::from(""));
    world.give(Input::Resume { stream: stream(), by, why });
}

fn is_paused(world: &World) -> bool {
    let by = Label::from("anna");
    matches!(world.machine.phase(&stream()), Some(Phase::Paused { by: who, .. }) if *who == by)
}

/// Timers fire for two days; the vendor is asked for nothing.
fn assert_at_rest(world: &mut World) {
    let (asked, tokens) = (world.asked.len(), world.authorizing.len());
    for _ in 0..200 {
        world.now = Millis(world.now.0 + 900_000);
        world.give(Input::Tick);
        assert!(world.socks.is_empty() && world.pages.is_empty());
    }
    assert_eq!((world.asked.len(), world.authorizing.len()), (asked, tokens));
    assert!(is_paused(world));
}

#[test]
fn a_paused_stream_closes_drains_and_asks_for_nothing() {
    let mut world = live();
    world.emit(1);
    let conn = world.sole_conn();
    world.deliver(conn);
    pause(&mut world);
    assert!(world.socks.is_empty());
    assert_eq!(world.machine.phase(&stream()), Some(&Phase::Draining), "not yet on disk");
    world.commit();
    assert!(is_paused(&world));
    assert_eq!(world.sequences(), [3, 4]);
    assert_at_rest(&mut world);
}

#[test]
fn the_log_says_who_paused_and_why() {
    let mut world = live();
    pause(&mut world);
    world.commit();
    pause(&mut world);
    resume(&mut world);
    world.run_to_live();
    resume(&mut world);
    let directives: Vec<(Act, String, String)> = world
        .records()
        .into_iter()
        .filter_map(|record| match &record.body {
            Body::Directive(d) => Some((d.act.clone(), d.by.to_string(), d.why.to_string())),
            _ => None,
        })
        .collect();
    let by = |act: Act, by: &str, why: &str| (act, by.to_owned(), why.to_owned());
    let expected = [by(Act::Pause, "anna", "works at the vendor's"), by(Act::Resume, "ben", "")];
    assert_eq!(directives, expected, "each once: what is so already is not written again");
}

#[test]
fn a_pause_outlives_the_process() {
    let mut world = live();
    pause(&mut world);
    world.commit();
    world.crash(0);
    assert!(is_paused(&world));
    assert_at_rest(&mut world);
    world.emit(1);
    resume(&mut world);
    world.commit();
    world.crash(0);
    world.run_to_live();
    assert_eq!(world.sequences(), [3, 4]);
}

#[test]
fn what_happened_in_the_pause_is_replayed_once_and_in_order() {
    let mut world = live();
    pause(&mut world);
    world.commit();
    for k in 0..4 {
        world.emit(k % 2);
    }
    resume(&mut world);
    world.run_to_live();
    world.emit(0);
    world.settle();
    assert_eq!(world.sequences(), [3, 4, 5, 6, 7, 8]);
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start));
    world.assert_state_is_the_vendors();
}

#[test]
fn what_the_vendor_gave_up_in_the_pause_is_in_the_ledger() {
    let mut world = live();
    pause(&mut world);
    world.commit();
    world.emit(1);
    world.emit(0);
    world.purge();
    resume(&mut world);
    world.run_to_live();
    world.emit(1);
    world.settle();
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.outcome), (GapCause::Refused, GapOutcome::Unrecoverable));
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (3, 5));
    assert_eq!(world.sequences(), [3, 6]);
    world.assert_state_is_the_vendors();
}

#[test]
fn without_replay_the_pause_is_a_row() {
    let mut rules = contiguous();
    rules.caps.replay = Replay::None;
    rules.caps.ack = Ack::WithPosition;
    let mut world = live_with(rules);
    pause(&mut world);
    world.commit();
    world.emit(1);
    resume(&mut world);
    world.run_to_live();
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.cause, row.outcome), (GapCause::NoReplay, GapOutcome::Unrecoverable));
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (3, 4));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_pause_is_obeyed_at_every_step_of_an_attempt() {
    for steps in 0..12 {
        let mut world = World::new(contiguous());
        world.emit(0);
        for _ in 0..steps {
            world.step();
        }
        pause(&mut world);
        assert!(world.socks.is_empty(), "after {steps} steps");
        // A page that was under way arrives late, and is nobody's.
        if !world.pages.is_empty() {
            world.page(1);
        }
        world.commit();
        assert!(is_paused(&world), "after {steps} steps");
        assert_at_rest(&mut world);
        world.emit(1);
        resume(&mut world);
        world.run_to_live();
        world.assert_state_is_the_vendors();
    }
}

#[test]
fn a_resume_before_the_pause_is_on_disk_is_obeyed() {
    let mut world = live();
    pause(&mut world);
    resume(&mut world);
    world.run_to_live();
    world.emit(1);
    world.settle();
    assert_eq!(world.sequences(), [3, 4]);
}

#[test]
fn events_behind_a_hole_outlive_a_pause() {
    let mut world = live();
    world.emit(1);
    world.emit(0);
    let conn = world.sole_conn();
    let sock = world.socks.get_mut(&conn).unwrap();
    let late = sock.queue.pop_back().unwrap();
    sock.queue.clear();
    world.give(Input::Frame { conn, decoded: late });
    pause(&mut world);
    world.commit();
    world.purge();
    resume(&mut world);
    world.run_to_live();
    assert_eq!(world.sequences(), [3, 5], "the vendor will not serve it again");
    let ends = |row: &unbroken_core::record::GapClosed| {
        (row.after.map(|p| p.sequence), row.through.map(|p| p.sequence))
    };
    let rows: Vec<_> = world.ledger().iter().map(ends).collect();
    assert!(rows.contains(&(Some(3), Some(4))), "{rows:?}");
}

#[test]
fn no_token_is_renewed_for_a_paused_source() {
    let mut rules = contiguous();
    rules.caps.token_needed = true;
    let mut world = World::new(rules);
    world.emit(0);
    let version = world.authorizing.pop().unwrap();
    world.give(Input::TokenReady { version, expires_at: Some(Millis(3_600_000)) });
    world.run_to_live();
    pause(&mut world);
    world.commit();
    assert_at_rest(&mut world);
    resume(&mut world);
    assert_eq!(world.authorizing.len(), 1, "the token has expired meanwhile");
}
