//! Ten thousand changes over a path that breaks ten times, a compaction that nobody could see
//! coming, and a killed process.

use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::time::sleep;
use unbroken_core::record::{GapCause, GapClosed, GapOutcome};
use unbroken_sim::proxy::{Break, Door, Fault, Proxy, Whom};

use crate::plan::{Act, Step, plan};
use crate::record::{Recorded, ledger_in_store, state};
use crate::server::Etcd;
use crate::service::Service;
use crate::writer::Writer;
use crate::{seeded, watched_path};

const PREFIX: &str = "agents/";
const KEYS: usize = 200;
const CHANGES: usize = 10_000;

/// How long a cut waits for a socket to cut.
const SOCKET_MAX: Duration = Duration::from_secs(30);

/// Everything that takes part, and what has happened to it.
struct Scene {
    etcd: Etcd,
    proxy: Proxy,
    service: Service,
    writer: Writer,
    keys: Vec<String>,
    cuts: usize,
    kills: usize,
    /// Since this revision no watch was open.
    cut_off: Option<u64>,
    /// From and up to which revisions no watch was open.
    missed: Vec<(u64, u64)>,
    /// The last revision before the network went down, and what was durable then.
    down: Option<(u64, u64)>,
    compacted: Option<u64>,
}

impl Scene {
    /// A server with a few keys already there, and a service that is live on it.
    async fn set() -> Self {
        let etcd = Etcd::start();
        let keys: Vec<String> = (0..KEYS).map(|n| format!("{PREFIX}{n:03} Zoë/β")).collect();
        let mut writer = Writer::new(etcd.port);
        for key in keys.iter().step_by(10) {
            writer.put(key, b"from before").await;
        }
        let proxy = watched_path(etcd.port);
        let mut service = Service::start(proxy.address().port(), PREFIX);
        service.until_live().await;
        Self {
            etcd,
            proxy,
            service,
            writer,
            keys,
            cuts: 0,
            kills: 0,
            cut_off: None,
            missed: Vec::new(),
            down: None,
            compacted: None,
        }
    }

    async fn perform(&mut self, act: Act) {
        if matches!(act, Act::Cut | Act::Kill | Act::Down) {
            self.note_watches();
            self.cut_off.get_or_insert(self.writer.revision());
        }
        match act {
            Act::Cut => {
                self.until_watched().await;
                let watches = self.proxy.marked_count();
                self.proxy.strike(Whom::All, Fault::now(Break::Reset));
                assert!(watches > 0, "the cut met no socket");
                self.cuts += 1;
            }
            Act::Kill => {
                self.service.kill_and_restart().await;
                self.kills += 1;
            }
            Act::Down => {
                let durable = self.service.durable().await;
                self.proxy.take_down().await.unwrap();
                self.down = Some((self.writer.revision(), durable));
            }
            Act::Compact => {
                let (down, _) = self.down.expect("compacted while the network is down");
                let changes = &self.writer.changes;
                let begin = changes.partition_point(|change| change.revision <= down);
                let compacted = changes[begin + (changes.len() - begin) * 3 / 5].revision;
                self.writer.compact(compacted).await;
                self.compacted = Some(compacted);
            }
            Act::Up => self.proxy.set_door(Door::Open).await.unwrap(),
        }
    }

    async fn until_watched(&self) {
        let deadline = Instant::now() + SOCKET_MAX;
        while self.proxy.marked_count() == 0 {
            assert!(Instant::now() < deadline, "no socket to cut\n{}", self.service.log());
            sleep(Duration::from_millis(2)).await;
        }
    }

    async fn change(&mut self, rng: &mut Rng) {
        self.writer.change_one(rng, &self.keys).await;
        self.note_watches();
    }

    fn note_watches(&mut self) {
        if let Some(from) = self.cut_off.take_if(|_| self.proxy.marked_count() > 0) {
            self.missed.push((from, self.writer.revision()));
        }
    }

    /// How many of the recorded events were made while no watch was open.
    fn recovered(&self, recorded: &Recorded) -> usize {
        let missed = |revision| self.missed.iter().any(|(a, b)| *a < revision && revision <= *b);
        recorded.events.iter().filter(|event| missed(event.revision)).count()
    }

    /// All changes, and all that happens between them.
    async fn play(&mut self, rng: &mut Rng, steps: &[Step]) {
        let before = self.writer.changes.len();
        for step in steps {
            for _ in 0..step.changes {
                self.change(rng).await;
            }
            self.perform(step.act).await;
        }
        let made = self.writer.changes.len() - before;
        assert!(made < CHANGES, "the plan is too long");
        for _ in made..CHANGES {
            self.change(rng).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_that_etcd_kept_is_recorded_once_and_what_it_forgot_is_a_ledger_row() {
    let mut rng = seeded("outages");
    let steps = plan(&mut rng);
    let began = Instant::now();
    let mut scene = Scene::set().await;
    let before = scene.writer.changes.len();
    scene.play(&mut rng, &steps).await;
    let written = began.elapsed();
    scene.service.until_durable(scene.writer.revision()).await;
    let status = scene.service.stop().await;
    assert_eq!(status.code(), Some(0), "{}", scene.service.log());

    let data_dir = scene.service.data_dir();
    let recorded = Recorded::read(&data_dir);
    let lost = recorded.assert_complete(&scene.writer.changes) - before;
    assert_one_loss(&scene, &recorded, lost);
    let stored = ledger_in_store(&data_dir);
    let row = |row: &GapClosed| {
        (row.after.map(|p| p.sequence), row.through.map(|p| p.sequence), Some(row.outcome))
    };
    assert_eq!(stored, recorded.ledger.iter().map(row).collect::<Vec<_>>());

    let truth = scene.etcd.state(PREFIX);
    assert_eq!(scene.writer.state(), truth, "the writer's account is wrong");
    assert_eq!(state(&data_dir), truth);
    let verified = scene.service.ask(&["verify"]).await;
    let said = String::from_utf8_lossy(&verified.stdout);
    assert_eq!(verified.status.code(), Some(0), "{said}");
    assert_eq!((scene.cuts, scene.kills), (10, 1));

    let puts = scene.writer.puts() - before;
    eprintln!(
        "outages: {puts} puts, {} deletes over {KEYS} keys; {} cuts, {} kill; {} recorded, {} of \
         them made while cut off, {lost} compacted; {} ledger rows; written in {written:.1?}, all \
         in {:.1?}",
        CHANGES - puts,
        scene.cuts,
        scene.kills,
        recorded.events.len(),
        scene.recovered(&recorded),
        recorded.ledger.len(),
        began.elapsed(),
    );
}

/// The compacted interval is one row: from what was durable when the network went down (or a
/// little after: more may have been on its way) to the compacted revision.
fn assert_one_loss(scene: &Scene, recorded: &Recorded, lost: usize) {
    let losses = recorded.losses();
    let [row] = losses[..] else { panic!("one row was expected: {losses:#?}") };
    assert_eq!((row.cause, row.outcome), (GapCause::Refused, GapOutcome::Unrecoverable));
    assert!(row.reconciled, "{row:?}");
    let (down, durable) = scene.down.expect("the network was down");
    let after = row.after.map(|p| p.sequence).expect("something was held");
    assert!(durable <= after && after <= down, "{durable} <= {after} <= {down}");
    assert_eq!(row.through.map(|p| p.sequence), scene.compacted);
    assert!(lost > 0 && scene.recovered(recorded) > 0);
}
