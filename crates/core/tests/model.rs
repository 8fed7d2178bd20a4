//! Goal: in small worlds, *every* schedule of vendor, network, journal and crash keeps the
//! invariants. Method: exhaustive search over the real machine; a mutant per guard must fail.
//!
//! Assumption, stated: timers are longer than the network's delays (a timer fires only when nothing
//! is on its way), as the timing table demands of whoever sets it.

#![expect(clippy::print_stdout, reason = "the state counts are what a reader asks for")]

mod search;
mod world;

use search::{Budget, Outcome, search};
use unbroken_core::connector::{Ack, Numbering, Replay};
use unbroken_core::machine::Mutant;
use world::{OnOld, Rules, contiguous};

fn small(mut rules: Rules) -> Rules {
    rules.timing.backoff_ms = 0;
    rules.timing.audit_ms = 36_000_000;
    rules.timing.idle_ms = 36_000_000;
    rules.timing.ping_ms = 36_000_000;
    rules.timing.snapshot_unit_items = 1;
    rules.timing.snapshot_tries_max = 2;
    rules.budget = unbroken_core::machine::Budget::unlimited();
    rules
}

fn refusing() -> Rules {
    small(contiguous())
}

fn clamping() -> Rules {
    small(Rules { on_old: OnOld::Clamp, ..contiguous() })
}

fn live_only() -> Rules {
    let mut rules = small(contiguous());
    rules.caps.replay = Replay::None;
    rules
}

fn increasing_clamping() -> Rules {
    let mut rules = clamping();
    rules.caps.position = Numbering::Increasing;
    rules
}

/// Positions that can only be compared; the confirmation says where the subscription begins.
fn opaque() -> Rules {
    let mut rules = refusing();
    rules.caps.position = Numbering::Opaque;
    rules.caps.ack = Ack::WithPosition;
    rules.caps.epoch_named = false;
    rules
}

/// As [`opaque`], with a confirmation that says nothing, and a vendor that begins where it can.
fn opaque_clamping() -> Rules {
    let mut rules = Rules { on_old: OnOld::Clamp, ..opaque() };
    rules.caps.ack = Ack::Plain;
    rules
}

/// The snapshot comes from a cache: its answers may be this old, and no older.
fn cached(mut rules: Rules) -> Rules {
    rules.caps.snapshot_staleness_ms_max = 1_000;
    rules
}

const CRASHING: Budget = Budget { emits: 3, purges: 1, breaks: 1, crashes: 1, stale_pages: 0 };
const STALE: Budget = Budget { emits: 3, purges: 1, breaks: 1, crashes: 0, stale_pages: 1 };
const OVERLAPPING: Budget = Budget { emits: 4, purges: 0, breaks: 1, crashes: 0, stale_pages: 0 };

/// One event fewer for the tests, which run on every commit; all of it with `UNBROKEN_MODEL=full`.
fn sized(budget: Budget) -> Budget {
    match std::env::var_os("UNBROKEN_MODEL") {
        Some(size) if size == "full" => budget,
        _ => Budget { emits: budget.emits - 1, ..budget },
    }
}

fn holds(name: &str, rules: &Rules, budget: Budget) {
    match search(rules, sized(budget), None) {
        Outcome::Holds { states, lives } => {
            println!("{name}: {states} states, {lives} of them Live and complete, 0 violations");
            assert!(lives > 0, "{name}: no schedule reached Live, so nothing was shown");
        }
        Outcome::Broken { invariant, path, states } => {
            panic!("{name}: {invariant} after {states} states:\n  {}", path.join("\n  "));
        }
    }
}

fn is_killed(mutant: Mutant, rules: &Rules, budget: Budget, by: &[&str]) {
    match search(rules, budget, Some(mutant)) {
        Outcome::Broken { invariant, path, states } => {
            println!("{mutant:?}: {invariant} in {} steps ({states} states)", path.len());
            assert!(by.contains(&invariant), "{mutant:?} broke {invariant}, expected {by:?}");
        }
        Outcome::Holds { states, .. } => panic!("{mutant:?} survived {states} states"),
    }
}

#[test]
fn resume_with_crashes_and_units_in_flight_holds_when_the_vendor_refuses() {
    holds("resume × crash × in-flight append × refusal", &refusing(), CRASHING);
}

#[test]
fn resume_with_crashes_and_units_in_flight_holds_when_the_vendor_clamps() {
    holds("resume × crash × in-flight append × clamp", &clamping(), CRASHING);
}

#[test]
fn resume_of_a_stream_with_holes_holds_when_the_vendor_clamps() {
    holds("increasing × crash × in-flight append × clamp", &increasing_clamping(), CRASHING);
}

#[test]
fn stale_snapshots_do_not_travel_back_in_time() {
    holds("resume × refusal × stale snapshot", &cached(refusing()), STALE);
    holds("overlap × stale snapshot", &cached(live_only()), STALE);
}

#[test]
fn overlap_that_appends_as_events_arrive_holds() {
    holds("overlap × append as they arrive", &live_only(), OVERLAPPING);
    holds("overlap × crash × append as they arrive", &live_only(), CRASHING);
}

#[test]
fn opaque_positions_hold_when_the_vendor_refuses() {
    holds("opaque × crash × in-flight append × refusal", &opaque(), CRASHING);
}

#[test]
fn opaque_positions_hold_when_the_vendor_clamps() {
    let telling = Rules { on_old: OnOld::Clamp, ..opaque() };
    holds("opaque × crash × in-flight append × clamp", &telling, CRASHING);
    holds("opaque × plain confirmation × crash × clamp", &opaque_clamping(), CRASHING);
}

#[test]
fn opaque_positions_do_not_travel_back_in_time() {
    holds("opaque × stale snapshot", &cached(opaque()), STALE);
    let mut live_only = opaque();
    live_only.caps.replay = Replay::None;
    holds("opaque × overlap × append as they arrive", &live_only, OVERLAPPING);
}

#[test]
fn every_mutant_yields_a_counterexample() {
    is_killed(Mutant::DedupAgainstDurable, &refusing(), CRASHING, &["AtMostOnce"]);
    is_killed(Mutant::PositionBeforeEnd, &refusing(), CRASHING, &["AtomicInstall"]);
    is_killed(Mutant::LateEventTouchesState, &live_only(), OVERLAPPING, &["NoTimeTravel"]);
    is_killed(
        Mutant::UnprovenGoesLive,
        &increasing_clamping(),
        CRASHING,
        &["CursorCovered", "LiveMeansLive", "GapHonesty"],
    );
    is_killed(
        Mutant::HoleWithoutNumber,
        &opaque_clamping(),
        CRASHING,
        &["CursorCovered", "GapHonesty"],
    );
    let mut opaque_live_only = opaque();
    opaque_live_only.caps.replay = Replay::None;
    is_killed(
        Mutant::LooseSnapshotAtOnce,
        &opaque_live_only,
        OVERLAPPING,
        &["NoTimeTravel", "NothingReceivedIsDropped"],
    );
}
