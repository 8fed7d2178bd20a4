//! Goal: in small worlds, *every* schedule of vendor, network, journal and crash keeps the
//! invariants. Method: exhaustive search over the real machine; a mutant per guard must fail.
//!
//! Assumption, stated: timers are longer than the network's delays (a timer fires only when nothing
//! is on its way), as the timing table demands of whoever sets it.

#![expect(clippy::print_stdout, reason = "the state counts are what a reader asks for")]

mod search;
mod world;
mod worlds;

use std::collections::BTreeSet;

use search::{Invariant, Outcome};
use unbroken_core::machine::Mutant;
use worlds::{Size, Small};

fn holds(world: &Small) {
    world.holds(Size::of_environment());
}

#[test]
fn crashes_with_units_in_flight_break_nothing() {
    holds(&worlds::crash_append::world());
}

#[test]
fn torn_pages_and_deletions_break_nothing() {
    holds(&worlds::pages_deletes::world());
}

#[test]
fn a_numbering_that_begins_again_breaks_nothing() {
    holds(&worlds::epochs::world());
}

#[test]
fn hand_overs_break_nothing() {
    holds(&worlds::handover::world());
}

#[test]
fn refusals_of_every_kind_break_nothing() {
    holds(&worlds::refusal_ladder::world());
}

#[test]
fn a_second_process_breaks_nothing() {
    holds(&worlds::two_writers::world());
}

#[test]
fn a_source_without_positions_breaks_nothing() {
    holds(&worlds::unpositioned::world());
}

#[test]
fn every_invariant_is_checked_in_a_world() {
    let worlds = worlds::all();
    for invariant in Invariant::ALL {
        let checked = worlds.iter().filter(|world| world.checks.contains(&invariant));
        let names: BTreeSet<&str> = checked.map(|world| world.name).collect();
        println!("{:26} {names:?}", format!("{invariant:?}"));
        assert!(!names.is_empty(), "{invariant:?} is checked nowhere");
    }
}

#[test]
fn without_the_fence_a_second_process_writes() {
    let outcome = worlds::two_writers::unfenced().run(Size::Smoke, None);
    let Outcome::Broken { invariant, .. } = outcome else { panic!("nothing was broken") };
    assert_eq!(invariant, Invariant::OneWriter);
}

fn is_killed(mutant: Mutant, world: Small, setting: &str, by: &[Invariant]) {
    match world.only(setting).run(Size::Full, Some(mutant)) {
        Outcome::Broken { invariant, path, states } => {
            println!("{mutant:?}: {invariant:?} in {} steps ({states} states)", path.len() - 1);
            assert!(by.contains(&invariant), "{mutant:?} broke {invariant:?}, expected {by:?}");
        }
        Outcome::Holds(found) => panic!("{mutant:?} survived {} states", found.states),
        Outcome::TooLarge { states, .. } => panic!("{mutant:?} made {states} states"),
    }
}

#[test]
fn every_mutant_yields_a_counterexample() {
    use Invariant as I;
    let crash = worlds::crash_append::world;
    let pages = worlds::pages_deletes::world;
    let covered = [I::CursorCovered, I::LiveMeansLive, I::GapHonesty, I::OverlapProved];
    is_killed(Mutant::DedupAgainstDurable, crash(), "contiguous, refuses", &[I::AtMostOnce]);
    is_killed(Mutant::PositionBeforeEnd, crash(), "contiguous, refuses", &[I::AtomicInstall]);
    is_killed(Mutant::LateEventTouchesState, pages(), "by key", &[I::NoTimeTravel]);
    is_killed(Mutant::UnprovenGoesLive, crash(), "increasing, clamps", &covered);
    is_killed(Mutant::HoleWithoutNumber, crash(), "opaque, clamps", &covered);
    let loose = [I::NoTimeTravel, I::NothingReceivedIsDropped];
    is_killed(Mutant::LooseSnapshotAtOnce, crash(), "opaque, live only", &loose);
}
