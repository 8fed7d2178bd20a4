//! The demo of a source that is polled: a vendor that is asked again and again, and breaks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use unbroken::render::{Paint, counted, duration_ms, millis};
use unbroken::{Pipeline, config, pipeline};
use unbroken_sim::verdict::Outcome;
use unbroken_sim::{PollFault, PollVendor};

use super::watch::Watcher;
use crate::cli::answer::Answer;
use crate::cli::args::DemoArgs;
use crate::cli::error::CliError;
use crate::cli::judgement::{Judgement, Naming, QUIESCENCE_MAX, explain, figures_json};
use crate::cli::logging;
use crate::cli::output::{Output, say};
use crate::cli::run::{runtime, stop_signal};
use crate::cli::screen::Screen;
use crate::cli::settings::{duration, fresh_dir};
use crate::cli::vendor::{PolledSettings, SecretIn};

/// The record's one stream.
const STREAM: &str = "demo/states";
/// How long the first live may take, and each recovery.
const RECOVERY_MAX: Duration = Duration::from_secs(20);
/// A short demo goes on for so long at the most until each fault was seen: each takes a second.
const EXTENDED: Duration = Duration::from_secs(60);
/// The stream must have been live for so long before the next fault strikes.
const SETTLED: Duration = Duration::from_millis(300);
/// Between two looks at everything.
const LOOK_EVERY: Duration = Duration::from_millis(20);

struct Demo {
    duration: Duration,
    vendor: PolledSettings,
    dir: PathBuf,
    json: bool,
}

/// What became of a fault.
#[derive(Debug, Default, Clone, Copy)]
struct Told {
    fired: u64,
    recovered: u64,
    slowest_ms: u64,
}

type Tally = BTreeMap<PollFault, Told>;

pub(super) fn run(args: &DemoArgs) -> Result<Answer, CliError> {
    let demo = Demo {
        duration: duration("--duration", &args.duration)?,
        vendor: PolledSettings::of(&args.vendor)?,
        dir: fresh_dir(args.dir.as_deref(), "unbroken-demo")?,
        json: args.json,
    };
    logging::init_if_wanted()?;
    runtime()?.block_on(perform(demo))
}

async fn perform(demo: Demo) -> Result<Answer, CliError> {
    let vendor = PollVendor::start(demo.vendor.settings.clone()).await?;
    let mut screen = Screen::new();
    screen.line(&format!(
        "A made-up contact centre, {}, asked every {} ms for {}, breaks in {} (seed {}).",
        counted(u64::from(demo.vendor.settings.agents), "agent"),
        demo.vendor.interval_ms(),
        duration_ms(millis(demo.duration)),
        counted(demo.vendor.faults.len() as u64, "way"),
        demo.vendor.settings.seed,
    ));
    let began = Instant::now();
    // What is told on the way is for another kind of story; the record is judged at the end.
    let (watcher, _) = mpsc::unbounded_channel();
    let text = PolledSettings::configuration(&vendor, &demo.dir, &SecretIn::Text);
    let config = config::parse(Path::new("demo"), &text)?;
    let pipeline = Pipeline::start(config, demo.vendor.settings.seed, Arc::new(Watcher(watcher)))?;
    let handle = pipeline.handle();
    let (stop, stopping) = oneshot::channel::<()>();
    let running = tokio::spawn(pipeline.until(async move {
        // Dropped or sent, it says the same.
        let _ = stopping.await;
    }));
    let mut tally: Tally =
        demo.vendor.faults.iter().map(|fault| (*fault, Told::default())).collect();
    let interrupted = {
        let stopped = stop_signal()?;
        tokio::pin!(stopped);
        tokio::select! {
            () = &mut stopped => true,
            () = play(&demo, &vendor, &handle, &mut tally, &mut screen) => false,
        }
    };
    let quiet = fall_silent(&vendor, &handle).await;
    drop(stop);
    running.await.map_err(|error| CliError::Task(error.to_string()))??;
    let truth = vendor.truth();
    drop(vendor);
    let dir = demo.dir.clone();
    let judging = tokio::task::spawn_blocking(move || {
        let witnesses = Judgement::read(&dir, Naming::Plain, &[])?;
        Judgement::of_polled(witnesses, &dir, &truth, &PolledSettings::timing())
    });
    let judgement = judging.await.map_err(|error| CliError::Task(error.to_string()))??;
    screen.clear();
    let ending = Ending { judgement, tally, quiet, interrupted, elapsed: began.elapsed() };
    ending.print(&demo, &screen)?;
    Ok(if ending.is_clean() { Answer::Yes } else { Answer::No })
}

/// One fault after the other, in an order of the seed's, until time is over and each was seen.
async fn play(
    demo: &Demo,
    vendor: &PollVendor,
    handle: &pipeline::Handle,
    tally: &mut Tally,
    screen: &mut Screen,
) {
    let mut rng = fastrand::Rng::with_seed(demo.vendor.settings.seed ^ 0x9011);
    let began = Instant::now();
    let mut order: Vec<PollFault> = Vec::new();
    if !until(RECOVERY_MAX, || is_live(handle) && vendor.is_calm()).await {
        return;
    }
    loop {
        settled(vendor, handle).await;
        let is_told = tally.values().all(|told| told.recovered > 0);
        let limit = (3 * demo.duration).max(EXTENDED);
        if began.elapsed() >= demo.duration && (is_told || began.elapsed() >= limit) {
            return;
        }
        if order.is_empty() {
            order.clone_from(&demo.vendor.faults);
            rng.shuffle(&mut order);
        }
        let Some(fault) = order.pop() else {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        };
        let before = vendor.fired().get(&fault).copied().unwrap_or(0);
        let struck = Instant::now();
        vendor.inject(fault);
        let over = || is_live(handle) && vendor.is_calm();
        let recovered = until(RECOVERY_MAX, over).await;
        vendor.stop_faults();
        let fired = vendor.fired().get(&fault).copied().unwrap_or(0) > before;
        let took_ms = millis(struck.elapsed());
        let told = tally.entry(fault).or_default();
        told.fired += u64::from(fired);
        told.recovered += u64::from(fired && recovered);
        told.slowest_ms = told.slowest_ms.max(took_ms);
        let end = if recovered { "live again" } else { "NOT live again" };
        let at_s = began.elapsed().as_secs_f64();
        screen.line(&format!("{at_s:>7.1} s  {:<20} {end} after {took_ms} ms", fault.name()));
    }
}

/// Live, and left alone, for a moment: what follows shall be the next fault's doing.
async fn settled(vendor: &PollVendor, handle: &pipeline::Handle) {
    let mut since = Instant::now();
    let deadline = Instant::now() + RECOVERY_MAX;
    while since.elapsed() < SETTLED && Instant::now() < deadline {
        if !is_live(handle) || !vendor.is_calm() {
            since = Instant::now();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn until(limit: Duration, done: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        tokio::time::sleep(LOOK_EVERY).await;
        if done() {
            return true;
        }
    }
    false
}

fn is_live(handle: &pipeline::Handle) -> bool {
    handle.board().stream(STREAM).is_some_and(|stream| stream.is_live())
}

/// Faults stop, then changes; then the pipeline may take [`QUIESCENCE_MAX`] to be live, and has two
/// audits to find what is wrong. True: it was live at the end, without an open row.
async fn fall_silent(vendor: &PollVendor, handle: &pipeline::Handle) -> bool {
    vendor.stop_faults();
    let audit = Duration::from_millis(
        PolledSettings::timing().audit_ms + PolledSettings::timing().grace_ms,
    );
    tokio::time::sleep(audit).await;
    vendor.stop_emission();
    let quiet = || {
        let stream = handle.board().stream(STREAM);
        stream.is_some_and(|stream| stream.is_live() && stream.gaps_open == 0)
    };
    until(QUIESCENCE_MAX, quiet).await;
    tokio::time::sleep(2 * audit).await;
    until(QUIESCENCE_MAX, quiet).await
}

struct Ending {
    judgement: Judgement,
    tally: Tally,
    quiet: bool,
    interrupted: bool,
    elapsed: Duration,
}

impl Ending {
    fn is_clean(&self) -> bool {
        let is_told =
            self.tally.values().all(|told| told.fired > 0 && told.recovered == told.fired);
        let is_whole = self.judgement.is_clean() && self.drift() <= self.drift_max();
        is_whole && is_told && self.quiet && !self.interrupted
    }

    /// What an audit had to find.
    fn drift(&self) -> u64 {
        self.judgement.gaps.ended_as(Outcome::Drift)
    }

    /// As often agents were removed, which no answer tells: this vendor shows everything else to
    /// whoever asks with the overlap.
    fn drift_max(&self) -> u64 {
        self.tally.get(&PollFault::AgentsChange).map_or(0, |told| told.fired)
    }

    fn text(&self, paint: Paint) -> String {
        let mut text = explain(&self.judgement, paint);
        for (fault, told) in &self.tally {
            if told.fired == 0 || told.recovered < told.fired {
                text.push_str(&format!("✘ {fault} did not both fire and recover\n"));
            }
        }
        if self.drift() > self.drift_max() {
            let rows = counted(self.drift() - self.drift_max(), "row");
            text.push_str(&format!("✘ {rows} of drift: answers had shown it, or would have\n"));
        }
        text.push_str(&match self.is_clean() {
            true => paint.good("UNBROKEN: every state that an answer showed is recorded, once.\n"),
            false => paint.bad("BROKEN\n"),
        });
        text
    }

    fn json(&self, demo: &Demo) -> Value {
        let mut object = figures_json(&self.judgement);
        let faults: BTreeMap<&str, Value> = self
            .tally
            .iter()
            .map(|(fault, told)| {
                let Told { fired, recovered, slowest_ms } = told;
                let told = json!({
                    "fired": fired,
                    "recovered": recovered,
                    "recovery_ms_max": slowest_ms,
                });
                (fault.name(), told)
            })
            .collect();
        let more = json!({
            "vendor": "cxone-poll",
            "drift_rows": self.drift(),
            "drift_rows_max": self.drift_max(),
            "faults": faults,
            "quiet": self.quiet,
            "clean": self.is_clean(),
            "seed": demo.vendor.settings.seed,
            "agents": demo.vendor.settings.agents,
            "rate": demo.vendor.settings.rate,
            "elapsed_ms": millis(self.elapsed),
            "dir": demo.dir.display().to_string(),
        });
        if let Value::Object(more) = more {
            object.extend(more);
        }
        Value::Object(object)
    }

    fn print(&self, demo: &Demo, screen: &Screen) -> Result<(), CliError> {
        let mut out = Output::new();
        if demo.json {
            say(&self.text(screen.paint()));
            out.json(&self.json(demo))?;
        } else {
            out.text(&self.text(Paint::of(&std::io::stdout())))?;
        }
        out.flush()?;
        for example in &self.judgement.verdict.examples {
            say(&format!("{}: {}: {}", example.figure, example.agent, example.reason));
        }
        Ok(())
    }
}
