//! A log with something in it, and pumps from it.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use unbroken_core::ids::{AppendId, SnapshotId};
use unbroken_core::record::{
    Append, Body, Change, Effect, Origin, Record, SnapshotEnd, Witness, digest,
};
use unbroken_core::time::UnixMicros;
use unbroken_journal::{JournalId, Options, Reader, Retention, Writer};
use unbroken_sink::{
    Claim, Cut, Ended, Fields, Progress, Pump, PumpConfig, Retry, Selection, Sink, StartAt,
};

/// How long anything may take that happens in milliseconds on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct House {
    /// Holds the log until the test ends.
    dir: TempDir,
    pub(crate) reader: Reader,
    writer: Writer,
    appends: u64,
    events: u64,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(Retention::default())
    }

    pub(crate) fn with(retention: Retention) -> Self {
        Self::at(tempfile::tempdir().expect("a directory"), retention)
    }

    fn at(dir: TempDir, retention: Retention) -> Self {
        let mut options = Options::new(dir.path().join("journal"));
        options.retention = retention;
        options.segment_bytes = 64 * 1024;
        options.images_beside = false;
        let opened = unbroken_journal::open(options).expect("a log");
        Self { dir, reader: opened.reader, writer: opened.writer, appends: 0, events: 0 }
    }

    /// The same log, as it is now, in another directory.
    pub(crate) fn copied(&self) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(self.dir.path().join("journal")).arg(dir.path());
        let copied = copy.status().expect("cp");
        assert!(copied.success());
        Self { appends: self.appends, events: self.events, ..Self::at(dir, Retention::default()) }
    }

    pub(crate) fn journal(&self) -> JournalId {
        self.reader.journal()
    }

    /// As a pump of this log opens a sink.
    pub(crate) fn claim(&self) -> Claim {
        Claim {
            sink: "test".to_owned(),
            journal: self.journal(),
            end_offset: self.reader.end_offset().expect("a log"),
            adopt: false,
        }
    }

    pub(crate) fn append(&mut self, bodies: impl IntoIterator<Item = Body>) {
        self.append_at(UnixMicros(1_000_000), bodies);
    }

    pub(crate) fn append_at(
        &mut self,
        received_at: UnixMicros,
        bodies: impl IntoIterator<Item = Body>,
    ) {
        self.appends += 1;
        let record = |body| Record { stream: "cx/a".into(), received_at, body };
        let records = bodies.into_iter().map(record).collect();
        let unit = Append { id: AppendId(self.appends), records, mark: None };
        self.writer.commit(&[unit]).expect("room on the disk");
    }

    /// So many events, of a few keys, in batches.
    pub(crate) fn events(&mut self, count: u64) {
        let until = self.events + count;
        while self.events < until {
            let end = until.min(self.events + 100);
            let events: Vec<Body> =
                (self.events..end).map(|n| Body::Change(change(n, Origin::Live))).collect();
            self.events = end;
            self.append(events);
        }
    }

    /// An item of a bracket.
    pub(crate) fn item(&mut self, snapshot: u64) -> Body {
        self.events += 1;
        let change = change(self.events - 1, Origin::Snapshot);
        Body::SnapshotItem { snapshot: SnapshotId(snapshot), change }
    }

    /// What a sink of everything must hold: the cursors' texts, of all records from an offset on.
    pub(crate) fn ids_from(&self, offset: u64) -> Vec<String> {
        let end = self.reader.end_offset().expect("a log");
        (offset..end).map(|offset| format!("{}:{offset}", self.journal())).collect()
    }

    pub(crate) fn end_offset(&self) -> u64 {
        self.reader.end_offset().expect("a log")
    }

    /// A pump, how it is doing, and by what it is told to stop.
    pub(crate) fn pump_of<S: Sink + 'static>(
        &self,
        sink: S,
        config: PumpConfig,
    ) -> (Pump<S>, Arc<Progress>, watch::Sender<bool>) {
        let (stop, stopping) = watch::channel(false);
        let progress = Arc::new(Progress::default());
        let reader = self.reader.clone();
        let pump = Pump::new(sink, reader, config, Arc::clone(&progress), stopping);
        (pump, progress, stop)
    }

    /// Starts a pump.
    pub(crate) fn pump(&self, sink: impl Sink + 'static, config: PumpConfig) -> Running {
        let (pump, progress, stop) = self.pump_of(sink, config);
        Running { stop, progress, task: tokio::spawn(pump.run()) }
    }

    /// Runs a pump until it has given all that the log holds.
    pub(crate) async fn drain(&self, sink: impl Sink + 'static, config: PumpConfig) -> Running {
        let running = self.pump(sink, config);
        let end = self.reader.end_offset().expect("a log");
        running.until("it has given everything", |it| it.counts().next_offset == end).await;
        running
    }
}

/// A pump that runs.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    pub(crate) progress: Arc<Progress>,
    task: JoinHandle<Ended>,
}

impl Running {
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Progress) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.progress) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:?}", self.progress);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    pub(crate) async fn stop(self) -> Ended {
        self.stop.send_replace(true);
        self.ended().await
    }

    pub(crate) async fn ended(self) -> Ended {
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("it ends").expect("it does not fail")
    }
}

/// Small batches, at once.
pub(crate) fn config() -> PumpConfig {
    PumpConfig {
        name: "test".to_owned(),
        start: StartAt::Beginning,
        adopt: false,
        selection: Arc::new(Selection::default()),
        fields: Fields::default(),
        retry: Retry::default(),
        cut: Cut { records_max: 70, bytes: 1 << 20, linger: Duration::from_millis(1) },
        sinks: 0,
    }
}

/// The same, of a target that fails often and is soon tried again.
pub(crate) fn quick() -> PumpConfig {
    let first = Duration::from_millis(5);
    PumpConfig { retry: Retry { first, longest: 8 * first, blocked: 8 * first }, ..config() }
}

/// Of so many items that are state, each of them a row.
pub(crate) fn snapshot_end(snapshot: SnapshotId, count: u64) -> Body {
    Body::SnapshotEnd(SnapshotEnd {
        snapshot,
        count,
        rows: count,
        digest: 0,
        tag: None,
        rows_are_state: true,
        keyed: false,
        converging_until: None,
        witness: Witness::Contiguous,
    })
}

/// Of one of seven keys.
pub(crate) fn change(number: u64, origin: Origin) -> Change {
    let payload = format!("{{\"n\":{number},\"text\":\"a line \\n and ü\"}}").into_bytes();
    Change {
        key: format!("agent-{}", number % 7).as_str().into(),
        position: None,
        bookmark: None,
        ordinal: 0,
        event_id: None,
        kind: Some("state".into()),
        deleted: false,
        origin,
        effect: Effect::State,
        occurred_at: Some(UnixMicros(number as i64)),
        digest: digest(&payload),
        payload: payload.into(),
    }
}
