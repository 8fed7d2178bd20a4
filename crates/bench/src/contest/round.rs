//! Rounds: every contestant once, interleaved, so that a slow minute of the machine meets all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::entrant::{Entrant, Places, entrants};
use super::server::Server;
use crate::Failure;
use crate::paths::{make_empty, remove};
use crate::process::{CORE_UNDER_TEST, Talker, pinned};
use crate::report;
use crate::size::Size;
use crate::summary::{LimitFigures, Machine, Summary};

/// What is to be measured, and with what.
#[derive(Debug)]
pub(crate) struct Contest {
    pub(crate) size: Size,
    /// Instead of the size's.
    pub(crate) rounds: Option<usize>,
    /// Only these contestants.
    pub(crate) only: Option<Vec<String>>,
    pub(crate) unbroken: PathBuf,
    /// Where the Node scripts and their packages are.
    pub(crate) node: PathBuf,
    /// Where the summary goes.
    pub(crate) out: PathBuf,
}

/// Runs all rounds, then writes `summary.json` and prints the table.
pub(crate) fn run(contest: &Contest) -> Result<(), Failure> {
    let dir = contest.out.join("work");
    make_empty(&dir)?;
    let places = Places { unbroken: &contest.unbroken, node: &contest.node, dir: &dir };
    let all = entrants(&contest.size);
    let is_wanted = |entrant: &&Entrant| {
        contest.only.as_ref().is_none_or(|only| only.iter().any(|name| name == entrant.name))
    };
    let chosen: Vec<&Entrant> = all.iter().filter(is_wanted).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = all.iter().map(|entrant| entrant.name).collect();
        return Err(format!("--only names nobody; there are {}", names.join(", ")).into());
    }
    let rounds = contest.rounds.unwrap_or(contest.size.rounds);
    let mut summary = Summary {
        size: contest.size.name.to_owned(),
        rounds,
        machine: machine()?,
        ..Summary::default()
    };
    for round in 0..rounds {
        summary.limits.push(limits(contest.size, &dir)?);
        for turn in 0..chosen.len() {
            // Everybody is once the first of a round.
            let entrant = chosen[(turn + round) % chosen.len()];
            tell(&format!("round {} of {rounds}: {}", round + 1, entrant.name))?;
            let certificate = entrant.tls.then(|| dir.join("authority.pem"));
            let mut server = Server::start(entrant.agents, entrant.events, certificate.as_deref())?;
            let mut run = entrant.run(&mut server, places)?;
            run.round = round;
            tell(&report::line(&run))?;
            summary.runs.push(run);
        }
    }
    report::compare(&mut summary);
    remove(&dir)?;
    let path = contest.out.join("summary.json");
    fs::write(&path, serde_json::to_string_pretty(&summary)?)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", report::table(&summary))?;
    writeln!(out, "written to {}", path.display())?;
    Ok(())
}

fn tell(line: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stderr().lock(), "{line}")?)
}

fn limits(size: Size, dir: &Path) -> Result<LimitFigures, Failure> {
    let mut server = Server::start(size.agents, size.events, None)?;
    let mut command = pinned(CORE_UNDER_TEST, &std::env::current_exe()?);
    command.args(["limits", "--events", &size.events.to_string()]);
    command.arg("--dir").arg(dir).args(["--raw", &server.origin]);
    let talker = Talker::spawn(&mut command)?;
    server.await_subscription()?;
    server.go(size.events, 0)?;
    server.await_sent()?;
    let figures = serde_json::from_str(&talker.expect_line("limits")?)?;
    talker.finish()?;
    Ok(figures)
}

fn machine() -> Result<Machine, Failure> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let node = Command::new("node").arg("--version").output()?.stdout;
    Ok(Machine {
        cpu: cpu.trim_start_matches(['\t', ' ', ':']).to_owned(),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        node: String::from_utf8_lossy(&node).trim().to_owned(),
        measured_at: jiff::Timestamp::now().to_string(),
    })
}
