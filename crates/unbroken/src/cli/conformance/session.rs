//! One run of the suite from beginning to end.

use unbroken::render::{Table, duration_ms};
use unbroken_sim::conformance::{Kind, Scenario};

use super::args::ConformanceArgs;
use super::document::{document, listing};
use super::error::SuiteError;
use super::overview::overview;
use super::page::page;
use super::suite::{Outcome, Suite};
use crate::cli::answer::Answer;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::run::{runtime, stop_signal};
use crate::cli::screen::Screen;
use crate::cli::settings::fresh_dir;

pub(crate) fn run(args: &ConformanceArgs) -> Result<Answer, CliError> {
    let kind = Kind::from(args.kind);
    let scenarios = chosen(kind, &args.scenario)?;
    if args.list {
        return list(kind, &scenarios, args.json);
    }
    let suite = Suite {
        kind,
        scenarios,
        command: args.command.clone(),
        seed: args.seed,
        jobs: args.jobs,
        dir: fresh_dir(args.dir.as_deref(), "unbroken-conformance")?,
    };
    let outcomes = runtime()?.block_on(perform(&suite));
    if args.dir.is_none() {
        suite.clear()?;
    }
    let outcomes = outcomes?;
    if let Some(file) = &args.html {
        let failed = |source| CliError::Io { what: "writing the report", source };
        std::fs::write(file, page(&suite, &outcomes)).map_err(failed)?;
    }
    let mut out = Output::new();
    if args.json {
        out.json(&document(&suite, &outcomes))?;
    } else {
        out.text(&overview(&suite, &outcomes))?;
    }
    out.flush()?;
    answer(&outcomes)
}

fn answer(outcomes: &[Outcome]) -> Result<Answer, CliError> {
    let count = |word| outcomes.iter().filter(|outcome| outcome.word() == word).count();
    match (count("findings"), count("could-not-run")) {
        (0, 0) => Ok(Answer::Yes),
        (0, unplayed) => Err(SuiteError::Unplayed(unplayed).into()),
        _ => Ok(Answer::No),
    }
}

fn chosen(kind: Kind, names: &[String]) -> Result<Vec<&'static Scenario>, CliError> {
    if names.is_empty() {
        return Ok(kind.scenarios().iter().collect());
    }
    let known = || kind.scenarios().iter().map(|scenario| scenario.name);
    let named = names.iter().map(|name| {
        kind.scenario(name).map_err(|_| {
            SuiteError::UnknownScenario {
                name: name.clone(),
                nearest: unbroken_connect::generic::nearest(name, known()),
            }
            .into()
        })
    });
    named.collect()
}

fn list(kind: Kind, scenarios: &[&Scenario], json: bool) -> Result<Answer, CliError> {
    let mut out = Output::new();
    if json {
        out.json(&listing(kind, scenarios))?;
    } else {
        let mut table = Table::new(&["scenario", "what happens"]);
        for scenario in scenarios {
            table.row([scenario.name.to_owned(), scenario.happens.to_owned()]);
        }
        out.text(&table.render())?;
    }
    out.flush()?;
    Ok(Answer::Yes)
}

async fn perform(suite: &Suite) -> Result<Vec<Outcome>, CliError> {
    let told_to_stop = stop_signal()?;
    let mut screen = Screen::new();
    let (mut done, all) = (0, suite.scenarios.len());
    screen.status(&format!("0 of {all} scenarios played …"));
    let playing = suite.play(|outcome| {
        done += 1;
        tell(&mut screen, outcome);
        screen.status(&format!("{done} of {all} scenarios played …"));
    });
    let outcomes = tokio::select! {
        outcomes = playing => outcomes,
        () = told_to_stop => Err(SuiteError::Interrupted.into()),
    };
    screen.clear();
    outcomes
}

/// A line for a scenario that is over.
fn tell(screen: &mut Screen, outcome: &Outcome) {
    let paint = screen.paint();
    let name = format!("{:<32}", outcome.scenario.name);
    let line = match &outcome.played {
        Ok(report) if report.is_clean => {
            let recovery = report.figures.recovery_ms.map(duration_ms);
            let recovery = recovery.map_or(String::new(), |time| format!("  recovered in {time}"));
            format!("{name} {}{recovery}", paint.good("✔ clean"))
        }
        Ok(report) => {
            let first = report.findings.first().map_or("", |finding| &finding.words);
            format!("{name} {}  {first}", paint.bad("✘ findings"))
        }
        Err(error) => format!("{name} {}  {error}", paint.warn("? could not run")),
    };
    screen.line(&line);
}
