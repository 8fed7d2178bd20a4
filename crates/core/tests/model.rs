//! Goal: in small worlds, *every* schedule of vendor, network, journal and crash keeps the
//! invariants. Method: exhaustive search over the real machine. That a guard taken out is noticed:
//! `mutants.rs`.
//!
//! Assumption, stated: timers are longer than the network's delays (a timer fires only when nothing
//! is on its way), as the timing table demands of whoever sets it.
#![cfg(test)]

mod schedules;
mod search;
mod world;
mod worlds;

use std::collections::BTreeSet;

use search::{Invariant, Outcome};
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
fn what_is_claimed_holds_and_what_is_not_is_found() {
    let mut wrong = Vec::new();
    for claim in worlds::claims::all() {
        match claim.prove(Size::of_environment()) {
            Ok(states) => println!("{claim} {states} states"),
            Err(why) => wrong.push(why),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_of_promises_claims_what_is_searched() {
    let claims = worlds::claims::all();
    let head = "| the source | what happens | events | state |\n| --- | --- | --- | --- |\n";
    let lines = claims.iter().map(|claim| format!("{claim}\n"));
    let table = head.to_owned() + &lines.collect::<String>();
    let page = include_str!("../../../docs/reference/promises.md");
    assert!(page.contains(&table), "docs/reference/promises.md should have:\n{table}");
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
