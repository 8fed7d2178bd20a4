//! One demo from beginning to end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use unbroken::pipeline::Handle;
use unbroken::render::wall_now;
use unbroken::{Pipeline, config};
use unbroken_core::ids::StreamId;
use unbroken_core::machine::Timing;
use unbroken_sim::{Fault, Vendor};

use super::director::{Act, Director};
use super::play::Play;
use super::polling;
use super::report::{Ending, Header, print};
use super::story::Story;
use super::tally::Tally;
use super::watch::Watcher;
use crate::cli::answer::Answer;
use crate::cli::args::{DemoArgs, VendorKind};
use crate::cli::error::CliError;
use crate::cli::judgement::{Judgement, QUIESCENCE_MAX, is_quiet};
use crate::cli::logging;
use crate::cli::run::{runtime, stop_signal};
use crate::cli::screen::Screen;
use crate::cli::settings::{duration, fresh_dir};
use crate::cli::vendor::{SecretIn, VendorSettings, configuration};

/// How long the first live may take.
const FIRST_LIVE_MAX: Duration = Duration::from_secs(20);

/// How long faults that are still open when the play is over may take to recover.
const LAST_RECOVERIES_MAX: Duration = Duration::from_secs(15);

/// What was asked for.
struct Demo {
    duration: Duration,
    vendor: VendorSettings,
    dir: PathBuf,
    json: bool,
}

pub(crate) fn run(args: &DemoArgs) -> Result<Answer, CliError> {
    if args.kind == VendorKind::CxonePoll {
        return polling::run(args);
    }
    let demo = Demo {
        duration: duration("--duration", &args.duration)?,
        vendor: VendorSettings::of(args.kind, &args.vendor)?,
        dir: fresh_dir(args.dir.as_deref(), "unbroken-demo")?,
        json: args.json,
    };
    logging::init_if_wanted()?;
    runtime()?.block_on(perform(demo))
}

async fn perform(demo: Demo) -> Result<Answer, CliError> {
    let mut vendor = demo.vendor.start().await?;
    let mut screen = Screen::new();
    Header { settings: &demo.vendor, duration: demo.duration, dir: &demo.dir }.show(&mut screen);

    let began = Instant::now();
    let began_at = wall_now();
    let (acts, tally, pairs) = programme(&demo.vendor);
    let (watcher, mut seen) = mpsc::unbounded_channel();
    let mut news = vendor.told();
    let pipeline = start_pipeline(&vendor, &demo, Watcher(watcher))?;
    let handle = pipeline.handle();
    let streams = handle.status().sources.into_iter().flat_map(|source| source.streams);
    let streams = streams.map(|stream| StreamId::from(stream.stream.as_str()));
    let mut story = Story::new(began_at, streams, tally, pairs);
    let (stop, stopping) = oneshot::channel::<()>();
    let running = tokio::spawn(pipeline.until(async move {
        // Dropped or sent, it says the same.
        let _ = stopping.await;
    }));

    let mut play = Play::new(&vendor, &handle, &mut screen, &mut story, &mut seen, &mut news);
    let live = play.wait(FIRST_LIVE_MAX, |play| play.is_settled() || running.is_finished()).await;
    let director = Director::new(demo.vendor.common().seed, acts, demo.duration);
    let interrupted = live && play.act(director, stop_signal()?).await?;
    if !interrupted {
        play.wait(LAST_RECOVERIES_MAX, |play| play.story.open_in_all() == 0).await;
    }
    drop(play);
    screen.status("The vendor stops breaking, then falls silent; the record comes to rest …");
    let quiet = fall_silent(&demo, &mut vendor, &handle).await;
    drop(stop);
    screen.status("Reading the log back from disk, and holding it against the truth …");
    let stopped = running.await.map_err(|error| CliError::Task(error.to_string()))?;
    stopped?;
    let emitted = vendor.events_emitted();
    let truth = vendor.shutdown().await?;
    let (dir, naming) = (demo.dir.clone(), demo.vendor.naming());
    let judging = tokio::task::spawn_blocking(move || Judgement::of(&dir, &truth, naming));
    let judgement = judging.await.map_err(|error| CliError::Task(error.to_string()))??;

    screen.clear();
    let ending = Ending {
        judgement,
        tally: story.tally,
        pairs: story.pairs,
        settings: demo.vendor,
        dir: demo.dir,
        began_at,
        elapsed: began.elapsed(),
        emitted,
        quiet,
        interrupted,
    };
    print(&ending, demo.json, &mut screen)?;
    Ok(if ending.is_clean() { Answer::Yes } else { Answer::No })
}

/// What is to be played, and what is counted: of a sample only what was drawn, else all that was
/// asked for.
fn programme(vendor: &VendorSettings) -> (Vec<Act>, Tally, Option<Tally>) {
    let of_faults = || Tally::new(vendor.faults.iter().map(|fault| fault.name().to_owned()));
    let Some(pairs) = &vendor.pairs else {
        return (vendor.faults.iter().map(|fault| vec![*fault]).collect(), of_faults(), None);
    };
    let acts = pairs.list.iter().map(|pair| pair.to_vec()).collect();
    if pairs.is_sample {
        return (acts, Tally::default(), Some(Tally::default()));
    }
    let name = |[one, other]: &[Fault; 2]| format!("{one}+{other}");
    (acts, of_faults(), Some(Tally::new(pairs.list.iter().map(name))))
}

fn start_pipeline(vendor: &Vendor, demo: &Demo, watcher: Watcher) -> Result<Pipeline, CliError> {
    let text = configuration(vendor, &demo.vendor, &demo.dir, &SecretIn::Text);
    let config = config::parse(Path::new("demo"), &text)?;
    Ok(Pipeline::start(config, demo.vendor.common().seed, Arc::new(watcher))?)
}

/// Faults stop, then emission; then the pipeline may take [`QUIESCENCE_MAX`] to have it all. True:
/// it had.
async fn fall_silent(demo: &Demo, vendor: &mut Vendor, handle: &Handle) -> bool {
    vendor.stop_faults();
    let calm = Duration::from_millis(Timing::demo().audit_ms);
    tokio::time::sleep(calm).await;
    vendor.stop_emission();
    let newest_us = vendor.newest_event_us();
    let is_quiet = || is_quiet(&handle.status(), newest_us, demo.vendor.naming(), &demo.dir);
    let deadline = Instant::now() + QUIESCENCE_MAX;
    while Instant::now() < deadline {
        if is_quiet() {
            // One more audit: what is wrong in silence shows only there.
            let audit = Timing::demo().audit_ms + Timing::demo().grace_ms;
            tokio::time::sleep(Duration::from_millis(audit)).await;
            if is_quiet() {
                return true;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}
