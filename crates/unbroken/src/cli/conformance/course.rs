//! One scenario in the report: what happens, what should come out, what this client did.

use std::fmt::Write as _;

use unbroken::render::{counted, duration_ms};
use unbroken_sim::conformance::Report;

use super::drawing::drawing;
use super::page::{events, recovery};
use super::suite::Outcome;
use super::text::escape;

/// Cases that are shown of each figure.
const CASES_MAX: usize = 3;

pub(super) fn section(html: &mut String, outcome: &Outcome) {
    let (scenario, word) = (outcome.scenario, outcome.word());
    let _ = write!(
        html,
        "<section class=\"scenario\" id=\"{name}\">\n<div class=\"head\"><h3>{name}</h3>\
         <span class=\"chip {word}\">{}</span></div>\n<div class=\"two\">\n\
         <div><h4>What happens</h4><p>{}</p></div>\n\
         <div><h4>What should come out</h4><p>{}</p></div>\n</div>\n",
        word.replace('-', " "),
        marked(scenario.happens),
        marked(scenario.expected),
        name = scenario.name,
    );
    match &outcome.played {
        Ok(report) => played(html, report, word),
        Err(error) => {
            let _ = writeln!(html, "<p>{}</p>", escape(&error.to_string()));
        }
    }
    html.push_str("</section>\n");
}

fn played(html: &mut String, report: &Report, word: &str) {
    let _ = writeln!(html, "<div class=\"did {word}\"><h4>What this client did</h4>");
    if !report.findings.is_empty() {
        html.push_str("<ul>\n");
        for finding in &report.findings {
            let _ = writeln!(html, "<li>{}</li>", escape(&finding.words));
        }
        html.push_str("</ul>\n");
    }
    let _ = writeln!(html, "<p>{}</p>\n</div>", escape(&deeds(report)));
    html.push_str(&drawing(report));
    cases(html, report);
    for line in &report.strange_lines {
        let _ = writeln!(html, "<p>On stdout {}</p>", escape(line));
    }
    if !report.stderr.is_empty() {
        let opened = if report.is_clean { "" } else { " open=\"open\"" };
        let _ = writeln!(
            html,
            "<details{opened}><summary>The end of what it said on stderr</summary>\
             <pre>{}</pre></details>",
            escape(&report.stderr),
        );
    }
}

/// What it did, in sentences.
fn deeds(report: &Report) -> String {
    let figures = &report.figures;
    let mut text = match (report.is_clean, figures.events_told == figures.events_due) {
        (true, true) => format!("It told all {} once and in order.", events(figures.events_due)),
        (_, _) => format!(
            "It told {} where {} were to be told.",
            events(figures.events_told),
            figures.events_due
        ),
    };
    let written = figures.unrecoverable + figures.unproven;
    if written > 0 {
        let _ = write!(text, " {} nobody could have had are in gaps that it", events(written));
        text.push_str(" wrote down.");
    }
    if figures.undetectable > 0 {
        let _ =
            write!(text, " {} went by where nobody could see it.", events(figures.undetectable));
    }
    match (figures.recovery_ms, figures.is_recovered) {
        (Some(ms), _) if ms >= 100 => {
            let _ = write!(text, " It was up to date again after {}.", recovery(report));
        }
        (Some(_), _) => text.push_str(" It was never behind by more than a tenth of a second."),
        (None, false) => text.push_str(" It was not up to date again."),
        (None, true) => {}
    }
    let load = &report.load;
    let _ = write!(
        text,
        " It asked the vendor for {}, {} and {}.",
        counted(load.handshakes, "handshake"),
        counted(load.rest_calls, "REST answer"),
        counted(load.token_calls, "token"),
    );
    for fault in report.faults.iter().filter(|fault| fault.met_ms.is_none()) {
        let _ = write!(text, " It did not meet {}.", fault.name);
    }
    text
}

/// The first few of each figure, by name and time.
fn cases(html: &mut String, report: &Report) {
    let mut shown: Vec<&str> = Vec::new();
    let few = report.examples.iter().filter(|case| {
        shown.push(case.figure);
        let is_finding = report.findings.iter().any(|found| case.figure.starts_with(found.figure));
        is_finding && shown.iter().filter(|figure| **figure == case.figure).count() <= CASES_MAX
    });
    let few: Vec<_> = few.collect();
    if few.is_empty() {
        return;
    }
    html.push_str("<table class=\"cases\"><tbody>\n");
    for case in few {
        let at = case.position.as_deref().unwrap_or_default();
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td><code>{}</code></td><td><code>{}</code></td><td>{}</td>\
             <td>{}</td></tr>",
            case.figure.replace('_', " "),
            escape(&case.key),
            escape(at),
            duration_ms(case.at_ms),
            escape(&case.reason),
        );
    }
    html.push_str("</tbody></table>\n");
}

/// What stands between backticks is code.
fn marked(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in text.split('`').enumerate() {
        let part = escape(part);
        let _ =
            if at % 2 == 1 { write!(html, "<code>{part}</code>") } else { write!(html, "{part}") };
    }
    html
}
