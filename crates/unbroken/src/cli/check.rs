//! `unbroken check`: looks at a live source, without touching the record.

use std::io;

use serde_json::{Value, json};
use unbroken::config;
use unbroken::render::{Paint, duration_ms};
use unbroken_connect::probe::{Blame, Mismatch, Observation, Outcome, Step, Wish, observe};
use unbroken_connect::{Source, SourceConfig};

use super::answer::Answer;
use super::args::CheckArgs;
use super::error::CliError;
use super::output::Output;
use super::run::runtime;
use super::settings::duration;

pub(crate) fn run(args: &CheckArgs) -> Result<Answer, CliError> {
    let listen = duration("--for", &args.listen)?;
    let config = config::load(&args.config)?;
    let wish = Wish { listen, second: args.probe_second };
    let known: Vec<String> = config.sources.iter().map(|source| source.name.clone()).collect();
    let meant =
        |source: &SourceConfig| args.source.as_ref().is_none_or(|name| *name == source.name);
    let sources: Vec<SourceConfig> = config.sources.into_iter().filter(meant).collect();
    match &args.source {
        Some(name) if sources.is_empty() => {
            return Err(CliError::UnknownSource { name: name.clone(), known: known.join(", ") });
        }
        _ => {}
    }
    let mut well = true;
    let mut report = Report::new(args.json);
    for config in sources {
        let mut source = Source::new(config).map_err(CliError::Source)?;
        for stream in source.kinds() {
            source.look_at(&stream);
            well &= runtime()?.block_on(check(&source, wish, &mut report))?;
        }
    }
    report.finish()?;
    Ok(if well { Answer::Yes } else { Answer::No })
}

async fn check(source: &Source, wish: Wish, report: &mut Report) -> Result<bool, CliError> {
    report.begin(source)?;
    let mut failed = None;
    let mut tell = |step: &Step| {
        if failed.is_none() {
            failed = report.step(step).err();
        }
    };
    let observation = observe(source, wish, &mut tell).await;
    if let Some(error) = failed {
        return Err(error);
    }
    report.end(source, &observation)?;
    Ok(observation.is_well())
}

/// Each line as soon as it is known; or one JSON object at the end.
struct Report {
    out: Output,
    paint: Paint,
    json: bool,
    sources: Vec<Value>,
}

impl Report {
    fn new(json: bool) -> Self {
        let paint = Paint::of(&io::stdout());
        Self { out: Output::new(), paint, json, sources: Vec::new() }
    }

    fn begin(&mut self, source: &Source) -> Result<(), CliError> {
        if !self.json {
            self.out.line(&source.stream().to_string())?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), CliError> {
        if self.json {
            return Ok(());
        }
        let (word, time) = match step.outcome {
            Outcome::Good => (self.paint.good("ok  "), duration_ms(step.took_ms)),
            Outcome::Bad { .. } => (self.paint.bad("FAIL"), duration_ms(step.took_ms)),
            Outcome::Skipped => (self.paint.dim("skip"), String::new()),
        };
        let line = format!("  {word} {:<12} {}", step.name, step.what);
        let time = if time.is_empty() { time } else { format!(" ({time})") };
        self.out.line(&format!("{line}{time}"))?;
        if let Outcome::Bad { blame, hint } = &step.outcome {
            let whose = blame_word(*blame);
            self.out.line(&format!("       {} {whose}", self.paint.dim("lies with:")))?;
            self.out.line(&format!("       {} {hint}", self.paint.good("hint:")))?;
        }
        self.out.flush()
    }

    fn end(&mut self, source: &Source, found: &Observation) -> Result<(), CliError> {
        if self.json {
            self.sources.push(json!({
                "source": source.name(),
                "stream": source.stream().as_str(),
                "well": found.is_well(),
                "steps": found.steps.iter().map(step_json).collect::<Vec<_>>(),
                "mismatches": found.mismatches.iter().map(mismatch_json).collect::<Vec<_>>(),
            }));
            return Ok(());
        }
        for mismatch in &found.mismatches {
            let Mismatch { key, declared, seen, advice, .. } = mismatch;
            let word = match mismatch.is_wrong() {
                true => self.paint.bad("declared and not so:"),
                false => self.paint.warn("could declare more:"),
            };
            self.out.line(&format!("  {word} {key} = {declared}"))?;
            self.out.line(&format!("       {seen}"))?;
            self.out.line(&format!("       {} {advice}", self.paint.good("hint:")))?;
        }
        let verdict = if found.is_well() { "all well" } else { "not well: see above" };
        self.out.line(&format!("  {verdict}"))?;
        self.out.flush()
    }

    fn finish(mut self) -> Result<(), CliError> {
        if self.json {
            self.out.json(&json!({ "sources": self.sources }))?;
        }
        self.out.flush()
    }
}

fn blame_word(blame: Blame) -> &'static str {
    match blame {
        Blame::Configuration => "your settings, or what the vendor has granted you",
        Blame::Network => "the network between here and the vendor",
        Blame::Vendor => "the vendor",
        Blame::Profile => "the profile: it describes something else",
    }
}

fn step_json(step: &Step) -> Value {
    let (outcome, blame, hint) = match &step.outcome {
        Outcome::Good => ("good", None, None),
        Outcome::Skipped => ("skipped", None, None),
        Outcome::Bad { blame, hint } => {
            let word = match blame {
                Blame::Configuration => "configuration",
                Blame::Network => "network",
                Blame::Vendor => "vendor",
                Blame::Profile => "profile",
            };
            ("failed", Some(word), Some(hint))
        }
    };
    json!({
        "step": step.name, "outcome": outcome, "what": step.what, "took_ms": step.took_ms,
        "lies_with": blame, "hint": hint,
    })
}

fn mismatch_json(mismatch: &Mismatch) -> Value {
    json!({
        "key": mismatch.key, "declared": mismatch.declared, "seen": mismatch.seen,
        "hint": mismatch.advice, "wrong": mismatch.is_wrong(),
    })
}
