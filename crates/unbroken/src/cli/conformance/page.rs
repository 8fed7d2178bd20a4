//! The report for people: one HTML file that needs nothing else. It is written so that a reader of
//! XML understands it, too.

use std::fmt::Write as _;

use unbroken::render::{count, counted, duration_ms, wall, wall_now};
use unbroken_sim::conformance::Report;

use super::course::section;
use super::suite::{Outcome, Suite};
use super::text::escape;

/// How everything looks, in the light and in the dark.
const STYLE: &str = include_str!("report.css");

/// The words of the report, as the guide has them.
const WORDS: [(&str, &str); 9] = [
    ("lost", "not told, although the vendor had served it, or would have for the asking"),
    ("uncovered", "not told, and in no gap that the client writes down: nobody will ever know"),
    ("twice", "told more than once"),
    ("order", "told in another order than the vendor's"),
    ("stale", "keys whose value at the end is not the vendor's; – where a client tells no state"),
    (
        "recovery",
        "from the first thing that was done to the client to the moment from which on it told \
         everything within a tenth of a second",
    ),
    ("written down", "not told, and in a gap of the client's: nobody could have had it"),
    ("handshakes, REST", "what was asked of the vendor from start to end, refused or not"),
    ("not met", "the client never came near what the scenario breaks"),
];

pub(super) fn page(suite: &Suite, outcomes: &[Outcome]) -> String {
    let command: Vec<_> = suite.command.iter().map(|word| word.to_string_lossy()).collect();
    let command = escape(&command.join(" "));
    let vendor = match suite.kind.name() {
        "genesys" => "a Genesys Cloud",
        _ => "a CXone-shaped stream",
    };
    let mut html = String::new();
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>Conformance of {command}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header><div>\n<h1>What happens when the stream breaks</h1>\n\
         <p class=\"lede\"><code>{command}</code> was played {vendor} that breaks in {} ways. What \
         it told of each is held here against what the vendor did.</p>\n",
        count(length(outcomes)),
    );
    sum(&mut html, outcomes);
    html.push_str("</div></header>\n<main>\n<h2>Scoreboard</h2>\n");
    board(&mut html, outcomes);
    html.push_str("<h2>The words</h2>\n<dl class=\"words\">\n");
    for (word, means) in WORDS {
        let _ = writeln!(html, "<dt>{word}</dt><dd>{means}</dd>");
    }
    html.push_str("</dl>\n<h2>Scenario by scenario</h2>\n");
    for outcome in outcomes {
        section(&mut html, outcome);
    }
    let _ = write!(
        html,
        "<footer>unbroken {}, vendor {}, seed {}, {}. The same seed plays the same faults: \
         <code>unbroken conformance --vendor {} --seed {} -- {command}</code></footer>\n\
         </main>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        suite.kind.name(),
        suite.seed,
        wall(wall_now()),
        suite.kind.name(),
        suite.seed,
    );
    html
}

fn length<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

fn reports(outcomes: &[Outcome]) -> impl Iterator<Item = &Report> {
    outcomes.iter().filter_map(|outcome| outcome.played.as_ref().ok())
}

fn sum(html: &mut String, outcomes: &[Outcome]) {
    let of = |word| outcomes.iter().filter(|outcome| outcome.word() == word).count() as u64;
    let total = |figure: fn(&Report) -> u64| reports(outcomes).map(figure).sum::<u64>();
    let (findings, unplayed) = (of("findings"), of("could-not-run"));
    let unknown = total(|report| report.figures.uncovered);
    let twice = total(|report| report.figures.duplicated);
    let mut tiles = vec![
        ("good", count(of("clean")), "clean"),
        (if findings > 0 { "bad" } else { "" }, count(findings), "with findings"),
    ];
    if unplayed > 0 {
        tiles.push(("warn", count(unplayed), "could not run"));
    }
    tiles.extend([
        ("", count(total(|report| report.figures.events_due)), "events to tell"),
        (if unknown > 0 { "bad" } else { "" }, count(unknown), "gone without a word"),
        (if twice > 0 { "bad" } else { "" }, count(twice), "told twice"),
        ("", count(total(|report| report.load.handshakes)), "handshakes"),
    ]);
    html.push_str("<div class=\"sum\">\n");
    for (class, value, what) in tiles {
        let _ = writeln!(html, "<div class=\"{class}\"><b>{value}</b><span>{what}</span></div>");
    }
    html.push_str("</div>\n");
}

fn board(html: &mut String, outcomes: &[Outcome]) {
    html.push_str("<div class=\"board\"><table>\n<thead><tr>");
    for heading in [
        "scenario",
        "result",
        "to tell",
        "lost",
        "uncovered",
        "twice",
        "order",
        "stale",
        "written down",
        "recovery",
        "handshakes",
        "REST",
    ] {
        let _ = write!(html, "<th>{heading}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for outcome in outcomes {
        let (name, word) = (outcome.scenario.name, outcome.word());
        let _ = write!(
            html,
            "<tr><td><a href=\"#{name}\">{name}</a></td>\
             <td><span class=\"chip {word}\">{}</span>{}</td>",
            word.replace('-', " "),
            if outcome.is_unmet() { " <small>not met</small>" } else { "" },
        );
        match &outcome.played {
            Ok(report) => row(html, report),
            Err(error) => {
                let _ = write!(html, "<td colspan=\"10\">{}</td>", escape(&error.to_string()));
            }
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
}

fn row(html: &mut String, report: &Report) {
    let figures = &report.figures;
    let mut cell = |text: String, class: &str| {
        let _ = write!(html, "<td class=\"{class}\">{text}</td>");
    };
    cell(count(figures.events_due), "");
    for bad in [figures.lost, figures.uncovered, figures.duplicated, figures.out_of_order] {
        cell(count(bad), if bad > 0 { "hit" } else { "zero" });
    }
    match figures.stale_keys {
        Some(0) => cell("0".to_owned(), "zero"),
        Some(keys) => cell(count(keys), "hit"),
        None => cell("–".to_owned(), "zero"),
    }
    let written = figures.unrecoverable + figures.unproven;
    cell(count(written), if written > 0 { "" } else { "zero" });
    cell(recovery(report), if figures.is_recovered { "" } else { "hit" });
    cell(count(report.load.handshakes), "");
    cell(count(report.load.rest_calls), "");
}

/// The time in a few characters.
pub(super) fn recovery(report: &Report) -> String {
    match report.figures.recovery_ms {
        Some(0..100) => "at once".to_owned(),
        Some(ms) => duration_ms(ms),
        None if report.figures.is_recovered => "–".to_owned(),
        None => "never".to_owned(),
    }
}

/// `3 events`.
pub(super) fn events(n: u64) -> String {
    counted(n, "event")
}
