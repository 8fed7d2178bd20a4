//! What a reader of the tables is told of a value: that it is current, or since when it may not be.

use std::collections::BTreeMap;

use unbroken_core::fold::Fold;
use unbroken_core::ids::{ConnId, GapId, Key};
use unbroken_core::record::{
    Body, Change, Closer, ConnectionTurn, Effect, GapCause, GapClosed, GapOpened, GapOutcome,
    Origin, Record, Turn,
};
use unbroken_core::time::UnixMicros;
use unbroken_journal::Retention;
use unbroken_sink::{Batch, Checkpoint, Ended, Sink};

use crate::house::{House, change, quick};
use crate::postgres::{Database, any};
use crate::redshift::Cluster;
use crate::shelf::Target;
use crate::tables::{Files, duckdb};

/// A target that is asked in SQL.
pub(crate) trait Tables: Target {
    fn rows(&self, query: &str) -> Vec<String>;
}

impl Tables for Database {
    fn rows(&self, query: &str) -> Vec<String> {
        self.query(query)
    }
}

impl Tables for Cluster {
    fn rows(&self, query: &str) -> Vec<String> {
        self.query(query)
    }
}

/// A log, with what it adds up to.
struct Scene {
    house: House,
    rng: fastrand::Rng,
    fold: Fold,
    offset: u64,
    gap: u64,
    bracket: Option<unbroken_core::ids::SnapshotId>,
    has_turns: bool,
    has_gaps: bool,
    live: Option<ConnId>,
    live_changed_at: Option<UnixMicros>,
}

impl Scene {
    fn new(seed: u64, retention: Retention) -> Self {
        Self {
            house: House::with(retention),
            rng: fastrand::Rng::with_seed(seed),
            fold: Fold::new(true),
            offset: 0,
            gap: 0,
            bracket: None,
            has_turns: true,
            has_gaps: true,
            live: None,
            live_changed_at: None,
        }
    }

    /// What comes next is none of what comes next in this one.
    fn anew(&self) -> Self {
        let mut anew = Self::new(17, Retention::default());
        (anew.offset, anew.gap, anew.bracket) = (self.offset, self.gap, self.bracket);
        anew
    }

    fn records(&mut self, count: u64) {
        for _ in 0..count {
            let body = match self.rng.u32(0..60) {
                0 if self.has_turns => self.turn(),
                1 if self.has_gaps => self.open_gap(),
                2 if self.has_gaps => self.close_gap(),
                _ => any(&mut self.rng, self.offset, &mut self.bracket),
            };
            self.push(body);
        }
    }

    /// No row of the ledger is open any more, and most keys are written after the last one.
    fn settle(&mut self) {
        while self.fold.streams.values().any(|stream| !stream.open_gaps.is_empty()) {
            let closed = self.close_gap();
            self.push(closed);
        }
        self.has_gaps = false;
        self.records(500);
    }

    fn push(&mut self, body: Body) {
        let received_at = UnixMicros(1_000_000);
        if let Body::Connection(turn) = &body {
            let was_live = self.live.is_some();
            self.live = match turn.turn {
                Turn::Live => Some(turn.conn),
                Turn::Opened => self.live,
                Turn::Doubted | Turn::Closed => self.live.filter(|live| *live != turn.conn),
            };
            if was_live != self.live.is_some() {
                self.live_changed_at = Some(received_at);
            }
        }
        let record = Record { stream: "cx/a".into(), received_at, body };
        self.fold.apply(self.offset, &record);
        self.offset += 1;
        self.house.append([record.body]);
    }

    fn turn(&mut self) -> Body {
        let turns = [Turn::Opened, Turn::Live, Turn::Live, Turn::Live, Turn::Doubted, Turn::Closed];
        let named = turns[self.rng.usize(0..turns.len())];
        Body::Connection(turn(self.rng.u64(1..3), named))
    }

    fn open_gap(&mut self) -> Body {
        self.gap += 1;
        let wall_from = UnixMicros(self.rng.i64(1..900_000));
        let (gap, cause) = (GapId(self.gap), GapCause::Mute);
        Body::GapOpened(GapOpened { gap, after: None, wall_from, cause })
    }

    fn close_gap(&mut self) -> Body {
        let open = self.fold.streams.values().flat_map(|stream| stream.open_gaps.values()).next();
        let Some(open) = open.map(|gap| gap.opened.clone()) else { return self.open_gap() };
        Body::GapClosed(GapClosed {
            gap: open.gap,
            outcome: GapOutcome::Unrecoverable,
            after: None,
            through: None,
            wall_from: open.wall_from,
            wall_to: UnixMicros(950_000),
            cause: open.cause,
            closed_by: None,
            reconciled: self.rng.bool(),
        })
    }

    /// By key: where its present value was written.
    fn offsets(&self) -> BTreeMap<String, String> {
        let told = |said: String| said.split('|').next().map(str::to_owned).unwrap_or_default();
        self.expected().into_iter().map(|(key, said)| (key, told(said))).collect()
    }

    /// By key: what is written, and since when it may be out of date.
    fn expected(&self) -> BTreeMap<String, String> {
        let stream = self.fold.streams.values().next().expect("a stream");
        let doubted = stream.open_gaps.values().map(|gap| gap.opened.wall_from).min();
        let present = stream.keys.iter_unordered().filter(|(_, value)| value.present);
        let said = present.map(|(key, value)| {
            let lost = self.live.is_none();
            let lost_at = lost.then(|| self.live_changed_at.unwrap_or(value.received_at));
            let doubts = [stream.stale_since(value), lost_at, doubted];
            let since = doubts.into_iter().flatten().min().map_or(0, |since| since.0);
            (key.to_string(), format!("{}|{since}", value.offset))
        });
        said.collect()
    }
}

/// What files add up to, by the guide's own query.
fn told_by_files(files: &Files) -> BTreeMap<String, String> {
    let guide = include_str!("../../../../docs/guides/sinks.md");
    let (_, query) =
        guide.split_once("-- DuckDB. The present value of every key.").expect("a query");
    let (query, _) = query.split_once(';').expect("its end");
    let query = query.replace("s3://wfm-lake/unbroken", &files.dir().display().to_string());
    let told = duckdb(&format!("SELECT key, log_offset FROM ({query})"));
    let lines = told.iter().filter_map(|line| line.split_once('|'));
    lines.map(|(key, offset)| (key.to_owned(), offset.to_owned())).collect()
}

#[tokio::test]
async fn files_add_up_to_state_by_the_guide_s_query() {
    let files = Files::new();
    let small = Retention { age_ms: None, bytes_max: Some(300 * 1024) };
    let mut scene = Scene::new(11, small);
    scene.push(Body::Change(Change { key: "forgotten".into(), ..change(0, Origin::Live) }));
    for count in [700, 8_000, 300] {
        let held = scene.offset;
        if count == 8_000 {
            // Nothing of what is left says so.
            scene.push(Body::Forgotten { key: "forgotten".into() });
        }
        scene.records(count);
        let lapses = scene.house.reader.oldest_offset().expect("a log") > held;
        assert_eq!(lapses, count == 8_000);
        scene.house.drain(files.sink(), quick()).await.stop().await;
        assert_eq!(told_by_files(&files), scene.offsets(), "at offset {}", scene.offset);
    }
    let mut adopting = quick();
    adopting.adopt = true;
    // Put back from a backup, the log is shorter, and nobody has said so to it.
    let mut back = Scene { house: scene.house.copied(), fold: scene.fold.clone(), ..scene.anew() };
    scene.records(400);
    scene.house.drain(files.sink(), quick()).await.stop().await;
    back.records(100);
    back.house.drain(files.sink(), adopting.clone()).await.stop().await;
    assert_eq!(told_by_files(&files), back.offsets(), "at offset {}", back.offset);
    // Another log altogether.
    let mut other = Scene::new(13, Retention::default());
    for count in [60, 200] {
        other.records(count);
        other.house.drain(files.sink(), adopting.clone()).await.stop().await;
        assert_eq!(told_by_files(&files), other.offsets(), "at offset {}", other.offset);
    }
}

fn turn(conn: u64, turn: Turn) -> ConnectionTurn {
    ConnectionTurn { conn: ConnId(conn), turn, by: Closer::Us, why: "a trial".into() }
}

fn told(tables: &impl Tables) -> BTreeMap<String, String> {
    let lines = tables.rows(
        "SELECT key || '|' || log_offset || '|' || \
             coalesce((extract(epoch FROM stale_since) * 1000000)::int8, 0) FROM current_state",
    );
    let split = |line: &String| line.split_once('|').map(|(key, rest)| (key.into(), rest.into()));
    lines.iter().filter_map(split).collect()
}

async fn it_is_what_the_log_s_fold_says(tables: &impl Tables) {
    let mut scene = Scene::new(3, Retention::default());
    let mut config = quick();
    config.cut.records_max = 17;
    for _ in 0..8 {
        let count = scene.rng.u64(50..300);
        scene.records(count);
        scene.house.drain(tables.sink(), config.clone()).await.stop().await;
        assert_eq!(told(tables), scene.expected(), "at offset {}", scene.offset);
    }
}

/// Neither Live nor a row of the ledger outlives what was lost, and doubts of the image are kept.
async fn it_is_so_after_a_lapse(tables: &impl Tables) {
    let small = Retention { age_ms: None, bytes_max: Some(300 * 1024) };
    let mut scene = Scene::new(5, small);
    scene.has_turns = false;
    scene.push(Body::Connection(turn(9, Turn::Live)));
    let opened = scene.open_gap();
    scene.push(opened);
    scene.records(100);
    scene.house.drain(tables.sink(), quick()).await.stop().await;
    // Nothing behind what is lost says that the connection has ended.
    scene.push(Body::Connection(turn(9, Turn::Closed)));
    scene.records(8_000);
    scene.settle();
    assert!(scene.house.reader.oldest_offset().expect("a log") > 102, "it was overtaken");
    scene.house.drain(tables.sink(), quick()).await.stop().await;
    assert_eq!(told(tables), scene.expected());
    assert!(told(tables).len() > 10);
    assert_eq!(tables.rows("SELECT count(*) FROM lapses"), ["1"]);
}

/// A value whose next one is among the dead letters is not taken for current.
async fn a_value_before_a_dead_letter_is_in_doubt_until_the_next_one(tables: &impl Tables) {
    let mut scene = Scene::new(7, Retention::default());
    scene.push(Body::Connection(turn(1, Turn::Live)));
    let of = |kind: &str, number: u64| {
        let mut change = change(number, Origin::Live);
        (change.key, change.kind) = (Key::new("agent"), Some(kind.into()));
        Body::Change(change)
    };
    for (kind, since) in [("state", "0"), ("sta\0te", "1000000"), ("state", "0")] {
        let body = of(kind, scene.offset);
        scene.push(body);
        scene.house.drain(tables.sink(), quick()).await.stop().await;
        let told = told(tables);
        let (_, said) = told["agent"].split_once('|').expect("two");
        assert_eq!(said, since, "{kind:?}");
    }
    assert_eq!(tables.rows("SELECT count(*) FROM dead_letters"), ["1"]);
}

/// What was put aside says nothing of a value that was written later, nor does history of any.
async fn a_dead_letter_leaves_later_values_alone(tables: &impl Tables) {
    let mut scene = Scene::new(9, Retention::default());
    scene.push(Body::Connection(turn(1, Turn::Live)));
    let of = |kind: &str, effect: Effect, number: u64| {
        let mut change = change(number, Origin::Live);
        (change.key, change.kind, change.effect) = (Key::new("agent"), Some(kind.into()), effect);
        Body::Change(change)
    };
    for (kind, effect) in
        [("sta\0te", Effect::State), ("state", Effect::State), ("sta\0te", Effect::History)]
    {
        let body = of(kind, effect, scene.offset);
        scene.push(body);
    }
    scene.house.drain(tables.sink(), quick()).await.stop().await;
    assert_eq!(tables.rows("SELECT count(*) FROM dead_letters"), ["2"]);
    assert_eq!(told(tables)["agent"], "2|0");
    // Where somebody has set the checkpoint back, it is put aside behind what was written later.
    let back = Checkpoint::in_log(scene.house.journal(), 1);
    tables.rows(&format!("UPDATE checkpoint SET checkpoint = '{back}'"));
    scene.house.drain(tables.sink(), quick()).await.stop().await;
    assert_eq!(tables.rows("SELECT count(*) FROM dead_letters"), ["2"]);
    assert_eq!(told(tables)["agent"], "2|0");
}

/// Its fence is lower than that of the one who has it, which is nobody else.
async fn a_database_that_was_put_back_is_gone_on_with(tables: &impl Tables) {
    let mut house = House::new();
    house.events(50);
    let running = house.pump(tables.sink(), quick());
    running.until("it has everything", |it| it.counts().next_offset == 50).await;
    let fence = || -> u64 {
        let rows = tables.rows("SELECT fence FROM checkpoint");
        rows[0].parse().expect("a number")
    };
    let before = fence();
    tables.rows("UPDATE checkpoint SET fence = fence - 1");
    house.events(50);
    running.until("it has everything", |it| it.counts().next_offset == 100).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(tables.ids(), house.ids_from(0));
    assert!(fence() > before, "one that it had is never given again");
}

/// What ends an image without a row of its own says nothing of the time.
async fn what_tells_nothing_leaves_the_time_alone(tables: &impl Tables) {
    let mut house = House::new();
    house.events(100);
    house.drain(tables.sink(), quick()).await.stop().await;
    tables.rows("UPDATE checkpoint SET as_of = '2026-01-01 00:00:00+00'; SELECT 1");
    let mut sink = tables.sink();
    let opened = sink.open(&house.claim()).await.expect("it is there");
    let held = opened.checkpoint.expect("it was written");
    let next = Checkpoint { next_offset: held.next_offset + 1, ..held };
    let batch = Batch::of_nothing(Some(held), next);
    sink.commit(opened.fence, &batch).await.expect("it follows");
    let told = "SELECT to_char(as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD') FROM checkpoint";
    assert_eq!(tables.rows(told), ["2026-01-01"]);
}

/// While a sink catches up, its tables do not say that they are of now.
async fn state_is_of_the_time_that_the_log_has_come_to(tables: &impl Tables) {
    let mut scene = Scene::new(15, Retention::default());
    scene.push(Body::Connection(turn(1, Turn::Live)));
    scene.records(40);
    let mut sink = tables.sink();
    let opened = sink.open(&scene.house.claim()).await.expect("it is there");
    let at = |offset| Checkpoint::in_log(scene.house.journal(), offset);
    let mut batches = scene.house.reader.batches(0).expect("a log");
    let all: Vec<_> = std::iter::from_fn(|| batches.next_shared().expect("a log")).collect();
    let nothing = Batch::of_nothing(None, at(0));
    sink.commit(opened.fence, &nothing).await.expect("it is the first");
    let came = UnixMicros(1_000_000);
    let mut batch = Batch::of_log(Some(at(0)), at(scene.offset), all, std::sync::Arc::default());
    batch.as_of = Some(came);
    sink.commit(opened.fence, &batch).await.expect("it follows");
    let as_of = "SELECT DISTINCT (extract(epoch FROM as_of) * 1000000)::int8 FROM current_state";
    assert_eq!(tables.rows(as_of), [came.0.to_string()]);
    // Where it has caught up, they are.
    scene.push(Body::Connection(turn(1, Turn::Doubted)));
    scene.house.drain(tables.sink(), quick()).await.stop().await;
    let is_now = "SELECT DISTINCT as_of > now() - interval '5 minutes' FROM current_state";
    assert_eq!(tables.rows(is_now), ["t"]);
}

macro_rules! trials {
    ($name:ident, $tables:expr) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn it_is_what_the_log_s_fold_says() {
                super::it_is_what_the_log_s_fold_says(&$tables).await;
            }

            #[tokio::test]
            async fn it_is_so_after_a_lapse() {
                super::it_is_so_after_a_lapse(&$tables).await;
            }

            #[tokio::test]
            async fn a_dead_letter_leaves_later_values_alone() {
                super::a_dead_letter_leaves_later_values_alone(&$tables).await;
            }

            #[tokio::test]
            async fn a_database_that_was_put_back_is_gone_on_with() {
                super::a_database_that_was_put_back_is_gone_on_with(&$tables).await;
            }

            #[tokio::test]
            async fn state_is_of_the_time_that_the_log_has_come_to() {
                super::state_is_of_the_time_that_the_log_has_come_to(&$tables).await;
            }

            #[tokio::test]
            async fn what_tells_nothing_leaves_the_time_alone() {
                super::what_tells_nothing_leaves_the_time_alone(&$tables).await;
            }

            #[tokio::test]
            async fn a_value_before_a_dead_letter_is_in_doubt_until_the_next_one() {
                super::a_value_before_a_dead_letter_is_in_doubt_until_the_next_one(&$tables).await;
            }
        }
    };
}

trials!(postgres, Database::new());
trials!(redshift, Cluster::new());
