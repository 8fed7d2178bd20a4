//! The real binary, with a real configuration.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::durable::Watch;
use super::entrant::{Entrant, Places};
use super::server::Server;
use crate::Failure;
use crate::paths::make_empty;
use crate::process::{CORE_UNDER_TEST, PATIENCE, memory_kib, pinned, stat, wall_us};
use crate::summary::{Latency, Run};
use crate::vendor::frame_of;

/// Ends the process whatever happens.
pub(crate) struct Service(Child);

impl Service {
    /// `unbroken run` by this command.
    pub(crate) fn start(mut command: Command, config: &Path, log: &Path) -> Result<Self, Failure> {
        let log = File::create(log)?;
        command.arg("run").arg("--config").arg(config).stdin(Stdio::null());
        command.env("BENCH_CLIENT_SECRET", "bench").env_remove("UNBROKEN_LOG");
        Ok(Self(command.stdout(log.try_clone()?).stderr(log).spawn()?))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn run(
    entrant: &Entrant,
    server: &mut Server,
    places: Places<'_>,
) -> Result<Run, Failure> {
    let dir = places.dir.join("unbroken");
    make_empty(&dir)?;
    let config = dir.join("unbroken.toml");
    fs::write(&config, server.configuration())?;
    let command = pinned(CORE_UNDER_TEST, places.unbroken);
    let service = Service::start(command, &config, &dir.join("log"))?;
    let pid = service.0.id();
    server.await_subscription()?;
    let mut watch = Watch::begin(&dir.join("data/journal"))?;
    let (rss_before_kib, _) = memory_kib(pid)?;
    let before = stat(pid)?;
    let started = server.go(entrant.events, entrant.rate)?;
    let ended = watch.until_durable(entrant.events, entrant.rate > 0)?;
    let after = stat(pid)?;
    let (rss_after_kib, rss_peak_kib) = memory_kib(pid)?;
    let sent = server.await_sent()?;
    let (last, cpu_at_end) = stop(service)?;
    let durable = watch.check(entrant.events)?;
    verify(places.unbroken, &config)?;
    let latency = match entrant.rate {
        0 => None,
        rate => {
            let delays = delays(started, rate, &durable);
            Latency::of(delays, sent.late_us_max)
        }
    };
    Ok(Run {
        contestant: entrant.name.to_owned(),
        agents: entrant.agents,
        events: entrant.events,
        wall_us: ended.saturating_sub(started),
        cpu_us: after.cpu_us - before.cpu_us,
        wall_to_end_us: Some(last.saturating_sub(started)),
        cpu_to_end_us: Some(cpu_at_end - before.cpu_us),
        rss_before_kib,
        rss_after_kib,
        rss_peak_kib,
        latency,
        ..Run::default()
    })
}

/// From the time at which each event was meant to be sent to the time at which it was stored. The
/// first tenth is left out: caches are cold, and compilers of others at work.
pub(super) fn delays(started: u64, rate: usize, durable: &[u64]) -> Vec<u64> {
    let due = |event: usize| started + (frame_of(event) * 1_000_000 / rate) as u64;
    let all = durable.iter().enumerate();
    all.skip(durable.len() / 10).map(|(event, at)| at.saturating_sub(due(event))).collect()
}

/// Tells it to stop and waits for it; gives when it had ended, and its time on the processor.
pub(crate) fn stop(mut service: Service) -> Result<(u64, u64), Failure> {
    let pid = service.0.id();
    Command::new("kill").arg("-TERM").arg(pid.to_string()).status()?;
    let began = Instant::now();
    loop {
        let now = stat(pid)?;
        if now.has_ended {
            let ended = wall_us();
            let status = service.0.wait()?;
            if !status.success() {
                return Err(format!("it ended with {status}").into());
            }
            return Ok((ended, now.cpu_us));
        }
        if began.elapsed() > PATIENCE {
            return Err("it does not end".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Log, ledger and store read again by the product's own `verify`.
pub(crate) fn verify(unbroken: &Path, config: &Path) -> Result<(), Failure> {
    let output = Command::new(unbroken).arg("verify").arg("--config").arg(config).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Err(format!("`unbroken verify` ended with {}: {said}", output.status).into())
}
