//! Rounds of both servers with each number of clients.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use super::house::Kind;
use super::outcome::{Outcome, delays};
use super::page;
use crate::Failure;
use crate::paths::{make_empty, remove};
use crate::process::{CORE_OF_THE_SERVER, CORE_UNDER_TEST, Talker, pinned, stat};

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Fanout {
    pub(crate) rounds: usize,
    /// Numbers of clients.
    pub(crate) crowds: Vec<usize>,
    /// Told in a run at full speed, to all clients together.
    pub(crate) told: usize,
    /// Where the summary goes.
    pub(crate) out: PathBuf,
}

/// Events of one unit of the log at full speed: a burst.
const BATCH: usize = 16;

/// At full speed at least so many units are written.
const UNITS_MIN: usize = 64;

/// At a fixed rate, to all clients together, per second: a third or less of what both can do.
const TOLD_PER_S: usize = 10_000;

/// The most units per second at a fixed rate: each is a sync.
const UNITS_PER_S_MAX: usize = 500;

/// A run at a fixed rate is as long as this part of one second's commits allows.
const PACED_S: usize = 4;

/// What is to be sent in one run.
#[derive(Clone, Copy, Debug)]
struct Load {
    events: usize,
    batch: usize,
    rate: usize,
}

impl Load {
    fn fast(told: usize, clients: usize) -> Self {
        let events = (told / clients).max(UNITS_MIN * BATCH);
        Self { events, batch: BATCH, rate: 0 }
    }

    /// Single events, each its own unit.
    fn paced(told: usize, clients: usize) -> Self {
        let rate = (TOLD_PER_S / clients).clamp(1, UNITS_PER_S_MAX);
        let events = (rate * PACED_S).min((told / clients).max(20));
        Self { events, batch: 1, rate }
    }
}

/// Runs all rounds, then writes `fanout.json` and prints the table.
pub(crate) fn run(fanout: &Fanout) -> Result<(), Failure> {
    fs::create_dir_all(&fanout.out)?;
    let mut outcomes = Vec::new();
    for round in 0..fanout.rounds {
        for clients in &fanout.crowds {
            // Each is the first as often as the other.
            let order = match round % 2 {
                0 => [Kind::Relay, Kind::Bare],
                _ => [Kind::Bare, Kind::Relay],
            };
            for kind in order {
                let (fast, paced) =
                    (Load::fast(fanout.told, *clients), Load::paced(fanout.told, *clients));
                for load in [fast, paced] {
                    let mut outcome = fanout.measure(kind, *clients, load)?;
                    outcome.round = round;
                    writeln!(std::io::stderr().lock(), "{}", page::line(&outcome))?;
                    outcomes.push(outcome);
                }
            }
        }
    }
    let path = fanout.out.join("fanout.json");
    fs::write(&path, serde_json::to_string_pretty(&outcomes)?)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", page::table(&outcomes, &fanout.crowds))?;
    Ok(writeln!(out, "written to {}", path.display())?)
}

impl Fanout {
    fn measure(&self, kind: Kind, clients: usize, load: Load) -> Result<Outcome, Failure> {
        let dir = self.out.join("work");
        make_empty(&dir)?;
        let program = std::env::current_exe()?;
        let mut command = pinned(CORE_UNDER_TEST, &program);
        command.args(["fanout-house", "--kind", kind.name()]).arg("--dir").arg(&dir);
        command.args(["--events", &load.events.to_string()]);
        command.args(["--batch", &load.batch.to_string(), "--rate", &load.rate.to_string()]);
        let mut house = Talker::spawn(&mut command)?;
        let token = house.expect_line("token")?;
        let address = house.expect_line("listening")?;
        let receipts = dir.join("receipts");
        let mut command = pinned(CORE_OF_THE_SERVER, &program);
        command.args(["fanout-clients", "--address", &address, "--token", &token]);
        command.args(["--count", &clients.to_string(), "--until", &load.events.to_string()]);
        let listeners = Talker::spawn(command.arg("--out").arg(&receipts))?;
        listeners.expect_line("subscribed")?;
        let before = stat(house.pid())?.cpu_us;
        house.say("go")?;
        let started: u64 = house.expect_line("started")?.parse()?;
        let reached: u64 = listeners.expect_line("reached")?.parse()?;
        let cpu_us = stat(house.pid())?.cpu_us - before;
        house.expect_line("written")?;
        listeners.expect_line("noted")?;
        listeners.finish()?;
        house.finish()?;
        let told = (load.events * clients) as f64;
        let mut outcome = Outcome::new(kind, clients, 0, cpu_us as f64 / told);
        let delays = delays(&dir.join("commits"), &receipts)?;
        if load.rate == 0 {
            outcome.events_per_s = Some(told * 1e6 / reached.saturating_sub(started) as f64);
        } else {
            let at = |percent: usize| delays.get(delays.len() * percent / 100).copied();
            (outcome.p50_us, outcome.p99_us) = (at(50), at(99));
        }
        remove(&dir)?;
        Ok(outcome)
    }
}
