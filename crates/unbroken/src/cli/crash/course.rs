//! One vendor, one data directory, many deaths.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;
use tokio::process::Child;
use tokio::time::sleep;
use unbroken::crash::{Spot, When};
use unbroken::place;
use unbroken::render::wall_now;
use unbroken_core::time::UnixMicros;
use unbroken_sim::verdict::Death;

use super::life::{self, End};
use super::plan::{self, Strike};
use crate::cli::args::VendorArgs;
use crate::cli::error::CliError;
use crate::cli::follower::Follower;
use crate::cli::judgement::Judgement;
use crate::cli::kill::{Meant, Running, come_to_rest, kill_now};
use crate::cli::service::Service;

/// Some seals in each second, so that images and retention have work.
const SEGMENT_BYTES: u64 = 32 << 10;

/// Deletes after some seconds of records, and leaves the reader as many.
const RETAIN_BYTES_MAX: u64 = 512 << 10;

/// How often a point that did not come is tried again.
const TRIES_MAX: u32 = 4;

/// The shortest and the longest life before a stop or a kill from outside, in milliseconds.
const LIFE_MS: std::ops::Range<u64> = 200..900;

/// What came of a course.
#[derive(Default)]
pub(super) struct Outcome {
    /// How often each point was struck.
    pub(super) struck: BTreeMap<Spot, u64>,
    /// Kills from outside.
    pub(super) others: u64,
    /// Logs damaged and repaired.
    pub(super) repaired: u64,
    /// Strikes whose points were never passed.
    pub(super) missed: Vec<Strike>,
    /// What should not be, in words.
    pub(super) findings: Vec<String>,
    pub(super) judgement: Option<Judgement>,
}

impl Outcome {
    /// What was missed in so many courses is a finding.
    pub(super) fn give_up(&mut self, courses: u32) {
        let missed = self.missed.iter().map(|Strike { spot: Spot { name, when, .. }, .. }| {
            format!("{name} ({}) was passed in none of {courses} courses", when.name())
        });
        self.findings.extend(missed);
    }
}

/// A course under way.
pub(super) struct Course {
    pub(super) service: Service,
    pub(super) rng: Rng,
    pub(super) outcome: Outcome,
    born_us: i64,
    deaths: Vec<Death>,
    pub(super) repairs: Vec<UnixMicros>,
    follower: Option<Follower>,
    /// How the last life ended: in order, with nothing written ahead.
    is_closed: bool,
}

/// Runs a course in a directory of its own.
pub(super) async fn run(
    plan: plan::Course,
    vendor: VendorArgs,
    dir: PathBuf,
) -> Result<(plan::Course, Outcome), CliError> {
    let vendor = VendorArgs { seed: plan.seed, numbering: plan.vendor.1, ..vendor };
    let mut vendor = Meant::of(plan.vendor.0, &vendor)?.start().await?;
    let service = prepare(&plan, &vendor, &dir)?;
    vendor.play();
    let mut course = Course {
        service,
        rng: Rng::with_seed(plan.seed),
        outcome: Outcome::default(),
        born_us: wall_now().0,
        deaths: Vec::new(),
        repairs: Vec::new(),
        follower: None,
        is_closed: false,
    };
    for strike in &plan.first {
        course.start_anew()?;
        if course.strike(strike).await? != End::Struck {
            course.outcome.missed.push(*strike);
        }
    }
    if plan.retains {
        let data_dir = course.service.data_dir.clone();
        course.follower = Some(Follower::start(data_dir, vendor.naming())?);
    }
    course.live(&plan).await?;
    course.finish(vendor).await.map(|outcome| (plan, outcome))
}

impl Course {
    /// Strikes what is planned.
    async fn live(&mut self, plan: &plan::Course) -> Result<(), CliError> {
        let mut mends = plan.mends.clone();
        let mut lives: VecDeque<(Strike, u32)> =
            plan.lives.iter().map(|strike| (*strike, 1)).collect();
        // A log of some length has more to put aside.
        let half = lives.len() / 2;
        while let Some((strike, tries)) = lives.pop_front() {
            if self.strike(&strike).await? != End::Struck {
                if tries < TRIES_MAX {
                    lives.push_back((strike, tries + 1));
                } else {
                    self.outcome.missed.push(strike);
                }
            }
            if lives.len() == half && !mends.is_empty() {
                self.mend(&mut mends).await?;
            }
        }
        for _ in 0..TRIES_MAX {
            if mends.is_empty() {
                break;
            }
            self.mend(&mut mends).await?;
        }
        self.outcome.missed.append(&mut mends);
        Ok(())
    }

    /// One life and its death.
    async fn strike(&mut self, strike: &Strike) -> Result<End, CliError> {
        let Strike { spot, nth } = strike;
        let name = spot.name;
        match (spot.when, name) {
            (_, "segment-extended") if !self.is_closed => self.stop_in_order().await?,
            (_, "tail-cut") => self.prepare_by("batch-torn:3").await?,
            (_, "unfinished-removed" | "unfinished-removal-synced") => {
                self.prepare_by("published-written:1").await?;
            }
            (When::NoStore, _) => self.remove_store()?,
            _ => {}
        }
        let end = match spot.when {
            When::Stop => self.die_stopping(name).await?,
            _ => self.die_at(&format!("{name}:{nth}")).await?,
        };
        if end == End::Struck {
            *self.outcome.struck.entry(*spot).or_default() += 1;
        }
        Ok(end)
    }

    /// A death that leaves what another one needs.
    async fn prepare_by(&mut self, aim: &str) -> Result<(), CliError> {
        self.die_at(aim).await?;
        self.outcome.others += 1;
        Ok(())
    }

    fn begin(&mut self, aim: Option<&str>) -> Result<Child, CliError> {
        self.born_us = wall_now().0;
        life::start(&self.service, aim)
    }

    /// A life with an aim.
    async fn die_at(&mut self, aim: &str) -> Result<End, CliError> {
        let child = self.begin(Some(aim))?;
        let end = life::end(child).await?;
        self.note(end, aim);
        Ok(end)
    }

    /// A life that is told to stop, and does not come to its end.
    async fn die_stopping(&mut self, name: &str) -> Result<End, CliError> {
        let aim = format!("drained>{name}:1");
        let child = self.begin(Some(&aim))?;
        self.be_up().await;
        // If it does not hear, it is killed from outside when its time is over.
        let _ = self.service.tell_to_stop().await;
        let end = life::end(child).await?;
        self.note(end, &aim);
        self.is_closed = matches!(name, "log-closed" | "sync-begun" | "synced" | "store-closed");
        Ok(end)
    }

    /// A life that ends as it should.
    pub(super) async fn stop_in_order(&mut self) -> Result<(), CliError> {
        let child = self.begin(None)?;
        self.be_up().await;
        if self.service.stop(child).await? {
            self.is_closed = true;
        } else {
            self.finding("a service did not stop in time".to_owned());
        }
        Ok(())
    }

    /// A life that is ended from outside, wherever it is.
    pub(super) async fn kill_somewhere(&mut self) -> Result<(), CliError> {
        let mut child = self.begin(None)?;
        self.be_up().await;
        kill_now(&mut child).await?;
        self.outcome.others += 1;
        self.died();
        Ok(())
    }

    /// Until it answers, and some time more.
    async fn be_up(&mut self) {
        for _ in 0..200 {
            if self.service.status().await.is_some() {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_millis(self.rng.u64(LIFE_MS))).await;
    }

    fn note(&mut self, end: End, aim: &str) {
        self.is_closed = false;
        match end {
            End::Struck => {}
            // It was told to stop, and has closed its log.
            End::Missed => return,
            End::Late => self.outcome.others += 1,
            End::Fell(code) => {
                let code = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
                self.finding(format!("a service aimed at {aim} ended by itself: {code}"));
            }
        }
        self.died();
    }

    fn died(&mut self) {
        let now = wall_now();
        self.is_closed = false;
        self.deaths.push(Death { born_us: self.born_us, died_us: now.0, is_orderly: false });
        if let Some(follower) = &self.follower {
            follower.died(now);
        }
    }

    pub(super) fn finding(&mut self, text: String) {
        self.outcome.findings.push(text);
    }

    /// There is no log yet that holds anything: it may be made once more.
    fn start_anew(&self) -> Result<(), CliError> {
        if self.service.data_dir.is_dir() {
            fs::remove_dir_all(&self.service.data_dir).map_err(io_failed)?;
        }
        Ok(())
    }

    fn remove_store(&self) -> Result<(), CliError> {
        let store = place::store_path(&self.service.data_dir);
        for ending in ["", "-wal", "-shm"] {
            match fs::remove_file(format!("{}{ending}", store.display())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_failed(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The last life, which may take its time, and the verdict.
    async fn finish(mut self, mut vendor: Running) -> Result<Outcome, CliError> {
        let child = self.begin(None)?;
        if !come_to_rest(&self.service, &mut vendor).await {
            self.finding("the last life did not come to rest".to_owned());
        }
        if !self.service.stop(child).await? {
            self.finding("the last life did not stop in time".to_owned());
        }
        let data_dir = self.service.data_dir.clone();
        let mut witnesses = match self.follower.take() {
            Some(follower) => {
                let mut witnesses = follower.finish()?;
                witnesses.bury(&self.deaths);
                witnesses
            }
            None => Judgement::read(&data_dir, vendor.naming(), &self.deaths)?,
        };
        witnesses.cut(&self.repairs);
        let is_polled = matches!(vendor, Running::Polled(..));
        let mut judgement = vendor.judge(&data_dir, witnesses).await?;
        if self.outcome.repaired > 0 && is_polled {
            // A repair cuts what had been read, and an answer that was taken is not given again:
            // that it is in the ledger is what can be asked for.
            judgement.verdict.lost = 0;
        }
        if !judgement.is_clean() {
            self.finding("the record is not clean".to_owned());
        }
        for left in left_over(&data_dir).map_err(io_failed)? {
            self.finding(format!("{left} was left behind"));
        }
        self.outcome.judgement = Some(judgement);
        Ok(self.outcome)
    }
}

/// What interrupted lives have left that a whole one did not clear away.
fn left_over(data_dir: &Path) -> io::Result<Vec<String>> {
    let mut left = Vec::new();
    for dir in [data_dir.to_owned(), place::journal_dir(data_dir)] {
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.contains(".unfinished") || name.contains(".rebuilding") {
                left.push(name);
            }
        }
    }
    Ok(left)
}

/// Writes the service's configuration. The secret is not in it.
fn prepare(plan: &plan::Course, vendor: &Running, dir: &Path) -> Result<Service, CliError> {
    fs::create_dir_all(dir).map_err(io_failed)?;
    let config = dir.join("unbroken.toml");
    let mut text = vendor.configuration(Path::new("data"));
    text.push_str(&format!("\n[journal]\nsegment_bytes = {SEGMENT_BYTES}\n"));
    if plan.retains {
        text.push_str(&format!("retain_bytes_max = {RETAIN_BYTES_MAX}\n"));
    }
    fs::write(&config, text).map_err(io_failed)?;
    let (data_dir, log) = (dir.join("data"), dir.join("service.log"));
    Ok(Service { config, data_dir, log, secret: vendor.secret() })
}

pub(super) fn io_failed(source: io::Error) -> CliError {
    CliError::Io { what: "preparing a course", source }
}
