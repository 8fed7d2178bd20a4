//! Goal: a history shorter than the snapshot takes does not make the resync run for ever.

use crate::world;
use crate::world::{OnOld, World, contiguous};
use unbroken_core::machine::{Report, Rung};
use unbroken_core::record::{GapCause, GapOutcome};

/// The vendor forgets its history faster than a snapshot can be used.
fn rung_counts(world: &World) -> (usize, usize) {
    let count = |wanted: Rung| {
        let is = |r: &&Report| matches!(r, Report::Rung { rung, .. } if *rung == wanted);
        world.reports.iter().filter(is).count()
    };
    (count(Rung::Rebase), count(Rung::Overlap))
}

#[test]
fn a_snapshot_whose_position_is_refused_twice_gives_way_to_the_open_stream() {
    let mut world = World::new(contiguous());
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    let conn = world.sole_conn();
    let before = rung_counts(&world);
    world.break_sock(conn);
    world.reports.clear();
    for _ in 0..200 {
        if world.is_live() {
            break;
        }
        let asking = world.socks.values().any(|sock| sock.asked.flatten().is_some());
        if asking {
            world.emit(0);
            world.purge();
        }
        if !world.step() {
            world.tick();
        }
    }
    assert!(world.is_live(), "it must not run for ever");
    assert_eq!(before.0 + rung_counts(&world).0, before.0 + 2, "two tries with a snapshot's tag");
    assert_eq!(rung_counts(&world).1, 1, "then a subscription from now on");
    world.emit(1);
    world.settle();
    world.assert_state_is_the_vendors();
    let rows = world.ledger();
    let lost: Vec<_> = rows.iter().filter(|row| row.cause != GapCause::Start).collect();
    assert_eq!(lost.len(), 1, "one outage, one row: {lost:?}");
    assert_eq!((lost[0].cause, lost[0].outcome), (GapCause::Refused, GapOutcome::Unrecoverable));
    let first = world.sequences()[0];
    assert_eq!(lost[0].after.unwrap().sequence, 2);
    assert_eq!(lost[0].through.unwrap().sequence + 1, first, "up to what the stream brought");
}

#[test]
fn the_same_holds_where_the_vendor_clamps_instead_of_refusing() {
    let mut world = World::new(world::Rules { on_old: OnOld::Clamp, ..contiguous() });
    world.emit(0);
    world.run_to_live();
    let conn = world.sole_conn();
    world.break_sock(conn);
    for _ in 0..200 {
        if world.is_live() {
            break;
        }
        if world.socks.values().any(|sock| sock.asked.flatten().is_some()) {
            world.emit(0);
            world.purge();
            world.emit(1);
        }
        if !world.step() {
            world.tick();
        }
    }
    assert!(world.is_live());
    world.settle();
    world.assert_state_is_the_vendors();
    let rows = world.ledger();
    let lost: Vec<_> = rows.iter().filter(|row| row.cause != GapCause::Start).collect();
    assert_eq!(lost.len(), 1);
    assert_eq!((lost[0].cause, lost[0].outcome), (GapCause::Clamped, GapOutcome::Unrecoverable));
}
