//! Everything that takes part in the hard test, and what happens to it.

use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::time::sleep;
use unbroken_sim::proxy::{Break, Counts, Door, Fault, Proxy, Way, Weather, Whom};

use crate::crowd::{Crowd, Write};
use crate::history::history;
use crate::kill::Tail;
use crate::plan::{Act, Size, Step};
use crate::record::Recorded;
use crate::server::Etcd;
use crate::service::{SIGKILL, SIGXFSZ, Service};
use crate::watched_path;
use crate::writer::Change;

pub(crate) const PREFIX: &str = "agents/";
/// How long an act waits for what it needs. Only a test that fails waits so long.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a fault may take to be felt before it is ordered again.
const FEEL_MAX: Duration = Duration::from_millis(200);
/// The values of a transaction that is cut: in a frame, it passes the path in one piece.
const VALUE_BYTES: usize = 3_000;
/// The values of one whose records take a while to be written: the first one is soon there.
const LONG_VALUES_BYTES: [usize; 3] = [64 << 10, 3 << 19, 3 << 19];
/// How often a kill that came too early or too late is tried again.
const TRIES_MAX: usize = 5;
/// What the values of these transactions consist of; no other record has so many of them.
const FILLINGS: [u8; 3] = [0xA1, 0xB2, 0xC3];

/// What was compacted: the network went down at one revision, when so much was durable; forgotten
/// is what came up to another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compaction {
    pub(crate) durable: u64,
    pub(crate) down: u64,
    pub(crate) compacted: u64,
}

/// How often the service was killed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kills {
    pub(crate) anytime: usize,
    /// When some events of a transaction had been received and some had not.
    pub(crate) in_frame: usize,
    /// When some records of a transaction were on the disk and some were not: at a chosen byte,
    pub(crate) in_batch: usize,
    /// … and by a signal that came in time.
    pub(crate) at_batch: usize,
    /// Kills that were meant to be one of these and were not.
    pub(crate) beside: usize,
}

/// See the module.
pub(crate) struct Scene {
    pub(crate) etcd: Etcd,
    pub(crate) proxy: Proxy,
    pub(crate) service: Service,
    pub(crate) crowd: Crowd,
    rng: Rng,
    granted: usize,
    pub(crate) kills: Kills,
    pub(crate) restarts: usize,
    pub(crate) compactions: Vec<Compaction>,
    /// Since the network is down: etcd's revision just after, and what was durable before.
    down: Option<(u64, u64)>,
    /// What etcd itself says has happened, as far as it was asked.
    pub(crate) history: Vec<Change>,
}

impl Scene {
    /// A server with a key already there, and a service that is live on it.
    pub(crate) async fn set(mut rng: Rng, size: &Size) -> Self {
        let etcd = Etcd::start();
        let crowd = Crowd::gather(etcd.port, &mut rng, PREFIX, size);
        crowd.transact(vec![(format!("{PREFIX}first"), Write::Put(b"from before".into()))]).await;
        let proxy = watched_path(etcd.port);
        let mut service = Service::start_alert(proxy.address().port(), PREFIX);
        service.until_live().await;
        // Something must be held that can come again: without it no resume is proved, and the
        // doubt of the first outage would name its row.
        let held = vec![(format!("{PREFIX}first"), Write::Put(b"from now".into()))];
        let revision = crowd.transact(held).await;
        service.until_durable(revision).await;
        Self {
            etcd,
            proxy,
            service,
            crowd,
            rng,
            granted: 0,
            kills: Kills::default(),
            restarts: 0,
            compactions: Vec::new(),
            down: None,
            history: Vec::new(),
        }
    }

    /// The operations of a step, and somewhere among them what happens.
    pub(crate) async fn play(&mut self, step: Step) {
        if let Act::CutAgain(_) = step.act {
            // All of the step is to be caught up with.
            self.service.until_live().await;
            self.proxy.take_down().await.unwrap();
        }
        let began = self.granted;
        self.granted += step.operations;
        self.crowd.grant(step.operations);
        self.crowd.until_done(began + self.rng.usize(..=step.operations / 2)).await;
        self.perform(step.act).await;
        self.crowd.until_done(self.granted).await;
    }

    async fn perform(&mut self, act: Act) {
        match act {
            Act::Cut(fault) => self.cut(fault).await,
            Act::CutAgain(fault) => {
                self.crowd.until_done(self.granted).await;
                let before = self.proxy.counts().of(fault.how);
                self.proxy.ambush(Whom::Marked, fault);
                self.proxy.set_door(Door::Open).await.unwrap();
                self.until("cut again", |scene| scene.proxy.counts().of(fault.how) > before).await;
            }
            Act::Ignore => self.ignore().await,
            Act::Slow => {
                self.proxy.set_weather(Weather {
                    connect_ms: 40,
                    latency_ms: 20,
                    jitter_ms: 30,
                    bytes_per_second: None,
                });
            }
            Act::Narrow => {
                let bytes_per_second = Some(200_000);
                self.proxy.set_weather(Weather { bytes_per_second, ..Weather::default() });
            }
            Act::Clear => self.proxy.set_weather(Weather::default()),
            Act::Kill => {
                self.service.kill_and_restart().await;
                self.kills.anytime += 1;
            }
            Act::KillInFrame => self.kill_in_frame().await,
            Act::KillInBatch => self.kill_in_batch().await,
            Act::KillAtBatch => self.kill_at_batch().await,
            Act::Restart => {
                // What it has not answered would be in nobody's account.
                self.crowd.until_done(self.granted).await;
                self.etcd.kill_and_restart();
                self.restarts += 1;
            }
            Act::Down => {
                let durable = self.service.durable().await;
                self.proxy.take_down().await.unwrap();
                // A change may have come that its own writer does not know of yet.
                self.down = Some((self.etcd.revision(), durable));
            }
            Act::Compact => self.compact().await,
            Act::Up => self.up().await,
            Act::UpAndBroken(faults) => {
                let broken = self.proxy.counts().resets + faults.len() as u64;
                faults.into_iter().for_each(|fault| self.proxy.ambush(Whom::All, fault));
                self.up().await;
                self.until("broken", |scene| scene.proxy.counts().resets >= broken).await;
            }
        }
    }

    async fn up(&mut self) {
        self.crowd.until_done(self.granted).await;
        self.proxy.set_door(Door::Open).await.unwrap();
        self.down = None;
    }

    /// Breaks the watch's connection, and sees that it broke.
    async fn cut(&self, fault: Fault) {
        let felt = || self.proxy.counts().of(fault.how);
        let before = felt();
        let deadline = Instant::now() + WAIT_MAX;
        while felt() == before {
            assert!(Instant::now() < deadline, "{fault:?} met no socket\n{}", self.service.log());
            // A fault that was ordered before and not felt may have gone with its connection.
            if self.proxy.marked_count() > 0 {
                self.proxy.strike(Whom::Marked, fault);
            }
            let next = Instant::now() + FEEL_MAX;
            while felt() == before && Instant::now() < next {
                sleep(Duration::from_millis(2)).await;
            }
        }
    }

    /// For a while nobody answers.
    async fn ignore(&mut self) {
        self.proxy.set_door(Door::Ignoring).await.unwrap();
        self.proxy.strike(Whom::All, Fault::now(Break::Reset));
        let before = self.proxy.counts().ignored;
        self.until("somebody is ignored", |scene| scene.proxy.counts().ignored > before).await;
        self.proxy.set_door(Door::Open).await.unwrap();
    }

    /// etcd forgets the first part of what was changed while the network was down. Before that it
    /// is asked what it was.
    async fn compact(&mut self) {
        self.crowd.until_done(self.granted).await;
        let (down, durable) = self.down.expect("compacted while the network is down");
        let account = self.crowd.account();
        let begin = account.partition_point(|change| change.revision <= down);
        let compacted = account[begin + (account.len() - begin) * 3 / 5].revision;
        self.read_history(account.last().map_or(0, |change| change.revision)).await;
        self.etcd.compact(compacted);
        self.compactions.push(Compaction { durable, down, compacted });
    }

    /// Asks etcd for its history from where it was asked last.
    pub(crate) async fn read_history(&mut self, through: u64) {
        let from = self.history.last().map_or(1, |change| change.revision + 1);
        self.history.extend(history(self.etcd.port, PREFIX, from, through).await);
    }

    /// One of three events of a transaction arrives, and a part of the second; then silence, and
    /// SIGKILL. Nothing of it may be in the log.
    async fn kill_in_frame(&mut self) {
        self.settle().await;
        let values = VALUE_BYTES * 4 / 3;
        let within = self.rng.usize(values + values / 3..2 * values - values / 3);
        let fault = Fault::after(Way::Down, within as u64, Break::Silence);
        let before = self.proxy.counts();
        assert_eq!(self.proxy.strike(Whom::Marked, fault), 1);
        let revision = self.crowd.transact(filled("frame", [VALUE_BYTES; 3])).await;
        self.until("cut in the frame", |scene| scene.proxy.counts().silences > before.silences)
            .await;
        assert_eq!(self.proxy.counts().cut_short, before.cut_short + 1);
        self.service.kill().await;
        let recorded = Recorded::read(&self.service.data_dir());
        let of_it = recorded.events.iter().filter(|event| event.revision == revision).count();
        assert_eq!(of_it, 0, "a part of a frame was taken for events");
        self.service.start_again();
        self.kills.in_frame += 1;
    }

    /// The system lets the log's file be written up to a byte among a transaction's records and
    /// then kills the writer, which is what a kill in the middle of a write leaves behind.
    async fn kill_in_batch(&mut self) {
        for _ in 0..TRIES_MAX {
            self.settle().await;
            let tail = Tail::find(&self.service.data_dir().join("journal"));
            let within = self.rng.usize(VALUE_BYTES + VALUE_BYTES / 3..2 * VALUE_BYTES);
            self.service.limit_files(tail.at() + within as u64).await;
            self.crowd.transact(filled("batch", [VALUE_BYTES; 3])).await;
            self.service.until_killed_by(SIGXFSZ).await;
            let written = tail.written(&FILLINGS);
            self.service.start_again();
            if written[0] >= VALUE_BYTES {
                assert!(written[2] < VALUE_BYTES, "all is there: {written:?}");
                self.kills.in_batch += 1;
                return;
            }
            // Zeros were being written ahead just then, or another file was as long.
            self.kills.beside += 1;
        }
        panic!("{TRIES_MAX} kills, and none among a transaction's records");
    }

    /// SIGKILL as soon as the batch with the records of a transaction can be seen to have been
    /// begun. Whether it came in time is seen on the disk afterwards.
    async fn kill_at_batch(&mut self) {
        for _ in 0..TRIES_MAX {
            self.settle().await;
            let tail = Tail::find(&self.service.data_dir().join("journal"));
            let transacting = self.crowd.transact_aside(filled("batch", LONG_VALUES_BYTES));
            // On this very thread: the time in which a batch is written is short.
            let was_begun = tokio::task::block_in_place(|| {
                let was_begun = tail.wait(WAIT_MAX);
                self.service.send_kill();
                was_begun
            });
            self.service.until_killed_by(SIGKILL).await;
            transacting.await.unwrap();
            assert!(was_begun, "nothing was written\n{}", self.service.log());
            let written = tail.written(&FILLINGS);
            self.service.start_again();
            if written[0] >= LONG_VALUES_BYTES[0] && written[2] < LONG_VALUES_BYTES[2] {
                self.kills.at_batch += 1;
                return;
            }
            self.kills.beside += 1;
        }
    }

    /// Waits until nothing is under way.
    async fn settle(&mut self) {
        self.crowd.until_done(self.granted).await;
        self.service.until_durable(self.crowd.revision()).await;
        // One that works, and none that is about to be given up.
        let is_one =
            |scene: &Self| (scene.proxy.marked_count(), scene.proxy.silent_count()) == (1, 0);
        self.until("one watch", is_one).await;
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + WAIT_MAX;
        while !holds(self) {
            assert!(Instant::now() < deadline, "not: {what}\n{}", self.service.log());
            sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Three keys with values of one byte each, again and again.
fn filled(key: &str, bytes: [usize; 3]) -> Vec<(String, Write)> {
    let write = |(filling, bytes): (u8, usize)| {
        (format!("{PREFIX}{key} {filling:x}"), Write::Put(vec![filling; bytes]))
    };
    FILLINGS.into_iter().zip(bytes).map(write).collect()
}

/// How many connections have broken.
pub(crate) fn breaks(counts: &Counts) -> u64 {
    counts.resets + counts.finishes + counts.silences + counts.mutes_up + counts.mutes_down
}
