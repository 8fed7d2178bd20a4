//! The beginning and the end of the demo: what is about to happen, and what came of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use unbroken::render::{Paint, count, counted, duration_ms, millis};
use unbroken::words::cause_plainly_by_name;
use unbroken_core::time::UnixMicros;

use super::tally::Tally;
use crate::cli::error::CliError;
use crate::cli::judgement::{Judgement, explain, figures_json};
use crate::cli::output::{Output, say};
use crate::cli::screen::Screen;
use crate::cli::vendor::VendorSettings;

/// Two lines that say what is about to happen.
pub(super) struct Header<'a> {
    pub(super) settings: &'a VendorSettings,
    pub(super) duration: Duration,
    pub(super) dir: &'a Path,
}

impl Header<'_> {
    pub(super) fn show(&self, screen: &mut Screen) {
        let (settings, faults) = (self.settings.common(), &self.settings.faults);
        let ways = match faults.len() {
            0 => "without a fault".to_owned(),
            n => format!("and breaks in {}", counted(u64::try_from(n).unwrap_or(0), "way")),
        };
        let (agents, rate) = (u64::from(settings.agents), settings.rate);
        screen.line(&format!(
            "A made-up contact centre, {}, {rate} events a second, runs for {} {ways} (seed {}).",
            counted(agents, "agent"),
            duration_ms(millis(self.duration)),
            settings.seed,
        ));
        let dir = self.dir.display();
        screen.line(&format!(
            "Unbroken records it over real sockets into {dir}. Each line: a fault, its recovery.\n",
        ));
    }
}

/// Everything that is known at the end.
pub(super) struct Ending {
    pub(super) judgement: Judgement,
    pub(super) tally: Tally,
    pub(super) pairs: Option<Tally>,
    pub(super) settings: VendorSettings,
    pub(super) dir: PathBuf,
    pub(super) began_at: UnixMicros,
    pub(super) elapsed: Duration,
    pub(super) emitted: u64,
    pub(super) quiet: bool,
    pub(super) interrupted: bool,
}

impl Ending {
    /// Every promise kept, every fault fired and recovered, at rest in time, and nobody cut it
    /// short.
    pub(super) fn is_clean(&self) -> bool {
        let mut figures = std::iter::once(&self.tally).chain(&self.pairs);
        let is_told = figures.all(Tally::is_settled);
        self.judgement.is_clean() && is_told && self.quiet && !self.interrupted
    }

    fn text(&self, paint: Paint) -> String {
        let mut text = format!(
            "\n{}\n",
            paint.bold("The verdict, from the log on disk held against what the vendor really did")
        );
        text.push_str(&explain(&self.judgement, paint));
        text.push_str(&self.faults_text(paint));
        text.push_str(&self.checks_text(paint));
        if self.judgement.gaps.total() > 0 {
            text.push_str("\nThe gap ledger: what the vendor would not give, or give proof of\n");
            text.push_str(&self.judgement.gaps.table(cause_plainly_by_name));
        }
        let _ = writeln!(text, "\n{}", self.conclusion(paint));
        text
    }

    fn faults_text(&self, paint: Paint) -> String {
        let (asked, fired, recovered) = self.tally.totals();
        let mut text = String::new();
        let open: BTreeSet<String> =
            self.tally.outstanding().into_iter().chain(self.tally.unrecovered()).collect();
        let mark = if open.is_empty() { paint.good("✔") } else { paint.bad("✘") };
        let _ = write!(
            text,
            "{mark} faults    {} of {}, {fired} times in all, {recovered} recovered",
            counted(asked, "kind"),
            if asked == 1 { "fault" } else { "faults" },
        );
        if let Some((median, slowest)) = self.tally.recovery_ms() {
            let (median, slowest) = (duration_ms(median), duration_ms(slowest));
            let _ = write!(text, "; from fault to live: {median} in the middle, {slowest} at most");
        }
        text.push('\n');
        for fault in open {
            let _ = writeln!(text, "            {fault} did not both fire and recover");
        }
        text.push_str(&self.pairs_text(paint));
        if !self.quiet {
            text.push_str("            when all was over it did not come to rest within 10 s\n");
        }
        text
    }

    fn pairs_text(&self, paint: Paint) -> String {
        let Some(pairs) = &self.pairs else { return String::new() };
        let (played, fired, recovered) = pairs.totals();
        let mark = if pairs.is_settled() { paint.good("✔") } else { paint.bad("✘") };
        let mut text = format!(
            "{mark} pairs     {} of {} played, {fired} times both fired, \
             {recovered} both recovered\n",
            count(played),
            counted(self.pairs_in_all(), "pair"),
        );
        for open in pairs.outstanding() {
            let _ = writeln!(text, "            {open} did not both fire and recover");
        }
        text
    }

    fn pairs_in_all(&self) -> u64 {
        let pairs = self.settings.pairs.as_ref().map_or(0, |pairs| pairs.list.len());
        u64::try_from(pairs).unwrap_or(u64::MAX)
    }

    fn checks_text(&self, paint: Paint) -> String {
        let checked = &self.judgement.checked;
        let mark = if checked.is_clean() { paint.good("✔") } else { paint.bad("✘") };
        let store = checked.store.as_ref().map_or(0, |store| store.rows_checked);
        format!(
            "{mark} verify    {} in the log read again, {} of the store compared with it\n",
            counted(checked.log.records, "record"),
            counted(store, "row"),
        )
    }

    fn conclusion(&self, paint: Paint) -> String {
        if self.is_clean() {
            return paint.good(
                "UNBROKEN: the record is whole, and where the vendor's was not, it says so.",
            );
        }
        let words = if self.interrupted { "CUT SHORT" } else { "BROKEN" };
        let mut reasons: Vec<String> = self
            .judgement
            .verdict
            .failures(self.judgement.stale_live_ms_bound)
            .iter()
            .map(|(figure, value)| format!("{figure} = {}", count(*value)))
            .collect();
        if self.judgement.history.as_ref().is_some_and(|history| !history.verdict.is_clean()) {
            reasons.push("facts of history are missing or too many".to_owned());
        }
        if !self.judgement.checked.is_clean() {
            reasons.push("verify found something".to_owned());
        }
        if let Some(open) = self.pairs.as_ref().map(Tally::outstanding).filter(|o| !o.is_empty()) {
            reasons.push(format!("pairs not told: {}", open.join(", ")));
        }
        if !self.quiet {
            reasons.push("it did not come to rest".to_owned());
        }
        if !self.tally.outstanding().is_empty() {
            reasons.push(format!("not told: {}", self.tally.outstanding().join(", ")));
        }
        paint.bad(&format!("{words}: {}", reasons.join("; ")))
    }

    fn look_text(&self) -> String {
        let dir = self.dir.display();
        format!(
            "\nLook at it yourself:\n  unbroken events --journal {dir} --format table | less\n  \
             unbroken gaps --journal {dir}\n  unbroken verify --journal {dir}\n  \
             sqlite3 {dir}/store.sqlite 'SELECT * FROM adherence_now LIMIT 10'\n\
             The same story again: --seed {} {}\n",
            self.settings.common().seed,
            self.settings.typed(),
        )
    }

    fn json(&self) -> Value {
        let mut object = figures_json(&self.judgement);
        let (_, _, recovered) = self.tally.totals();
        let more = json!({
            "recoveries": recovered,
            "faults": self.tally.to_json(),
            "pairs": self.pairs.as_ref().map(Tally::to_json),
            "pairs_in_all": self.pairs_in_all(),
            "quiet": self.quiet,
            "clean": self.is_clean(),
            "vendor": self.settings.vendor_name(),
            "seed": self.settings.common().seed,
            "numbering": self.settings.numbering_name(),
            "agents": self.settings.common().agents,
            "rate": self.settings.common().rate,
            "events_made": self.emitted,
            "elapsed_ms": millis(self.elapsed),
            "dir": self.dir.display().to_string(),
        });
        if let Value::Object(more) = more {
            object.extend(more);
        }
        Value::Object(object)
    }
}

/// For people; with `json`, stdout is for the object alone.
pub(super) fn print(ending: &Ending, json: bool, screen: &mut Screen) -> Result<(), CliError> {
    let mut out = Output::new();
    if json {
        say(&ending.text(screen.paint()));
        say(&ending.look_text());
        out.json(&ending.json())?;
    } else {
        out.text(&ending.text(Paint::of(&std::io::stdout())))?;
        out.text(&ending.look_text())?;
    }
    out.flush()?;
    if !ending.is_clean() {
        for example in &ending.judgement.verdict.examples {
            let position = example.position.as_deref().unwrap_or("no position");
            let at_s = (example.at_us - ending.began_at.0) as f64 / 1_000_000.0;
            say(&format!(
                "  {} at {at_s:.2} s: {position} of {}: {}\n",
                example.figure, example.agent, example.reason
            ));
        }
    }
    Ok(())
}
