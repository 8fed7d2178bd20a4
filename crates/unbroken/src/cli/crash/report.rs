//! What is told of the deaths, and of what was left.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use unbroken::crash::{Spot, spots};
use unbroken::render::{Paint, Table, count, counted, millis, wall};
use unbroken_core::time::UnixMicros;

use super::course::Outcome;
use super::plan::Course;
use crate::cli::args::{NumberingArg, VendorKind};
use crate::cli::error::CliError;
use crate::cli::judgement::explain;
use crate::cli::output::{Output, say};

/// Everything that is known at the end.
pub(super) struct Ending {
    pub(super) done: Vec<(Course, Outcome)>,
    pub(super) seed: u64,
    pub(super) dir: PathBuf,
    pub(super) elapsed: Duration,
}

impl Ending {
    /// Nothing found, and no point that was never struck.
    pub(super) fn is_clean(&self) -> bool {
        self.findings() == 0 && self.struck().values().all(|struck| *struck > 0)
    }

    fn findings(&self) -> usize {
        self.done.iter().map(|(_, outcome)| outcome.findings.len()).sum()
    }

    fn struck(&self) -> BTreeMap<Spot, u64> {
        let mut all: BTreeMap<Spot, u64> = spots().into_iter().map(|spot| (spot, 0)).collect();
        for (spot, struck) in self.done.iter().flat_map(|(_, outcome)| &outcome.struck) {
            *all.entry(*spot).or_default() += struck;
        }
        all
    }

    fn sum(&self, of: impl Fn(&Outcome) -> u64) -> u64 {
        self.done.iter().map(|(_, outcome)| of(outcome)).sum()
    }
}

/// One course is over.
pub(super) fn tell(course: &Course, outcome: &Outcome) {
    let struck: u64 = outcome.struck.values().sum();
    let mut text = format!(
        "course {}: {}, {}, {} struck, {} from outside; {}\n",
        course.number,
        vendor_name(course),
        if course.retains { "retention".to_owned() } else { repairs(outcome) },
        count(struck),
        count(outcome.others),
        if outcome.findings.is_empty() { "UNBROKEN" } else { "BROKEN" },
    );
    for strike in &outcome.missed {
        let (name, when) = (strike.spot.name, strike.spot.when.name());
        text.push_str(&format!("  {name} ({when}) did not come here\n"));
    }
    for finding in &outcome.findings {
        text.push_str(&format!("  {finding}\n"));
    }
    if let Some(judgement) = outcome.judgement.as_ref().filter(|judged| !judged.is_clean()) {
        text.push_str(&explain(judgement, Paint::of(&std::io::stderr())));
        for finding in &judgement.checked.log.findings {
            text.push_str(&format!("  log: {finding}\n"));
        }
        for finding in judgement.checked.store.iter().flat_map(|store| &store.findings) {
            text.push_str(&format!("  store: {finding}\n"));
        }
        for example in &judgement.verdict.examples {
            let position = example.position.as_deref().unwrap_or("no position");
            text.push_str(&format!(
                "  {} at {}: {position} of {}: {}\n",
                example.figure,
                wall(UnixMicros(example.at_us)),
                example.agent,
                example.reason
            ));
        }
    }
    say(&text);
}

pub(super) fn print(ending: &Ending, as_json: bool) -> Result<(), CliError> {
    let struck = ending.struck();
    let mut table = Table::new(&["on the way", "point", "what is on disk", "struck"]);
    for spot in spots() {
        let times = struck.get(&spot).copied().unwrap_or_default();
        table.row([
            spot.when.name().to_owned(),
            spot.name.to_owned(),
            spot.edge.to_owned(),
            count(times),
        ]);
    }
    let kills: u64 = struck.values().sum();
    say(&format!(
        "{}{} at {}, {} from outside, {} repaired, in {} s; seed {}: {}\n{}\n",
        table.render(),
        counted(kills, "SIGKILL"),
        counted(u64::try_from(struck.len()).unwrap_or(u64::MAX), "point"),
        count(ending.sum(|outcome| outcome.others)),
        counted(ending.sum(|outcome| outcome.repaired), "log"),
        ending.elapsed.as_secs(),
        ending.seed,
        counted(u64::try_from(ending.findings()).unwrap_or(u64::MAX), "finding"),
        if ending.is_clean() { "UNBROKEN" } else { "BROKEN" },
    ));
    let mut out = Output::new();
    if as_json {
        out.json(&figures(ending, &struck))?;
    }
    out.flush()
}

/// The table of `docs/reference/crash-points.md`.
pub(super) fn list() -> Result<(), CliError> {
    let mut out = Output::new();
    out.line("| on the way | point | what is on disk |")?;
    out.line("| --- | --- | --- |")?;
    for Spot { when, name, edge } in spots() {
        out.line(&format!("| {} | `{name}` | {edge} |", when.name()))?;
    }
    out.flush()
}

fn figures(ending: &Ending, struck: &BTreeMap<Spot, u64>) -> Value {
    let spots: Vec<Value> = struck
        .iter()
        .map(|(spot, struck)| {
            json!({ "when": spot.when.name(), "point": spot.name, "struck": struck })
        })
        .collect();
    let stored = |outcome: &Outcome| {
        outcome.judgement.as_ref().map_or(0, |judged| judged.verdict.events_stored)
    };
    json!({
        "clean": ending.is_clean(), "findings": ending.findings(), "seed": ending.seed,
        "kills": struck.values().sum::<u64>(), "kills_from_outside": ending.sum(|o| o.others),
        "logs_repaired": ending.sum(|outcome| outcome.repaired), "courses": ending.done.len(),
        "events_stored": ending.sum(stored), "spots": spots,
        "elapsed_ms": millis(ending.elapsed), "dir": ending.dir.display().to_string(),
    })
}

fn repairs(outcome: &Outcome) -> String {
    format!("{} repaired", counted(outcome.repaired, "log"))
}

fn vendor_name(course: &Course) -> &'static str {
    match course.vendor {
        (VendorKind::Genesys, _) => "genesys",
        (VendorKind::CxonePoll, _) => "cxone-poll",
        (VendorKind::Cxone, NumberingArg::None) => "cxone without numbers",
        (VendorKind::Cxone, NumberingArg::Contiguous) => "cxone",
        (VendorKind::Cxone, _) => "cxone with holes in its numbers",
    }
}
