//! The Node contestants.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::entrant::{Entrant, Kind, Places};
use super::server::Server;
use super::unbroken::delays;
use crate::Failure;
use crate::paths::make_empty;
use crate::process::{CORE_UNDER_TEST, Talker, memory_kib, pinned, stat};
use crate::summary::{Latency, Run};
use crate::vendor::FIRST_SEQUENCE;

/// How long a batch is held open at full speed, in milliseconds, and at a fixed rate, where it
/// would only add to the delay: each the better of both for Node (bench/README.md).
const LINGER_MS: (&str, &str) = ("2", "0");

pub(super) fn run(
    entrant: &Entrant,
    server: &mut Server,
    places: Places<'_>,
) -> Result<Run, Failure> {
    let dir = places.dir.join("node");
    make_empty(&dir)?;
    let mode = match entrant.kind {
        Kind::NodeOne => "one",
        Kind::NodeNdjson => "ndjson",
        Kind::NodeBatch | Kind::Unbroken => "batch",
    };
    let (file, commits) = (dir.join("stored"), dir.join("commits"));
    let mut command = pinned(CORE_UNDER_TEST, Path::new("node"));
    command.arg(places.node.join("contestant.mjs"));
    command.args(["--mode", mode, "--origin", &server.origin]);
    command.args(["--expect", &entrant.events.to_string()]);
    command.args(["--linger", if entrant.rate == 0 { LINGER_MS.0 } else { LINGER_MS.1 }]);
    command.arg("--file").arg(&file).arg("--commits").arg(&commits);
    if let Some(path) = &server.certificate {
        command.arg("--ca").arg(path);
    }
    let talker = Talker::spawn(&mut command)?;
    server.await_subscription()?;
    let pid = talker.pid();
    let (rss_before_kib, _) = memory_kib(pid)?;
    let before = stat(pid)?;
    let started = server.go(entrant.events, entrant.rate)?;
    let stored = talker.expect_line("stored")?;
    let after = stat(pid)?;
    let (rss_after_kib, rss_peak_kib) = memory_kib(pid)?;
    let sent = server.await_sent()?;
    talker.finish()?;
    let ended: u64 = stored.split(' ').nth(2).ok_or("an odd line")?.parse()?;
    verify(places, mode, &file, entrant.events)?;
    let latency = match entrant.rate {
        0 => None,
        rate => {
            let durable = durable(&commits, entrant.events)?;
            Latency::of(delays(started, rate, &durable), sent.late_us_max)
        }
    };
    Ok(Run {
        contestant: entrant.name.to_owned(),
        agents: entrant.agents,
        events: entrant.events,
        wall_us: ended.saturating_sub(started),
        cpu_us: after.cpu_us - before.cpu_us,
        rss_before_kib,
        rss_after_kib,
        rss_peak_kib,
        latency,
        ..Run::default()
    })
}

/// When each event was stored.
fn durable(commits: &Path, events: usize) -> Result<Vec<u64>, Failure> {
    let commits: Vec<(usize, u64)> = serde_json::from_slice(&fs::read(commits)?)?;
    let mut durable = Vec::with_capacity(events);
    for (count, at) in commits {
        durable.resize(count, at);
    }
    if durable.len() == events { Ok(durable) } else { Err("commits are missing".into()) }
}

fn verify(places: Places<'_>, mode: &str, file: &Path, events: usize) -> Result<(), Failure> {
    let script = places.node.join("verify.mjs");
    let output = Command::new("node").arg(script).arg(mode).arg(file).output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let wanted = format!("verified {events} {events} {}", FIRST_SEQUENCE + events as u64);
    if output.status.success() && said == wanted {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(format!("what it stored is wrong: {said} instead of {wanted} {error}").into())
}
