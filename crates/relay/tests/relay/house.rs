//! A log, a store behind it, and a relay over both.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use unbroken_core::fold::Fold;
use unbroken_core::ids::AppendId;
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Append, Body, Change, Effect, Origin, Record, digest};
use unbroken_core::time::UnixMicros;
use unbroken_journal::{Options, Reader, Retention, Writer};
use unbroken_relay::{
    DialectSettings, Host, Ledger, PreparedRelay, Readiness, Relay, RelayConfig, ResyncError,
    Scope, StoreDoubt, place,
};
use unbroken_store::{
    Feeder, FeederTiming, Log, LogBatch, LogBatches, LogError, LogExtent, open_or_build,
};

/// How long anything may take that happens in milliseconds on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The service, as a test would have it.
#[derive(Clone, Default)]
pub(crate) struct Stub {
    store_doubt: Arc<Mutex<Option<StoreDoubt>>>,
}

impl Host for Stub {
    fn sources(&self) -> Value {
        json!([{ "name": "cx", "streams": [{ "stream": "cx/a", "phase": "live" }] }])
    }

    fn metrics(&self) -> String {
        "# TYPE unbroken_up gauge\nunbroken_up 1\n".to_owned()
    }

    fn readiness(&self) -> Vec<Readiness> {
        let stale = |stream: &str| Readiness {
            stream: stream.to_owned(),
            phase: "waiting".to_owned(),
            ready: false,
            since: Some("2026-01-01T00:00:00.000Z".to_owned()),
        };
        vec![stale("cx/a")]
    }

    fn store_doubt(&self) -> Option<StoreDoubt> {
        *self.store_doubt.lock().expect("nobody panics with it")
    }

    fn resync(&self, source: &str, keys: Option<&[String]>) -> Result<Vec<String>, ResyncError> {
        match (source, keys) {
            ("cx" | "cx/a", None) => Ok(vec!["cx".to_owned()]),
            ("cx" | "cx/a", Some(_)) => Err(ResyncError::Refused("not by key".to_owned())),
            _ => Err(ResyncError::Unknown(source.to_owned())),
        }
    }
}

/// See the module.
pub(crate) struct House {
    pub(crate) dir: TempDir,
    pub(crate) reader: Reader,
    pub(crate) token: String,
    writer: Option<Writer>,
    appends: u64,
    events: u64,
    feeder: Option<Feeder>,
    relay: Option<Relay>,
    host: Stub,
}

impl House {
    /// With a relay of this configuration, on a port that is free.
    pub(crate) fn new(config: RelayConfig) -> Self {
        let mut house = Self::without_relay(Retention::default());
        house.start(config);
        house
    }

    /// A log and a store alone.
    pub(crate) fn without_relay(retention: Retention) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut options = Options::new(dir.path().join("journal"));
        options.retention = retention;
        options.segment_bytes = 256 * 1024;
        let opened = unbroken_journal::open(options).expect("a log");
        let log = FedLog(opened.reader.clone());
        let store = open_or_build(&dir.path().join("store.sqlite"), &log).expect("a store");
        let feeder = Feeder::start(store, log, FeederTiming::default()).expect("a feeder");
        Self {
            dir,
            reader: opened.reader,
            token: String::new(),
            writer: Some(opened.writer),
            appends: 0,
            events: 0,
            feeder: Some(feeder),
            relay: None,
            host: Stub::default(),
        }
    }

    /// Starts the relay.
    pub(crate) fn start(&mut self, config: RelayConfig) {
        self.start_with(config, DialectSettings::default());
    }

    /// Starts the relay, with these dialects.
    pub(crate) fn start_with(&mut self, config: RelayConfig, dialects: DialectSettings) {
        let port_0 = "127.0.0.1:0".parse().expect("an address");
        let config = RelayConfig { listen: port_0, ..config };
        let prepared = PreparedRelay::new(config, self.dir.path()).expect("a relay");
        let prepared = prepared.with_dialects(dialects);
        let store = self.dir.path().join("store.sqlite");
        let relay = prepared
            .start(store, self.reader.clone(), Arc::new(self.host.clone()))
            .expect("threads");
        let file = place::token_file(self.dir.path());
        self.token = std::fs::read_to_string(file).expect("a token").trim().to_owned();
        self.relay = Some(relay);
    }

    /// Stops the relay; blocks until it has.
    pub(crate) fn stop_relay(&mut self) {
        if let Some(relay) = self.relay.take() {
            relay.stop();
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.relay.as_ref().expect("it runs").address().port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A request with the token.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        Client::new().get(self.url(path)).bearer_auth(&self.token)
    }

    /// Status and JSON of an answer.
    pub(crate) async fn ask(&self, path: &str) -> (u16, Value) {
        let answer = self.get(path).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("JSON"))
    }

    /// One of the figures, with its labels.
    pub(crate) async fn figure(&self, name: &str) -> u64 {
        let text = self.get("/metrics").send().await.expect("one").text().await.expect("text");
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let line = lines.find(|(named, _)| *named == format!("unbroken_relay_{name}"));
        line.unwrap_or_else(|| panic!("{name}: {text}")).1.parse().expect("a number")
    }

    /// Adds a token to the list.
    pub(crate) fn add_token(&self, name: &str, scope: Scope, expires_us: Option<i64>) -> String {
        let path = place::ledger_file(self.dir.path());
        let mut ledger = Ledger::read(&path).expect("a list");
        let issued = ledger.add(name, scope, 1, expires_us).expect("a token");
        ledger.write(&path).expect("it is written");
        issued.expose().to_owned()
    }

    /// Takes it from the list again.
    pub(crate) fn revoke_token(&self, name: &str) {
        let path = place::ledger_file(self.dir.path());
        let mut ledger = Ledger::read(&path).expect("a list");
        ledger.revoke(name).expect("it is there");
        ledger.write(&path).expect("it is written");
    }

    /// Makes changes durable, as one batch: of keys `k0` to `k9` in turn.
    pub(crate) fn write(&mut self, count: u64) {
        let begin = self.events;
        self.events += count;
        let records = (begin..begin + count).map(|n| record(n, 20)).collect();
        self.commit(records);
    }

    /// The same, with payloads of so many bytes.
    pub(crate) fn write_large(&mut self, count: u64, payload_bytes: usize) {
        let begin = self.events;
        self.events += count;
        let records = (begin..begin + count).map(|n| record(n, payload_bytes)).collect();
        self.commit(records);
    }

    /// Makes records durable, as one batch.
    pub(crate) fn commit(&mut self, records: Vec<Record>) {
        self.appends += 1;
        let unit = Append { id: AppendId(self.appends), records, mark: None };
        let writer = self.writer.as_mut().expect("it is there until it is taken");
        writer.commit(&[unit]).expect("it is durable");
    }

    /// The writer, for a thread of the test's.
    pub(crate) fn take_writer(&mut self) -> Writer {
        self.writer.take().expect("it is there until it is taken")
    }

    /// What the service says of its store.
    pub(crate) fn doubt_store(&self, doubt: Option<StoreDoubt>) {
        *self.host.store_doubt.lock().expect("nobody panics with it") = doubt;
    }

    /// Waits until the store has everything.
    pub(crate) fn wait_for_store(&self) {
        let (end, begun) = (self.reader.end_offset().expect("an end"), Instant::now());
        let feeder = self.feeder.as_ref().expect("it runs");
        while feeder.next_offset() < end {
            assert!(begun.elapsed() < PATIENCE, "the store stays behind");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The oldest offset, once retention has deleted what it will: that is another thread's.
    pub(crate) fn oldest_at_rest(&self) -> u64 {
        let mut oldest = self.reader.oldest_offset().expect("an offset");
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = self.reader.oldest_offset().expect("an offset");
            if now == oldest {
                return now;
            }
            oldest = now;
        }
    }

    pub(crate) fn cursor(&self, offset: u64) -> String {
        self.reader.cursor(offset).to_string()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop_relay();
        if let Some(feeder) = self.feeder.take() {
            // A store that cannot be closed is gone with its directory.
            let _ = feeder.stop();
        }
    }
}

/// The n-th change.
pub(crate) fn record(n: u64, payload_bytes: usize) -> Record {
    let text = "x".repeat(payload_bytes);
    let payload = json!({ "n": n, "text": text }).to_string().into_bytes();
    let change = Change {
        key: format!("k{}", n % 10).as_str().into(),
        position: Some(Position::new(Epoch(0), n + 1)),
        bookmark: None,
        ordinal: 0,
        event_id: None,
        kind: None,
        deleted: false,
        origin: Origin::Live,
        effect: Effect::State,
        occurred_at: Some(UnixMicros(1_000_000)),
        digest: digest(&payload),
        payload: payload.into(),
    };
    let stream = if n % 10 == 9 { "other/b" } else { "cx/a" };
    Record { stream: stream.into(), received_at: UnixMicros(2_000_000), body: Body::Change(change) }
}

/// The log, as the store is fed from it.
#[derive(Clone)]
struct FedLog(Reader);

impl Log for FedLog {
    fn extent(&self) -> Result<LogExtent, LogError> {
        Ok(LogExtent {
            journal_id: self.0.journal().to_string(),
            oldest_offset: self.0.oldest_offset()?,
            end_offset: self.0.end_offset()?,
        })
    }

    fn batches(&self, from: u64) -> Result<LogBatches<'_>, LogError> {
        let batches = self.0.batches(from)?.map(|batch| {
            let batch = batch?;
            let (first_offset, records, marks) = (batch.first_offset, batch.records, batch.marks);
            Ok(LogBatch { first_offset, records, marks })
        });
        Ok(Box::new(batches))
    }

    fn wait(&self, from: u64, timeout: Duration) -> Result<(), LogError> {
        self.0.wait(from, timeout)?;
        Ok(())
    }

    fn newest_image(&self) -> Result<Option<(u64, Fold)>, LogError> {
        Ok(self.0.newest_image()?)
    }
}
