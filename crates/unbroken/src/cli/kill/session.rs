//! One run of kills from beginning to end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::process::Child;
use unbroken::control::Status;
use unbroken::render::{Paint, count, millis, wall, wall_now};
use unbroken::words::cause_plainly_by_name;
use unbroken_core::machine::Timing;
use unbroken_core::time::UnixMicros;
use unbroken_sim::verdict::Death;

use super::files::{CONFIGURATION, Compared};
use super::vendor::{Meant, Running};
use crate::cli::answer::Answer;
use crate::cli::args::KillArgs;
use crate::cli::error::CliError;
use crate::cli::judgement::{Judgement, QUIESCENCE_MAX, explain, figures_json};
use crate::cli::output::{Output, say};
use crate::cli::run::runtime;
use crate::cli::service::Service;
use crate::cli::settings::{duration, fresh_dir};

/// How long the last life may take to become live.
const LAST_LIVE_MAX: Duration = Duration::from_secs(20);

/// Records that a sink is given while the service ends, on any machine.
const SINK_LAG_MAX: u64 = 100;

struct Kill {
    count: u32,
    life: (Duration, Duration),
    dir: PathBuf,
    json: bool,
}

/// What the lives of the service came to.
#[derive(Debug, Default)]
struct Lives {
    deaths: Vec<Death>,
    /// Lives that ended by themselves before they were killed.
    ended_early: u32,
    /// Lives that had become live when they were killed.
    killed_live: u32,
    stopped_in_time: bool,
    quiet: bool,
}

pub(crate) fn run(args: &KillArgs) -> Result<Answer, CliError> {
    let life = (duration("--life-min", &args.life_min)?, duration("--life-max", &args.life_max)?);
    let kill = Kill {
        count: args.count,
        life: (life.0.min(life.1), life.1),
        dir: fresh_dir(args.dir.as_deref(), "unbroken-kill")?,
        json: args.json,
    };
    runtime()?.block_on(perform(kill, Meant::of(args.kind, &args.vendor)?))
}

async fn perform(kill: Kill, vendor: Meant) -> Result<Answer, CliError> {
    let began = Instant::now();
    let mut vendor = vendor.start().await?;
    let seed = vendor.seed();
    let (kills, dir) = (kill.count, kill.dir.display());
    say(&format!(
        "killing a service {kills} times in the middle of a faulty run; seed {seed}, {dir}\n"
    ));
    let service = prepare(&kill, &vendor)?;
    vendor.play();
    let mut rng = Rng::with_seed(seed ^ 0x0dea_d000);
    let mut lives = Lives::default();
    for number in 1..=kill.count {
        live_and_die(&kill, &service, &mut rng, &mut lives).await?;
        if number % 10 == 0 {
            say(&format!("{number} kills, {} events made\n", count(vendor.events_emitted())));
        }
    }
    let child = service.start()?;
    lives.quiet = come_to_rest(&service, &mut vendor).await;
    lives.stopped_in_time = service.stop(child).await?;
    let witnesses = Judgement::read(&service.data_dir, vendor.naming(), &lives.deaths)?;
    let judgement = vendor.judge(&service.data_dir, witnesses).await?;
    let files = Compared::read(&kill.dir, &service.data_dir)?;
    let clean = judgement.is_clean()
        && files.is_same()
        && lives.ended_early == 0
        && lives.quiet
        && lives.stopped_in_time
        && count_u32(&lives.deaths) == kill.count;
    let ending = Ending { lives, judgement, files, clean, seed, elapsed: began.elapsed() };
    report(&kill, &ending)?;
    Ok(if clean { Answer::Yes } else { Answer::No })
}

/// One life: born, let live for a seeded while, killed.
async fn live_and_die(
    kill: &Kill,
    service: &Service,
    rng: &mut Rng,
    lives: &mut Lives,
) -> Result<(), CliError> {
    let born_us = wall_now().0;
    let mut child = service.start()?;
    let (shortest, longest) = (millis(kill.life.0), millis(kill.life.1));
    let life = Duration::from_millis(rng.u64(shortest..=longest));
    if tokio::time::timeout(life, child.wait()).await.is_ok() {
        lives.ended_early += 1;
        return Ok(());
    }
    let was_live = service.status().await.is_some_and(|status| status.is_live());
    lives.killed_live += u32::from(was_live);
    kill_now(&mut child).await?;
    lives.deaths.push(Death { born_us, died_us: wall_now().0, is_orderly: false });
    Ok(())
}

/// SIGKILL: nothing of the process runs any more.
pub(crate) async fn kill_now(child: &mut Child) -> Result<(), CliError> {
    child.kill().await.map_err(|source| CliError::Io { what: "killing the service", source })
}

/// Faults stop, then emission, then the service may take its time to have everything. True: it had.
pub(crate) async fn come_to_rest(service: &Service, vendor: &mut Running) -> bool {
    let live_by = Instant::now() + LAST_LIVE_MAX;
    vendor.stop_faults();
    while Instant::now() < live_by && !service.status().await.is_some_and(|s| s.is_live()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(Timing::demo().audit_ms)).await;
    vendor.stop_emission();
    let (mut quiet, quiet_by) = (false, Instant::now() + QUIESCENCE_MAX);
    while Instant::now() < quiet_by && !quiet {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let status = service.status().await;
        quiet = status.is_some_and(|status| vendor.is_quiet(&status, &service.data_dir));
    }
    let audit = Timing::demo().audit_ms + Timing::demo().grace_ms;
    tokio::time::sleep(Duration::from_millis(audit)).await;
    let (mut are_near, near_by) = (false, Instant::now() + QUIESCENCE_MAX);
    while Instant::now() < near_by && !are_near {
        are_near = service.status().await.is_some_and(|status| has_near_sinks(&status));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    quiet && are_near
}

/// A service that ends gives its sinks no more time than it takes to write a few records: on a busy
/// machine, where they go behind all others, they may be far from it.
fn has_near_sinks(status: &Status) -> bool {
    status.sinks.iter().all(|sink| sink.lag.is_some_and(|lag| lag < SINK_LAG_MAX))
}

/// Writes the service's configuration. The secret is not in it.
fn prepare(kill: &Kill, vendor: &Running) -> Result<Service, CliError> {
    let failed = |source| CliError::Io { what: "writing the service's configuration", source };
    std::fs::create_dir_all(&kill.dir).map_err(failed)?;
    let data_dir = kill.dir.join("data");
    let config = kill.dir.join("unbroken.toml");
    let text = vendor.configuration(Path::new("data")) + CONFIGURATION;
    std::fs::write(&config, text).map_err(failed)?;
    Ok(Service { config, data_dir, log: kill.dir.join("service.log"), secret: vendor.secret() })
}

/// What came of it all.
struct Ending {
    lives: Lives,
    judgement: Judgement,
    files: Compared,
    clean: bool,
    seed: u64,
    elapsed: Duration,
}

fn report(kill: &Kill, ending: &Ending) -> Result<(), CliError> {
    let Ending { lives, judgement, clean, seed, .. } = ending;
    let paint = Paint::of(&std::io::stderr());
    let mut text = explain(judgement, paint);
    text.push_str(&judgement.gaps.table(cause_plainly_by_name));
    text.push_str(&format!(
        "{} kills, {} of them while live; {} lives ended early; {} to rest; verify {}; \
         seed {seed}\n{}\n{}\n",
        lives.deaths.len(),
        lives.killed_live,
        lives.ended_early,
        if lives.quiet { "came" } else { "did NOT come" },
        if judgement.checked.is_clean() { "clean" } else { "NOT CLEAN" },
        ending.files.told(),
        if *clean { "UNBROKEN" } else { "BROKEN" },
    ));
    for example in judgement.verdict.examples.iter().filter(|_| !clean) {
        let position = example.position.as_deref().unwrap_or("no position");
        text.push_str(&format!(
            "  {} at {}: {position} of {}: {}\n",
            example.figure,
            wall(UnixMicros(example.at_us)),
            example.agent,
            example.reason
        ));
    }
    say(&text);
    let mut out = Output::new();
    if kill.json {
        out.json(&figures(kill, ending))?;
    }
    out.flush()
}

fn figures(kill: &Kill, ending: &Ending) -> Value {
    let Ending { lives, judgement, files, clean, seed, elapsed } = ending;
    let mut object = figures_json(judgement);
    let more = json!({
        "kills": lives.deaths.len(), "killed_live": lives.killed_live,
        "ended_early": lives.ended_early, "stopped_in_time": lives.stopped_in_time,
        "sink_is_same": files.is_same(), "sink_records": files.files.records,
        "quiet": lives.quiet, "clean": clean, "seed": seed, "elapsed_ms": millis(*elapsed),
        "dir": kill.dir.display().to_string(),
    });
    if let Value::Object(more) = more {
        object.extend(more);
    }
    Value::Object(object)
}

fn count_u32(deaths: &[Death]) -> u32 {
    u32::try_from(deaths.len()).unwrap_or(u32::MAX)
}
