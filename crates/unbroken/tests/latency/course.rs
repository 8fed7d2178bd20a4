//! One scenario, run again and again against a vendor of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use unbroken::pipeline::Observe;
use unbroken::{Config, Pipeline};
use unbroken_core::machine::{Phase, Report, Rung};
use unbroken_core::time::UnixMicros;
use unbroken_sim::proxy::{Proxy, Route, Weather};
use unbroken_sim::{News, Settings, Stage, Vendor};

use super::scenario::Scenario;

/// Added to every byte, each way.
pub(crate) const LATENCY_MS: u64 = 50;
/// What one round trip takes at least.
pub(crate) const ROUND_TRIP_MS: u64 = 2 * LATENCY_MS;
/// Longest wait for anything to happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between Live and the next fault: longer than `stable_ms` below and than what a scenario leaves.
const SETTLE: Duration = Duration::from_millis(1_200);
/// Ways back other than the scenario's that are put up with, for each that counts.
const DETOURS_MAX: usize = 10;

/// One way back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lap {
    /// From the arrival of FIN or RST to Live.
    pub(crate) elapsed: Duration,
    /// Connections that were made meanwhile.
    pub(crate) connections: u64,
}

struct Observer(UnboundedSender<(UnixMicros, Report)>);

impl Observe for Observer {
    fn reported(&self, at: UnixMicros, report: &Report) {
        // A receiver that is gone needs no reports.
        let _ = self.0.send((at, report.clone()));
    }

    fn stored(&self, _emitted_at: UnixMicros) {}
}

struct Course<'a> {
    scenario: &'a Scenario,
    vendor: Vendor,
    gate: Proxy,
    news: News,
    reports: UnboundedReceiver<(UnixMicros, Report)>,
}

/// Runs a scenario until it has come back `laps` times on the way that it is about.
pub(crate) async fn run(scenario: &Scenario, laps: usize) -> Vec<Lap> {
    if !scenario.is_remembered {
        return run_one(scenario, laps).await;
    }
    let mut found = Vec::new();
    for _ in 0..laps {
        found.extend(run_one(scenario, 1).await);
    }
    found
}

async fn run_one(scenario: &Scenario, laps: usize) -> Vec<Lap> {
    let dir = tempfile::tempdir().unwrap();
    let vendor = Vendor::start(Settings {
        agents: 250,
        rate: 200.0,
        tls: true,
        latency_ms: LATENCY_MS,
        announce_floor: scenario.floor_announced,
        page_limit: 500,
        churn_ms: 0,
        ..Settings::default()
    })
    .await
    .unwrap();
    // The simulator delays every byte each way, but the kernel of this machine answers a SYN at
    // once.
    let weather = Weather { connect_ms: ROUND_TRIP_MS, ..Weather::default() };
    let gate = Proxy::start(Route { weather, ..Route::to(vendor.address) }).unwrap();
    std::fs::write(dir.path().join("ca.pem"), vendor.ca_pem.as_deref().unwrap()).unwrap();
    let config: Config =
        toml::from_str(&configuration(scenario, &vendor, &gate, dir.path())).unwrap();
    let (sender, reports) = unbounded_channel();
    let pipeline = Pipeline::start(config, 1, Arc::new(Observer(sender))).unwrap();
    let handle = pipeline.handle();
    let running = tokio::spawn(pipeline.until(std::future::pending()));
    let news = vendor.told();
    let mut course = Course { scenario, vendor, gate, news, reports };
    let found = course.laps(laps).await;
    handle.stop();
    running.await.unwrap().unwrap();
    found
}

impl Course<'_> {
    async fn laps(&mut self, laps: usize) -> Vec<Lap> {
        while !is_live(&self.next().await.1) {}
        let mut found = Vec::new();
        let mut others = Vec::new();
        while found.len() < laps {
            let (lap, rungs) = self.lap().await;
            if rungs == self.scenario.rungs {
                found.push(lap);
            } else {
                others.push(rungs);
            }
            let name = self.scenario.name;
            assert!(others.len() <= DETOURS_MAX * laps, "{name} went other ways: {others:?}");
        }
        found
    }

    /// Injects the fault once and follows the reports to Live.
    async fn lap(&mut self) -> (Lap, Vec<Rung>) {
        tokio::time::sleep(SETTLE).await;
        while self.reports.try_recv().is_ok() {}
        while self.news.poll_now().is_some() {}
        let before = self.gate.counts().connections;
        self.vendor.inject(self.scenario.fault).unwrap();
        let cut_us = self.injected_us().await;
        let arrival_us = cut_us + i64::try_from(LATENCY_MS).unwrap() * 1_000;
        let (mut rungs, mut lost) = (Vec::new(), false);
        let live = loop {
            match self.next().await {
                (_, Report::Lost { .. }) => lost = true,
                (_, Report::Rung { rung, .. }) => rungs.push(rung),
                (at, report) if lost && is_live(&report) => break at,
                _ => {}
            }
        };
        let elapsed_us = u64::try_from(live.0 - arrival_us).unwrap();
        let connections = self.gate.counts().connections - before;
        (Lap { elapsed: Duration::from_micros(elapsed_us), connections }, rungs)
    }

    /// When the vendor ended the stream: a scenario begins with that.
    async fn injected_us(&mut self) -> i64 {
        loop {
            let news = timeout(PATIENCE, self.news.next()).await;
            let news = news.expect("the fault did not begin").expect("the vendor is gone");
            if news.stage == Stage::Injected {
                return news.at_us;
            }
        }
    }

    async fn next(&mut self) -> (UnixMicros, Report) {
        let name = self.scenario.name;
        match timeout(PATIENCE, self.reports.recv()).await {
            Ok(Some(report)) => report,
            Ok(None) => panic!("{name}: the pipeline is gone"),
            Err(_) => panic!("{name}: nothing was reported for {PATIENCE:?}"),
        }
    }
}

fn is_live(report: &Report) -> bool {
    matches!(report, Report::Phase { phase: Phase::Live { handover: false }, .. })
}

/// The product's own delays but for `stable_ms` and the budget: each lap's first attempt is to be
/// immediate, as after a long Live.
fn configuration(scenario: &Scenario, vendor: &Vendor, gate: &Proxy, dir: &Path) -> String {
    format!(
        r#"data_dir = {data:?}
[[source]]
name = "sim"
api = "https://{at}"
stream = "wss://{at}"
ca_file = {ca:?}
timing = {{ stable_ms = 100 }}
budget = {{ handshakes_burst = 1000, requests_burst = 1000 }}
[source.profile]
extends = "cxone"
[source.profile.capabilities]
ack = "plain"
rest_first = {rest_first}
floor = "{floor}"
snapshot_staleness_ms_max = 500
clock_skew_ms_max = 0
[source.auth]
grant = "client_credentials"
client_id = "{id}"
client_secret = "{secret}"
"#,
        data = dir.join("data"),
        at = gate.address(),
        ca = dir.join("ca.pem"),
        rest_first = scenario.rest_first,
        floor = if scenario.floor_announced { "announced" } else { "unknown" },
        id = vendor.credentials.client_id,
        secret = vendor.credentials.client_secret,
    )
}
