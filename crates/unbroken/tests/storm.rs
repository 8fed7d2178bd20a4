//! Goal: over real sockets, too, a vendor in trouble is asked no more often than the budget says.
//!
//! Method: the whole pipeline, a real path that is cut and shut, and the simulator's own count of
//! what reached it, second by second. How long things take is not asserted: a token bucket's law
//! says how much may be asked in the time that has passed, whatever that was.
//!
//! `make storm` takes the time of the story (`UNBROKEN_STORM=full`) and shows the tables.
#![cfg(test)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::oneshot;
use unbroken::pipeline::{Handle, Unobserved};
use unbroken::{Pipeline, config};
use unbroken_sim::proxy::{Break, Door, Fault, Proxy, Route, Whom};
use unbroken_sim::{Load, Settings, Vendor};

/// How long anything may take that happens in moments on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A source's budget in this test.
const HANDSHAKES_BURST: u64 = 6;
const HANDSHAKES_PER_MINUTE: u64 = 60;
const REQUESTS_BURST: u64 = 20;
const REQUESTS_PER_MINUTE: u64 = 240;

struct World {
    vendor: Vendor,
    path: Proxy,
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    running: tokio::task::JoinHandle<()>,
    began: Instant,
    sources: u64,
    _dir: TempDir,
}

impl World {
    async fn start(sources: u64) -> Self {
        let settings =
            Settings { agents: 20, rate: 20.0, ack_position: true, ..Settings::default() };
        let vendor = Vendor::start(settings).await.unwrap();
        let path = Proxy::start(Route::to(vendor.address)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let text = configuration(&vendor, &path, dir.path(), sources);
        let config = config::parse(Path::new("storm"), &text).unwrap();
        let pipeline = Pipeline::start(config, 7, Arc::new(Unobserved)).unwrap();
        let handle = pipeline.handle();
        let (stop, stopping) = oneshot::channel();
        let running = tokio::spawn(async move {
            let until = pipeline.until(async move {
                let _ = stopping.await;
            });
            until.await.unwrap();
        });
        let began = Instant::now();
        let stop = Some(stop);
        let world = Self { vendor, path, handle, stop, running, began, sources, _dir: dir };
        world.wait_live().await;
        world
    }

    fn live_count(&self) -> usize {
        let status = self.handle.status();
        let streams = status.sources.iter().flat_map(|source| &source.streams);
        streams.filter(|stream| stream.is_live()).count()
    }

    async fn wait_live(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.live_count() < self.sources as usize {
            assert!(Instant::now() < deadline, "not live: {:#?}", self.handle.status());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn cut(&self) {
        self.path.strike(Whom::All, Fault::now(Break::Reset));
    }

    /// Neither we nor the vendor have counted more than a full bucket and what has flowed into it
    /// since the beginning, for each source.
    fn assert_within_budget(&self) {
        let elapsed_ms = self.began.elapsed().as_millis() as u64;
        let allowed = |burst, per_minute| burst + elapsed_ms * per_minute / 60_000;
        let handshakes = allowed(HANDSHAKES_BURST, HANDSHAKES_PER_MINUTE);
        let requests = allowed(REQUESTS_BURST, REQUESTS_PER_MINUTE);
        for source in self.handle.status().sources {
            let (name, asked) = (&source.name, source.counts);
            let sum = |(good, bad): (u64, u64)| good + bad;
            let (made, sent) = (sum(asked.handshakes), sum(asked.requests) + sum(asked.tokens));
            assert!(made <= handshakes, "{name}: {made} handshakes, {handshakes} allowed");
            assert!(sent <= requests, "{name}: {sent} requests, {requests} allowed");
        }
        let load = self.vendor.load();
        let count = |of: fn(&Load) -> u64| load.iter().map(of).sum::<u64>();
        assert!(count(|second| second.handshakes) <= handshakes * self.sources);
        assert!(count(|s| s.rest_calls + s.token_calls) <= requests * self.sources);
    }

    /// What reached the vendor, from one second on.
    fn print(&self, title: &str, from: usize) {
        println!("{title}:\n  second  connections  handshakes  pages  tokens");
        for (second, load) in self.vendor.load().iter().enumerate().skip(from) {
            let Load { connections, handshakes, rest_calls, token_calls } = load;
            let second = second - from;
            println!(
                "  {second:>6}  {connections:>11}  {handshakes:>10}  {rest_calls:>5}  \
                 {token_calls:>6}"
            );
        }
        println!(
            "  budget of {}: {} handshakes at once and {} a second; {} requests and {} a second",
            self.sources,
            self.sources * HANDSHAKES_BURST,
            self.sources * HANDSHAKES_PER_MINUTE / 60,
            self.sources * REQUESTS_BURST,
            self.sources * REQUESTS_PER_MINUTE / 60,
        );
    }

    async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.running).await.unwrap();
        self.vendor.shutdown().await.unwrap();
    }
}

fn configuration(vendor: &Vendor, path: &Proxy, dir: &Path, sources: u64) -> String {
    let mut text = format!("data_dir = {:?}\n", dir.join("data"));
    for number in 0..sources {
        text.push_str(&format!(
            r#"
[[source]]
name = "s{number}"
api = "http://{address}"
stream = "ws://{address}"
timing = "demo"

[source.budget]
handshakes_per_minute = {HANDSHAKES_PER_MINUTE}
handshakes_burst = {HANDSHAKES_BURST}
requests_per_minute = {REQUESTS_PER_MINUTE}
requests_burst = {REQUESTS_BURST}

[source.profile]
extends = "cxone"
[source.profile.capabilities]
ack = "with_position"
snapshot_staleness_ms_max = 500

[source.auth]
grant = "client_credentials"
client_id = "{id}"
client_secret = "{secret}"
"#,
            address = path.address(),
            id = vendor.credentials.client_id,
            secret = vendor.credentials.client_secret,
        ));
    }
    text
}

fn is_full() -> bool {
    std::env::var("UNBROKEN_STORM").is_ok_and(|value| value == "full")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_cuts_in_a_row_stay_within_the_budget() {
    let world = World::start(1).await;
    let from = world.vendor.load().len() - 1;
    let every = Duration::from_millis(if is_full() { 500 } else { 100 });
    for _ in 0..20 {
        world.cut();
        tokio::time::sleep(every).await;
    }
    world.assert_within_budget();
    world.wait_live().await;
    world.print("twenty cuts in ten seconds", from);
    world.assert_within_budget();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_of_the_vendor_every_source_comes_back_within_its_budget() {
    let (sources, away) = if is_full() { (20, 30) } else { (5, 2) };
    let mut world = World::start(sources).await;
    world.path.set_door(Door::Refusing).await.unwrap();
    world.cut();
    tokio::time::sleep(Duration::from_secs(away)).await;
    world.assert_within_budget();
    assert_eq!(world.live_count(), 0);
    let from = world.vendor.load().len() - 1;
    world.path.set_door(Door::Open).await.unwrap();
    world.wait_live().await;
    world.print("the vendor is back", from);
    world.assert_within_budget();
    world.stop().await;
}
