//! Goal: a numbering that was met and could not be installed before its socket went goes on where
//! it was, as long as the vendor serves it: what was made meanwhile is no loss.

use crate::world::{OnOld, Rules, World, contiguous};
use unbroken_core::connector::{Ack, Numbering};
use unbroken_core::machine::Rung;
use unbroken_core::record::GapOutcome;

/// The next subscription that is not from a snapshot is confirmed, an event comes on it, and the
/// connection breaks.
fn breaks_behind(world: &mut World, key: u8) {
    for _ in 0..200 {
        if world.socks.values().any(|sock| sock.subscribed) {
            break;
        }
        let rebases = world.rung == Some(Rung::Rebase);
        let asking = world.socks.iter().find(|(_, sock)| sock.asked.is_some());
        if let Some(conn) = asking.filter(|_| rebases).map(|(conn, _)| *conn) {
            world.refuse_asked(conn);
        } else if !world.pages.is_empty() {
            world.page(world.events.len());
        } else if !world.step_but_pages() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.emit(key);
    while !world.socks[&conn].queue.is_empty() {
        world.deliver(conn);
    }
    world.break_sock(conn);
}

/// Each connection breaks before the new numbering can be installed: what came of it is kept, and
/// the next one goes on behind it.
#[test]
fn a_numbering_that_is_not_installed_yet_goes_on_behind_what_came_of_it() {
    for ack in [Ack::WithPosition, Ack::Plain] {
        let mut rules = contiguous();
        rules.caps.ack = ack;
        let mut world = World::new(rules);
        world.emit(0);
        world.run_to_live();
        world.settle();
        world.reset_epoch();
        breaks_behind(&mut world, 0);
        world.emit(1);
        breaks_behind(&mut world, 2);
        world.emit(1);
        world.run_to_live();
        world.settle();
        let asked = world.asked.iter().rev().take(2).copied().collect::<Vec<_>>();
        let epoch = world.stream_fold().epoch;
        let positions = world.changes().into_iter().filter_map(|change| change.position);
        let held: Vec<u64> = positions.filter(|p| p.epoch == epoch).map(|p| p.sequence).collect();
        let first = held[0];
        assert_eq!(asked, [Some(first + 2), Some(first)], "{ack:?}: {:?}", world.asked);
        assert_eq!(held, [first, first + 1, first + 2, first + 3], "{ack:?}");
        world.assert_state_is_the_vendors();
    }
}

/// Live with one event, and then in another numbering, of which as many events have come as there
/// are keys.
fn in_a_coming_numbering(rules: Rules, keys: &[u8]) -> World {
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world.settle();
    world.reset_epoch();
    keys.iter().for_each(|key| breaks_behind(&mut world, *key));
    world
}

/// The sequences in the log of the numbering that is held now.
fn came(world: &World) -> Vec<u64> {
    let epoch = world.stream_fold().epoch;
    let positions = world.changes().into_iter().filter_map(|change| change.position);
    positions.filter(|at| at.epoch == epoch).map(|at| at.sequence).collect()
}

/// The vendor began later than it was asked to, in the coming numbering; from behind what came
/// since it serves all the same.
#[test]
fn a_clamp_before_what_came_does_not_speak_of_what_follows() {
    let mut rules = contiguous();
    rules.caps.ack = Ack::WithPosition;
    rules.on_old = OnOld::Clamp;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world.settle();
    world.reset_epoch();
    world.emit(0);
    // The snapshot shows 1, and 2 is forgotten before it is asked for.
    let rebases = |world: &World| {
        world.rung == Some(Rung::Rebase) && world.socks.values().any(|sock| sock.asked.is_some())
    };
    while !rebases(&world) {
        if !world.step() {
            world.tick();
        }
    }
    world.emit(1);
    world.purge();
    let conn = world.sole_conn();
    world.answer(conn);
    world.emit(0);
    while !world.socks[&conn].queue.is_empty() {
        world.deliver(conn);
    }
    world.break_sock(conn);
    world.emit(1);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(3)), "{:?}", world.asked);
    assert_eq!(came(&world), [3, 4]);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_place_that_is_refused_is_not_asked_for_again() {
    let mut world = in_a_coming_numbering(contiguous(), &[0]);
    world.emit(1);
    world.purge();
    breaks_behind(&mut world, 0);
    world.emit(1);
    world.run_to_live();
    world.settle();
    let asked: Vec<_> = world.asked.iter().rev().take(3).copied().collect();
    assert_eq!(asked, [Some(3), None, Some(1)], "{:?}", world.asked);
    assert_eq!(came(&world), [1, 3, 4]);
    let lost = world.ledger().into_iter().filter(|row| row.outcome == GapOutcome::Unrecoverable);
    let lost: Vec<_> = lost.map(|row| row.through.map(|at| at.sequence)).collect();
    assert_eq!(lost.last(), Some(&Some(2)));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_subscription_that_does_not_go_on_from_there_is_left() {
    let mut world = in_a_coming_numbering(contiguous(), &[0]);
    world.emit(1);
    while !world.socks.values().any(|sock| sock.asked.is_some()) {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    let mute = world.sole_conn();
    world.mute(mute);
    world.run_to_live();
    world.settle();
    assert!(!world.socks.contains_key(&mute), "Live on what brings nothing");
    assert_eq!(world.asked.iter().rev().take(2).copied().collect::<Vec<_>>(), [None, Some(1)]);
    world.emit(0);
    world.settle();
    assert_eq!(came(&world), [1, 3]);
    world.assert_state_is_the_vendors();
}

/// Of numbers with holes only what lies between two sockets is in doubt.
#[test]
fn what_one_socket_brought_has_no_row_in_it() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    let mut world = in_a_coming_numbering(rules, &[0]);
    world.emit(1);
    world.emit(0);
    breaks_behind(&mut world, 1);
    world.run_to_live();
    world.settle();
    assert_eq!(came(&world), [2, 4, 6, 8]);
    let epoch = world.stream_fold().epoch;
    let rows = world.ledger();
    let inner = rows.iter().filter(|row| row.after.is_some_and(|after| after.epoch == epoch));
    let told = inner.map(|row| (row.after.map(|after| after.sequence), row.outcome));
    // The second socket was asked for what follows 2, the third for what follows 8.
    let expected = [(Some(2), GapOutcome::Unproven), (Some(8), GapOutcome::Repaired)];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    world.assert_state_is_the_vendors();
}
