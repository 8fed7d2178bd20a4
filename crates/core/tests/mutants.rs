//! Goal: no guard of the machine can be taken out without a check noticing. Each mutant is killed
//! by the search of a small world or by a story; `make mutants` kills them all and writes
//! `docs/reference/mutants.md`, the tests kill the quick ones again.
#![cfg(test)]

#[expect(dead_code, reason = "the tests of the budget use the rest of it")]
mod crowd;
mod kills;
mod scenes;
mod search;
mod world;
mod worlds;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use kills::{Row, killer_of, render, rows_of, try_kill};
use unbroken_core::machine::Mutant;

/// What dies within so many states dies again in the tests of every commit.
const QUICK_STATES_MAX: usize = 10_000;

/// The guards whose removal gave a counterexample before there was a machine.
const GUARDS: [&str; 25] = [
    "dedup against seen",
    "tag minimum",
    "tag compared with seen",
    "stale snapshot refused",
    "unproven → reconcile",
    "converging mark, durable",
    "refetch while converging",
    "keys rebuilt before the diff",
    "one batch",
    "gap row in the same batch",
    "witness",
    "socket kept across fetches",
    "exact ledger range",
    "wall clock in rows across epochs",
    "hand-over hold",
    "hand-over → Overlap",
    "epoch fence",
    "no deletes outside the scope",
    "clamp check",
    "drift from exact snapshots only",
    "exit for quiet vendors",
    "two refusals → Overlap",
    "mute audit",
    "hidden epoch → Overlap",
    "canary",
];

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/mutants.md")
}

fn is_full() -> bool {
    std::env::var_os("UNBROKEN_MUTANTS").is_some_and(|size| size == "full")
}

/// The document as it is written, also while a run for a new one is under way.
fn table() -> Vec<Row> {
    rows_of(&std::fs::read_to_string(path()).unwrap_or_default())
}

#[test]
fn each_guard_of_the_rules_has_a_mutant() {
    let guarded: BTreeSet<&str> = Mutant::ALL.iter().map(|mutant| mutant.guard()).collect();
    let bare: Vec<&str> = GUARDS.into_iter().filter(|guard| !guarded.contains(guard)).collect();
    assert!(bare.is_empty(), "no mutant takes out: {bare:?}");
}

#[test]
fn a_mutant_is_found_by_its_name() {
    for mutant in Mutant::ALL {
        assert_eq!(Mutant::from_name(mutant.name()), Some(*mutant));
    }
    assert_eq!(Mutant::from_name("Nobody"), None);
}

#[test]
fn every_story_ends_well_with_every_guard_in_its_place() {
    for scene in scenes::all() {
        assert_eq!((scene.play)(None), Ok(()), "{}", scene.name);
    }
}

#[test]
fn the_table_names_every_mutant_once() {
    if is_full() {
        return;
    }
    let named: Vec<String> = table().into_iter().map(|row| row.mutant).collect();
    let known: Vec<&str> = Mutant::ALL.iter().map(|mutant| mutant.name()).collect();
    assert_eq!(named, known, "make mutants writes it anew");
}

#[test]
fn the_quick_ones_die_as_the_table_says() {
    if is_full() {
        return;
    }
    let is_quick = |row: &Row| row.states.is_none_or(|states| states <= QUICK_STATES_MAX);
    let mut died = 0;
    for row in table().into_iter().filter(is_quick) {
        let mutant = Mutant::from_name(&row.mutant).expect("the table names mutants");
        assert_eq!(try_kill(mutant, killer_of(mutant)), Some(row), "make mutants writes it anew");
        died += 1;
    }
    assert!(died >= 15, "only {died} mutants are quick");
}

/// All of them, and the table: `make mutants`.
#[test]
fn no_mutant_lives() {
    if !is_full() {
        return;
    }
    let (mut rows, mut alive) = (Vec::new(), Vec::new());
    for mutant in Mutant::ALL {
        let begun = Instant::now();
        let killer = killer_of(*mutant);
        match try_kill(*mutant, killer) {
            Some(row) => {
                let (name, seconds) = (mutant.name(), begun.elapsed().as_secs_f64());
                println!("{name:24} {:26} {seconds:>5.1} s  {killer}", row.invariant);
                rows.push(row);
            }
            None => {
                println!("{:24} LIVES after {killer}", mutant.name());
                alive.push(mutant.name());
            }
        }
    }
    assert!(alive.is_empty(), "alive: {alive:?}");
    let before = std::fs::read_to_string(path()).unwrap_or_default();
    std::fs::write(path(), render(&rows, &before)).expect("the documents can be written");
    println!("{} mutants, none alive: {}", rows.len(), path().display());
}
