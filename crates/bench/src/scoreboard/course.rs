//! Plays all scenarios with all clients, one client after the other.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::dialect_page::dialect_page;
use super::entrant::{ENTRANTS, Entrant, pairs};
use super::page::page;
use super::result::{Outcome, Suite};
use super::sums::Sums;
use super::versions::versions;
use crate::Failure;
use crate::paths::make_empty;

/// The scenario in which nothing goes wrong.
const CALM: &str = "calm";
/// How often what could not be played is tried again.
const AGAIN_MAX: u32 = 2;

/// What is to be played, and where it goes.
#[derive(Debug)]
pub(crate) struct Scoreboard {
    /// The product's binary.
    pub(crate) unbroken: PathBuf,
    /// Where the clients are installed.
    pub(crate) clients: PathBuf,
    /// For the reports.
    pub(crate) out: PathBuf,
    /// The page.
    pub(crate) page: PathBuf,
    /// Decides all that is not real time.
    pub(crate) seed: usize,
    /// Scenarios that are played at the same time.
    pub(crate) jobs: usize,
    /// Only these clients; the page is not written then.
    pub(crate) only: Option<Vec<String>>,
    /// Each client beside itself behind Unbroken, in place of beside Unbroken.
    pub(crate) is_dialect: bool,
}

/// Plays, reports, and writes the page.
pub(crate) fn run(board: &Scoreboard) -> Result<(), Failure> {
    make_empty(&board.out)?;
    let is_wanted = |entrant: &&Entrant| {
        board.only.as_ref().is_none_or(|only| only.iter().any(|name| name == entrant.name))
    };
    let all = if board.is_dialect { pairs() } else { ENTRANTS.to_vec() };
    let chosen: Vec<Entrant> = all.iter().filter(is_wanted).copied().collect();
    if chosen.is_empty() {
        let names: Vec<&str> = ENTRANTS.iter().map(|entrant| entrant.name).collect();
        return Err(format!("--only names nobody; there are {}", names.join(", ")).into());
    }
    let played = chosen.into_iter().map(|entrant| play(board, entrant));
    let outcomes = played.collect::<Result<Vec<_>, Failure>>()?;
    if board.only.is_some() {
        return Ok(());
    }
    if let Some(label) = restless(&outcomes) {
        return Err(format!(
            "{label} is not clean in {CALM}: the machine is too busy to judge anybody, or the \
             client is broken; the page stays as it was"
        )
        .into());
    }
    let made_with = versions(board)?;
    let text = match board.is_dialect {
        true => dialect_page(&outcomes, &made_with),
        false => page(&outcomes, &made_with),
    };
    fs::write(&board.page, text)?;
    say(&format!("the page: {}", board.page.display()));
    Ok(())
}

/// A client with findings in the scenario in which nothing goes wrong. Clients that the machine
/// does not let run look bad in all the others as well, and that would not be their fault.
fn restless(outcomes: &[Outcome]) -> Option<String> {
    let is_restless = |outcome: &&Outcome| {
        let mut calm = outcome.suite.scenarios.iter().filter(|one| one.name == CALM);
        calm.any(|one| !one.is_clean)
    };
    outcomes.iter().find(is_restless).map(|outcome| outcome.entrant.label())
}

/// All scenarios, those again that could not be played, as on a machine that was too busy for them.
fn play(board: &Scoreboard, entrant: Entrant) -> Result<Outcome, Failure> {
    let label = entrant.label();
    let began = Instant::now();
    let mut suite = perform(board, entrant, &label, &[])?;
    for again in 1..=AGAIN_MAX {
        let missing: Vec<String> = suite.unplayed().map(str::to_owned).collect();
        if missing.is_empty() {
            break;
        }
        say(&format!("{label}: again: {}", missing.join(", ")));
        suite.fill(perform(board, entrant, &format!("{label}-again-{again}"), &missing)?);
    }
    if let Some(name) = suite.unplayed().next() {
        return Err(format!("{label}: {name} could not be played; see the log beside it").into());
    }
    let outcome = Outcome { entrant, suite };
    let sums = Sums::of(&outcome);
    say(&format!(
        "{label}: clean in {} of {}, after {} s",
        sums.clean_count,
        sums.scenario_count,
        began.elapsed().as_secs()
    ));
    Ok(outcome)
}

/// One run of the command: these scenarios, or all.
fn perform(
    board: &Scoreboard,
    entrant: Entrant,
    label: &str,
    scenarios: &[String],
) -> Result<Suite, Failure> {
    let file = |ending: &str| board.out.join(format!("{label}.{ending}"));
    let mut command = Command::new(&board.unbroken);
    command.args(["conformance", "--vendor", entrant.vendor, "--json", "--html"]);
    command.arg(file("html"));
    for scenario in scenarios {
        command.args(["--scenario", scenario]);
    }
    command.args(["--seed", &board.seed.to_string(), "--jobs", &board.jobs.to_string(), "--"]);
    command.args(entrant.command(&board.clients)).env("UNBROKEN", absolute(&board.unbroken)?);
    command.stdin(Stdio::null());
    command.stdout(File::create(file("json"))?).stderr(File::create(file("log"))?);
    let status = command.status()?;
    // 1: the client has findings; 2: some or all could not be played.
    let read = fs::read(file("json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
    read.ok_or_else(|| {
        let log = fs::read_to_string(file("log")).unwrap_or_default();
        format!("{label}: {status}: {}", log.trim_end()).into()
    })
}

/// Clients run in folders of their own.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    Ok(fs::canonicalize(path)?)
}

fn say(line: &str) {
    // Nobody listens any more: the run is still worth its reports.
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::super::fixture::scenario;
    use super::*;

    #[test]
    fn no_page_is_made_on_a_machine_too_busy_for_calm() {
        let outcome = |calm: &[(&str, u64)]| Outcome {
            entrant: ENTRANTS[0],
            suite: Suite {
                seed: 1,
                scenarios: vec![scenario("calm", calm), scenario("cut", &[("lost", 1)])],
            },
        };
        assert_eq!(restless(&[outcome(&[])]), None);
        let found = restless(&[outcome(&[]), outcome(&[("stale_live_ms", 2_600)])]);
        assert_eq!(found, Some(ENTRANTS[0].label()));
    }
}
