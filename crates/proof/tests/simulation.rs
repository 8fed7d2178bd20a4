//! The simulation itself: nothing is wrong, the same seed is the same history, every fault shows
//! itself, and what is wrong would be found and made small.
#![cfg(test)]

use std::process::Command;

use unbroken_proof::{
    Campaign, ChosenMutant, Plan, STEPS, Setting, Violation, play, read_steps, shrink,
};

fn campaign(seed_from: u64, recoveries: u64) -> Campaign {
    Campaign { seed_from, recoveries, threads: 2, mutant: ChosenMutant::none(), goes_on: false }
}

/// The first of the seeds that `make simulation` plays.
#[test]
fn thousands_of_recoveries_break_no_promise_and_every_fault_shows_itself() {
    let summary = campaign(1, 6_000).run(|_| {}).unwrap();
    let first = summary.violations.iter().next();
    assert_eq!(first, None, "replay with: unbroken-proof replay --seed N");
    assert!(summary.recoveries >= 6_000 && summary.starts > summary.runs);
    assert!(summary.forgotten > summary.runs, "agents leave for good: {}", summary.forgotten);
    let all: Vec<_> = summary.troubles.iter().map(|(fault, counts)| (*fault, counts.1)).collect();
    let rare: Vec<_> = all.iter().filter(|(_, fired)| summary.part_of(*fired) < 1.0).collect();
    assert!(rare.is_empty(), "less than one in a hundred: {rare:?}\n{}", summary.fault_table());
    let unexplained = summary.unexplained();
    assert!(unexplained.is_empty(), "never reached, and nobody says why: {unexplained:?}");
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in [5, 6] {
        let trace = || play(Plan::of(seed, STEPS), ChosenMutant::none()).unwrap().trace;
        assert_eq!(trace(), trace(), "seed {seed}");
    }
    let trace = |seed| play(Plan::of(seed, 3), ChosenMutant::none()).unwrap().trace;
    assert_ne!(trace(5), trace(6));
}

#[test]
fn it_is_so_in_another_process() {
    let replay = || {
        let program = env!("CARGO_BIN_EXE_unbroken-proof");
        let output = Command::new(program).args(["replay", "--seed", "11"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout).unwrap()
    };
    let first = replay();
    assert!(first.contains("trace "));
    assert_eq!(first, replay());
}

/// A disk that lies loses what it has acknowledged when the power goes.
#[test]
fn what_is_lost_is_found_and_made_small() {
    let mut plan = Plan::of(12, 12);
    plan.setting = Setting::of(12);
    let planted = "0: sync-lies@0#1 power-cut@40#7; 0: sync-lies@0#1 power-cut@90#8";
    plan.steps.splice(6..6, read_steps(planted).unwrap());
    let fails = |plan: &Plan| Ok(play(plan.clone(), ChosenMutant::none())?.violation);
    let violation: Violation = fails(&plan).unwrap().expect("a lying disk goes unnoticed");
    let shrunk = shrink(plan, violation.clone(), fails).unwrap();
    assert_eq!(shrunk.violation.what, violation.what);
    let names: Vec<_> = shrunk.plan.steps.iter().flat_map(|step| &step.blows).collect();
    let names: Vec<_> = names.into_iter().map(|blow| blow.trouble.name()).collect();
    assert_eq!(names, ["sync-lies", "power-cut"], "{}", shrunk.plan);
    let text = shrunk.plan.to_string();
    let steps = read_steps(text.split('\'').nth(1).unwrap()).unwrap();
    assert_eq!(steps, shrunk.plan.steps, "{text}");
}
