//! Pairs of runs: the same events recorded alone, and with a crowd of clients or beside sinks.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Failure;
use crate::contest::{Server, Service, Watch, stop, verify};
use crate::paths::{make_empty, remove};
use crate::process::{PATIENCE, Talker};
use crate::summary::Figure;

/// What is measured, and with what.
#[derive(Debug)]
pub(crate) struct Pairs {
    pub(crate) unbroken: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) rounds: usize,
    pub(crate) events: usize,
    pub(crate) agents: usize,
    pub(crate) idle: usize,
    pub(crate) live: usize,
    /// Sinks of files in place of clients, if there are any.
    pub(crate) sinks: usize,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
struct Outcome {
    crowded: bool,
    events_per_s: f64,
    /// Until it had ended in peace.
    cpu_us_per_event: f64,
}

/// Runs the pairs, then writes `crowd.json` and prints the ratio.
pub(crate) fn run(pairs: &Pairs) -> Result<(), Failure> {
    fs::create_dir_all(&pairs.out)?;
    let mut outcomes: Vec<[Outcome; 2]> = Vec::new();
    for round in 0..pairs.rounds {
        // Each is the first as often as the other.
        let (first, second) = match round % 2 {
            0 => (pairs.measure(false)?, pairs.measure(true)?),
            _ => (pairs.measure(true)?, pairs.measure(false)?),
        };
        let pair = if first.crowded { [second, first] } else { [first, second] };
        let [alone, crowded] = &pair;
        writeln!(
            std::io::stderr().lock(),
            "alone {:.0} events/s, {:.2} µs of CPU each; crowded {:.0}, {:.2}",
            alone.events_per_s,
            alone.cpu_us_per_event,
            crowded.events_per_s,
            crowded.cpu_us_per_event
        )?;
        outcomes.push(pair);
    }
    let path = pairs.out.join("crowd.json");
    fs::write(&path, serde_json::to_string_pretty(&outcomes)?)?;
    let ratios = outcomes.iter().map(|[alone, crowd]| crowd.events_per_s / alone.events_per_s);
    let ratio = Figure::of(ratios.collect()).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "recording beside {}: {:.3} of its rate without them ({:.3} to {:.3}, {} pairs)",
        pairs.company(),
        ratio.median,
        ratio.min,
        ratio.max,
        pairs.rounds
    )?;
    Ok(writeln!(out, "written to {}", path.display())?)
}

impl Pairs {
    fn company(&self) -> String {
        match self.sinks {
            0 => format!("{} idle and {} live SSE clients", self.idle, self.live),
            sinks => format!("{sinks} sinks of files"),
        }
    }

    /// Each of everything.
    fn sinks(&self) -> String {
        let sink = |n| format!("\n[[sink]]\nname = \"s{n}\"\nndjson = {{ dir = \"s{n}\" }}\n");
        (0..self.sinks).map(sink).collect()
    }

    fn measure(&self, crowded: bool) -> Result<Outcome, Failure> {
        let dir = self.out.join("work");
        make_empty(&dir)?;
        let mut server = Server::start_anywhere(self.agents, self.events)?;
        let config = dir.join("unbroken.toml");
        let sinks = if crowded { self.sinks() } else { String::new() };
        fs::write(&config, server.configuration() + RELAY + &sinks)?;
        let service = Service::start(Command::new(&self.unbroken), &config, &dir.join("log"))?;
        server.await_subscription()?;
        let mut watch = Watch::begin(&dir.join("data/journal"))?;
        let mut crowd = if crowded && self.sinks == 0 { Some(self.gather(&dir)?) } else { None };
        thread::sleep(SETTLED);
        let started = server.go(self.events, 0)?;
        let ended = watch.until_durable(self.events, false)?;
        server.await_sent()?;
        if let Some(crowd) = &mut crowd {
            self.await_told(crowd)?;
        }
        let (_, cpu_us) = stop(service)?;
        watch.check(self.events)?;
        verify(&self.unbroken, &config)?;
        remove(&dir)?;
        Ok(Outcome {
            crowded,
            events_per_s: self.events as f64 * 1e6 / ended.saturating_sub(started) as f64,
            cpu_us_per_event: cpu_us as f64 / self.events as f64,
        })
    }

    fn gather(&self, dir: &std::path::Path) -> Result<Talker, Failure> {
        let data = dir.join("data");
        let read = |path: PathBuf| Ok::<_, Failure>(fs::read_to_string(path)?.trim().to_owned());
        let address = read(unbroken_relay::place::address_file(&data))?;
        let token = read(unbroken_relay::place::token_file(&data))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["crowd-clients", "--address", &address, "--token", &token]);
        command.args(["--idle", &self.idle.to_string(), "--live", &self.live.to_string()]);
        let crowd = Talker::spawn(&mut command)?;
        crowd.expect_line("connected")?;
        Ok(crowd)
    }

    /// Waits until the live clients have been told of every event of theirs, and of no more.
    fn await_told(&self, crowd: &mut Talker) -> Result<(), Failure> {
        let of_live = |event: &usize| crate::vendor::agent_of(*event, self.agents) < self.live;
        let wanted = (0..self.events).filter(of_live).count() as u64;
        let began = Instant::now();
        loop {
            crowd.say("count")?;
            let told: u64 = crowd.expect_line("told")?.parse()?;
            if told == wanted {
                return crowd.say("end");
            }
            if told > wanted || began.elapsed() > PATIENCE {
                return Err(format!("the crowd was told {told} events, not {wanted}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Before the clock starts, with a crowd and without one: what eleven thousand handshakes leave to
/// be done is no cost of their being there.
const SETTLED: Duration = Duration::from_secs(3);

const RELAY: &str = "\n[relay]\nlisten = \"127.0.0.1:0\"\n";
