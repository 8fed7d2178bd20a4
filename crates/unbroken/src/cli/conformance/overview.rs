//! The result as a table, and what is wrong below it.

use std::fmt::Write as _;

use unbroken::render::{Table, count, duration_ms};
use unbroken_sim::conformance::Report;

use super::page::recovery;
use super::suite::{Outcome, Suite};

/// Cases that are shown of a scenario.
const CASES_MAX: usize = 3;

pub(super) fn overview(suite: &Suite, outcomes: &[Outcome]) -> String {
    let mut table = Table::new(&[
        "scenario",
        "result",
        "due",
        "lost",
        "uncovered",
        "twice",
        "order",
        "stale",
        "recovery",
        "handshakes",
        "rest",
        "tokens",
    ]);
    for outcome in outcomes {
        match &outcome.played {
            Ok(report) => table.row(row(outcome, report)),
            Err(error) => table
                .row([outcome.scenario.name.to_owned(), format!("{}: {error}", outcome.word())]),
        }
    }
    let mut text = table.render();
    for outcome in outcomes {
        if let Ok(report) = &outcome.played
            && !report.is_clean
        {
            tell(&mut text, report);
        }
    }
    let of = |word| outcomes.iter().filter(|outcome| outcome.word() == word).count();
    let _ = writeln!(
        text,
        "\n{}, seed {}: {} clean, {} with findings, {} could not run",
        suite.kind.name(),
        suite.seed,
        of("clean"),
        of("findings"),
        of("could-not-run"),
    );
    text
}

fn row(outcome: &Outcome, report: &Report) -> Vec<String> {
    let figures = &report.figures;
    let stale = match figures.stale_keys {
        Some(keys) => count(keys),
        None => "not told".to_owned(),
    };
    let unmet = if outcome.is_unmet() { ", not met" } else { "" };
    vec![
        report.name.to_owned(),
        format!("{}{unmet}", outcome.word()),
        count(figures.events_due),
        count(figures.lost),
        count(figures.uncovered),
        count(figures.duplicated),
        count(figures.out_of_order),
        stale,
        recovery(report),
        count(report.load.handshakes),
        count(report.load.rest_calls),
        count(report.load.token_calls),
    ]
}

fn tell(text: &mut String, report: &Report) {
    let _ = writeln!(text, "\n{}: {}", report.name, report.happens);
    for finding in &report.findings {
        let _ = writeln!(text, "  ✘ {}", finding.words);
    }
    for case in report.examples.iter().take(CASES_MAX) {
        let position = case.position.as_deref().map_or(String::new(), |at| format!(" at {at}"));
        let at = duration_ms(case.at_ms);
        let _ =
            writeln!(text, "    {} {}{position}, {at} in: {}", case.figure, case.key, case.reason);
    }
    for line in &report.strange_lines {
        let _ = writeln!(text, "    on stdout {line}");
    }
    for line in report.stderr.lines().rev().take(CASES_MAX).collect::<Vec<_>>().into_iter().rev() {
        let _ = writeln!(text, "    stderr: {line}");
    }
}
