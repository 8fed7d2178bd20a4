//! One soak from beginning to end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::time::{MissedTickBehavior, interval};
use unbroken::control::Status;
use unbroken::render::{counted, millis};
use unbroken_core::machine::Timing;
use unbroken_sim::{Fault, Vendor};

use super::course::{Course, Look};
use super::measure::Use;
use super::report::{self, Ending};
use crate::cli::answer::Answer;
use crate::cli::args::{SoakArgs, SoakKind, VendorKind};
use crate::cli::error::CliError;
use crate::cli::follower::Follower;
use crate::cli::judgement::{Judgement, Naming, QUIESCENCE_MAX, has_all, is_at_rest};
use crate::cli::output::say;
use crate::cli::run::runtime;
use crate::cli::service::Service;
use crate::cli::settings::{duration, fresh_dir};
use crate::cli::vendor::{SecretIn, VendorSettings, configuration};

/// How long the first live may take, and the last one after the faults.
const LIVE_MAX: Duration = Duration::from_secs(20);

/// The log is kept below this size: some minutes of a soak, so that retention has work to do.
const RETAIN_BYTES_MAX: u64 = 256 << 20;

/// Small segments are deleted, and images written, often.
const SEGMENT_BYTES: u64 = 16 << 20;

/// A soak as meant.
pub(super) struct Soak {
    pub(super) duration: Duration,
    fault_every: Duration,
    look_every: Duration,
    pub(super) vendor: VendorSettings,
    pub(super) dir: PathBuf,
    pub(super) json: bool,
}

pub(crate) fn run(args: &SoakArgs) -> Result<Answer, CliError> {
    let kind = match args.kind {
        SoakKind::Cxone => VendorKind::Cxone,
        SoakKind::Genesys => VendorKind::Genesys,
    };
    let soak = Soak {
        duration: duration("--duration", &args.duration)?,
        fault_every: duration("--fault-every", &args.fault_every)?,
        look_every: duration("--look-every", &args.look_every)?,
        vendor: VendorSettings::of(kind, &args.vendor)?,
        dir: fresh_dir(args.dir.as_deref(), "unbroken-soak")?,
        json: args.json,
    };
    runtime()?.block_on(perform(soak))
}

async fn perform(soak: Soak) -> Result<Answer, CliError> {
    let mut vendor = soak.vendor.start().await?;
    say(&format!(
        "{} of {} a second by {}, with a fault every {} s; seed {}, {}\n",
        counted(soak.duration.as_secs(), "second"),
        counted(soak.vendor.common().rate as u64, "event"),
        soak.vendor.vendor_name(),
        soak.fault_every.as_secs_f64(),
        soak.vendor.common().seed,
        soak.dir.display(),
    ));
    let service = prepare(&soak, &vendor)?;
    let child = service.start()?;
    let pid = child.id().ok_or_else(|| CliError::Task("the service did not start".to_owned()))?;
    wait(&service, LIVE_MAX, Status::is_live).await;
    let follower = Follower::start(service.data_dir.clone(), soak.vendor.naming())?;
    let (course, injected) = watch(&soak, &service, &vendor, pid).await?;
    let quiet = come_to_rest(&soak, &service, &mut vendor, &follower).await;
    let stopped_in_time = service.stop(child).await?;
    let fired = vendor.fault_counts().values().map(|count| count.fired).sum();
    let witnesses = follower.finish()?;
    let truth = vendor.shutdown().await?;
    let data_dir = service.data_dir.clone();
    let judging = tokio::task::spawn_blocking(move || {
        Judgement::of_witnesses(witnesses, &data_dir, &truth, &Timing::demo())
    });
    let judgement = judging.await.map_err(|error| CliError::Task(error.to_string()))??;
    let ending = Ending { soak, course, injected, fired, quiet, stopped_in_time, judgement };
    report::print(&ending)?;
    Ok(if ending.is_clean() { Answer::Yes } else { Answer::No })
}

/// Injects and looks until the time is over.
async fn watch(
    soak: &Soak,
    service: &Service,
    vendor: &Vendor,
    pid: u32,
) -> Result<(Course, u64), CliError> {
    let began = Instant::now();
    let mut rng = Rng::with_seed(soak.vendor.common().seed ^ 0x50a4_0000);
    let (mut round, mut injected, mut course) = (Vec::new(), 0, Course::default());
    let mut faults = every(soak.fault_every);
    let mut looks = every(soak.look_every);
    let over = tokio::time::sleep(soak.duration);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => break,
            _ = faults.tick() => {
                if let Some(fault) = next_fault(&mut round, &soak.vendor.faults, &mut rng) {
                    vendor.inject(fault)?;
                    injected += 1;
                }
            }
            _ = looks.tick() => {
                let failed = |source| CliError::Io { what: "looking at the service", source };
                let used = Use::of(pid).map_err(failed)?;
                let events = events(service.status().await.as_ref());
                let look = Look { at_ms: millis(began.elapsed()), events, used };
                report::tell(&look, course.looks.len());
                course.looks.push(look);
            }
        }
    }
    Ok((course, injected))
}

/// Every fault once a round, each round in another order.
fn next_fault(round: &mut Vec<Fault>, all: &[Fault], rng: &mut Rng) -> Option<Fault> {
    if round.is_empty() {
        *round = all.to_vec();
        rng.shuffle(round);
    }
    round.pop()
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn events(status: Option<&Status>) -> u64 {
    let sources = status.iter().flat_map(|status| &status.sources);
    sources.flat_map(|source| &source.streams).map(|stream| stream.events).sum()
}

/// Faults stop, then emission; then the service may take its time to have everything. True: it had.
async fn come_to_rest(
    soak: &Soak,
    service: &Service,
    vendor: &mut Vendor,
    follower: &Follower,
) -> bool {
    let audit_ms = Timing::demo().audit_ms + Timing::demo().grace_ms;
    vendor.stop_faults();
    wait(service, LIVE_MAX, Status::is_live).await;
    tokio::time::sleep(Duration::from_millis(audit_ms)).await;
    vendor.stop_emission();
    let newest_us = vendor.newest_event_us();
    let has_all = |status: &Status| match soak.vendor.naming() {
        Naming::Plain => has_all(status, newest_us),
        // Its events have no time, and its history is asked after a while.
        Naming::ByKind => is_at_rest(status) && follower.is_settled(status.next_offset),
    };
    let quiet = wait(service, QUIESCENCE_MAX, has_all).await;
    // What is wrong in silence shows in the next audit only.
    tokio::time::sleep(Duration::from_millis(audit_ms)).await;
    quiet
}

/// Waits until the service's status is as wanted. False: it did not become so in time.
async fn wait(service: &Service, max: Duration, wanted: impl Fn(&Status) -> bool) -> bool {
    let deadline = Instant::now() + max;
    loop {
        if service.status().await.is_some_and(|status| wanted(&status)) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Writes the service's configuration. The secret is not in it.
fn prepare(soak: &Soak, vendor: &Vendor) -> Result<Service, CliError> {
    let failed = |source| CliError::Io { what: "writing the service's configuration", source };
    std::fs::create_dir_all(&soak.dir).map_err(failed)?;
    let config = soak.dir.join("unbroken.toml");
    let mut text = configuration(vendor, &soak.vendor, Path::new("data"), &SecretIn::Environment);
    text.push_str(&format!(
        "\n[journal]\nretain_bytes_max = {RETAIN_BYTES_MAX}\nsegment_bytes = {SEGMENT_BYTES}\n"
    ));
    std::fs::write(&config, text).map_err(failed)?;
    Ok(Service {
        config,
        data_dir: soak.dir.join("data"),
        log: soak.dir.join("service.log"),
        secret: vendor.credentials.client_secret.clone(),
    })
}
