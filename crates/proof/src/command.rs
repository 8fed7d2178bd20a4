//! The command line.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;

use unbroken_proof::{
    Campaign, ChosenMutant, Plan, ProofError, STEPS, Setting, Shrunk, Violation, play, play_aloud,
    read_steps, shrink,
};

const USAGE: &str = "\
unbroken-proof simulate [--recoveries N] [--seed-from N] [--threads N] [--mutant NAME]
    [--go-on]
unbroken-proof replay --seed N [--setting TEXT] [--plan TEXT] [--mutant NAME] [--aloud]
";

/// What was asked for, as typed.
#[derive(Debug, Default)]
struct Asked {
    recoveries: Option<u64>,
    seed: Option<u64>,
    threads: Option<usize>,
    setting: Option<Setting>,
    plan: Option<String>,
    mutant: ChosenMutant,
    is_aloud: bool,
    goes_on: bool,
}

/// Does what the arguments say. 0: nothing was wrong; 1: something was; 2: it could not be done.
pub(crate) fn run(arguments: Vec<String>) -> ExitCode {
    let mut arguments = arguments.into_iter();
    let command = arguments.next().unwrap_or_default();
    let done = read(arguments).and_then(|asked| match command.as_str() {
        "simulate" => simulate(&asked),
        "replay" => replay(&asked),
        _ => Err(ProofError::Unknown { kind: "command", name: command.clone() }),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            warn(&format!("{error}\n\n{USAGE}"));
            ExitCode::from(2)
        }
    }
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Asked, ProofError> {
    let mut asked = Asked::default();
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--aloud" => {
                asked.is_aloud = true;
                continue;
            }
            "--go-on" => {
                asked.goes_on = true;
                continue;
            }
            _ => {}
        }
        let value = arguments.next().unwrap_or_default();
        let number = || {
            let wrong = ProofError::Plan { part: format!("{name} {value}"), expected: "a number" };
            value.parse::<u64>().map_err(|_| wrong)
        };
        match name.as_str() {
            "--recoveries" => asked.recoveries = Some(number()?),
            "--seed" | "--seed-from" => asked.seed = Some(number()?),
            "--threads" => asked.threads = usize::try_from(number()?).ok(),
            "--setting" => asked.setting = Some(value.parse()?),
            "--plan" => asked.plan = Some(value),
            "--mutant" => asked.mutant = ChosenMutant::named(&value)?,
            _ => return Err(ProofError::Unknown { kind: "argument", name }),
        }
    }
    Ok(asked)
}

fn simulate(asked: &Asked) -> Result<bool, ProofError> {
    let campaign = Campaign {
        seed_from: asked.seed.unwrap_or(1),
        recoveries: asked.recoveries.unwrap_or(10_000),
        threads: asked.threads.unwrap_or(2),
        mutant: asked.mutant,
        goes_on: asked.goes_on,
    };
    let summary = campaign.run(|so_far| {
        if so_far.runs.is_multiple_of(500) {
            let (recoveries, rate) = (so_far.recoveries, so_far.per_cpu_minute());
            warn(&format!("{recoveries} recoveries, {rate} per CPU-minute\n"));
        }
    })?;
    let tables = [
        summary.coverage_table(),
        summary.reasons_table(),
        summary.fault_table(),
        summary.figures(),
    ];
    tell(&tables.join("\n"));
    let mut told = BTreeSet::new();
    for (seed, violation) in &summary.violations {
        if !told.insert(violation.what.clone()) {
            tell(&format!("\nviolation of seed {seed}: {violation}\n"));
            continue;
        }
        tell(&format!("\nviolation of seed {seed}: {violation}\n"));
        show_shrunk(Plan::of(*seed, STEPS), violation.clone(), asked.mutant)?;
    }
    Ok(summary.violations.is_empty())
}

/// The smallest plan that fails in the same way, as a line to be replayed.
fn show_shrunk(plan: Plan, violation: Violation, mutant: ChosenMutant) -> Result<(), ProofError> {
    let fails = |plan: &Plan| Ok(play(plan.clone(), mutant)?.violation);
    let Shrunk { plan, violation, tries } = shrink(plan, violation, fails)?;
    tell(&format!("shrunk in {tries} tries to: {violation}\nunbroken-proof replay {plan}\n"));
    Ok(())
}

fn replay(asked: &Asked) -> Result<bool, ProofError> {
    let mut plan = Plan::of(asked.seed.unwrap_or(1), STEPS);
    if let Some(setting) = asked.setting {
        plan.setting = setting;
    }
    if let Some(steps) = &asked.plan {
        plan.steps = read_steps(steps)?;
    }
    let outcome =
        if asked.is_aloud { play_aloud(plan, asked.mutant) } else { play(plan, asked.mutant) }?;
    if let Some(story) = &outcome.story {
        tell(story);
    }
    let verdict = outcome
        .violation
        .as_ref()
        .map_or("nothing is wrong".to_owned(), |violation| violation.to_string());
    tell(&format!(
        "{} recoveries, {} processes, trace {:016x}\n{verdict}\n",
        outcome.recoveries, outcome.starts, outcome.trace
    ));
    Ok(outcome.violation.is_none())
}

/// Whoever does not listen any more needs no answer.
fn tell(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

fn warn(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
