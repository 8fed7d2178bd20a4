//! A vendor and a pipeline that records it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::oneshot;
use unbroken::pipeline::{Handle, Observe};
use unbroken::{Pipeline, config};
use unbroken_core::machine::Report;
use unbroken_core::time::UnixMicros;
use unbroken_sim::genesys::Settings;
use unbroken_sim::{Account, Truth, Vendor};

use crate::record::Recorded;

/// How long anything may take that happens in moments on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// No answer is late: on a machine with other work, one second is not long. What is given up for
/// lateness is an outage that the vendor has no part in.
pub(crate) const PATIENT: &str =
    "connect_ms = 60000\nsubscribe_ms = 60000\npage_ms = 60000\ntoken_ms = 60000";

/// What is heard of the pipeline.
#[derive(Debug, Default)]
struct Ear(Mutex<Vec<Report>>);

impl Observe for Ear {
    fn reported(&self, _at: UnixMicros, report: &Report) {
        self.0.lock().unwrap().push(report.clone());
    }

    fn stored(&self, _emitted_at: UnixMicros) {}
}

pub(crate) struct World {
    pub(crate) vendor: Vendor,
    pub(crate) account: Account,
    pub(crate) handle: Handle,
    ear: Arc<Ear>,
    stop: Option<oneshot::Sender<()>>,
    running: tokio::task::JoinHandle<()>,
    dir: TempDir,
}

/// What a source is told beside where its vendor is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    /// Lines of `[source.genesys]`.
    pub(crate) genesys: String,
    /// Lines of `[source.timing]` and what follows it.
    pub(crate) more: String,
    /// Not by its users.
    pub(crate) is_without_users: bool,
}

impl World {
    pub(crate) async fn start(settings: Settings, wishes: impl Fn(&Account) -> Wishes) -> Self {
        let vendor = Vendor::start(settings).await.unwrap();
        let account = vendor.account();
        let dir = tempfile::tempdir().unwrap();
        let text = configuration(&vendor, &account, dir.path(), &wishes(&account));
        let config = config::parse(Path::new("genesys"), &text).unwrap();
        let ear = Arc::new(Ear::default());
        let pipeline = Pipeline::start(config, 7, Arc::clone(&ear) as Arc<dyn Observe>).unwrap();
        let handle = pipeline.handle();
        let (stop, stopping) = oneshot::channel();
        let running = tokio::spawn(async move {
            let until = pipeline.until(async move {
                let _ = stopping.await;
            });
            until.await.unwrap();
        });
        Self { vendor, account, handle, ear, stop: Some(stop), running, dir }
    }

    /// Streams that are live, and all.
    pub(crate) fn live(&self) -> (usize, usize) {
        let status = self.handle.status();
        let streams = status.sources.iter().flat_map(|source| &source.streams);
        let live = streams.map(|stream| stream.is_live()).collect::<Vec<_>>();
        (live.iter().filter(|live| **live).count(), live.len())
    }

    pub(crate) async fn wait_live(&self) {
        self.wait("all streams to be live", |world| {
            let (live, all) = world.live();
            live == all
        })
        .await;
    }

    pub(crate) async fn wait(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < deadline, "waited for {what}: {:#?}", self.handle.status());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether everything that the vendor made was read, wherever it is subscribed to: a later ping
    /// was answered.
    fn is_read(&self) -> bool {
        let truth = self.vendor.truth();
        let mut open = truth.subscriptions.iter().filter(|served| served.ended_us.is_none());
        open.all(|served| {
            let newest = truth.events.iter().rev().find(|event| served.covers(&event.agent));
            let newest = newest.filter(|event| event.index >= served.first);
            newest.is_none_or(|event| event.index < served.confirmed)
        })
    }

    /// What was reported so far.
    pub(crate) fn reports(&self) -> Vec<Report> {
        self.ear.0.lock().unwrap().clone()
    }

    /// Alarms so far.
    pub(crate) fn alarms(&self) -> Vec<String> {
        let alarm = |report: Report| match report {
            Report::Alarm { what, .. } => Some(what.to_string()),
            _ => None,
        };
        self.reports().into_iter().filter_map(alarm).collect()
    }

    /// Stops as things are, and gives what was recorded.
    pub(crate) async fn abandon(mut self) -> Recorded {
        drop(self.stop.take());
        (&mut self.running).await.unwrap();
        Recorded::read(&self.dir.path().join("data"))
    }

    /// Lets everything come to rest, stops, and gives what was recorded and what happened.
    pub(crate) async fn end(mut self) -> (Recorded, Truth) {
        self.vendor.stop_faults();
        self.vendor.stop_emission();
        self.wait_live().await;
        self.wait("everything to be read", Self::is_read).await;
        // What was read is recorded when the record stands still.
        let mut before = u64::MAX;
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = self.handle.board().offsets().1;
            if now == before {
                break;
            }
            before = now;
        }
        drop(self.stop.take());
        (&mut self.running).await.unwrap();
        let truth = self.vendor.shutdown().await.unwrap();
        (Recorded::read(&self.dir.path().join("data")), truth)
    }
}

fn configuration(vendor: &Vendor, account: &Account, dir: &Path, wishes: &Wishes) -> String {
    let users = if wishes.is_without_users { &[][..] } else { &account.users[..] };
    format!(
        r#"
data_dir = {data:?}

[[source]]
name = "g"
api = "{http}"
stream = "{ws}"
agents = {users:?}

[source.profile]
extends = "genesys"
capabilities = {{ snapshot_staleness_ms_max = 100, clock_skew_ms_max = 100 }}

[source.auth]
grant = "client_credentials"
url = "{http}/oauth/token"
client_id = "{id}"
client_secret = "{secret}"

[source.genesys]
{genesys}

[source.timing]
preset = "demo"
idle_ms = 3000
{more}
"#,
        data = dir.join("data"),
        http = vendor.http_url,
        ws = vendor.ws_url,
        id = vendor.credentials.client_id,
        secret = vendor.credentials.client_secret,
        genesys = wishes.genesys,
        more = wishes.more,
    )
}

/// A vendor with so many agents, without faults, whose every time is short.
pub(crate) fn settings(agents: u32, rate: f64) -> Settings {
    let mut settings = Settings { rate_max: 100_000, history_lag_ms: 50, ..Settings::default() };
    settings.vendor.agents = agents;
    settings.vendor.rate = rate;
    settings.vendor.heartbeat_ms = 300;
    settings.vendor.closing_notice_ms = 100;
    settings
}
