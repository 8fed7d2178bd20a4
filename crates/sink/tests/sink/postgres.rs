//! Tables in a PostgreSQL server.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use unbroken_core::fold::Fold;
use unbroken_core::ids::{Key, SnapshotId};
use unbroken_core::record::{Body, Change, Effect, Origin, SnapshotBegin, digest};
use unbroken_core::time::UnixMicros;
use unbroken_sink::{
    AskPassword, Doing, Ended, Postgres, PostgresConfig, Sink, SinkError, postgres_server,
};

use crate::house::{House, change, quick, snapshot_end};
use crate::overtaken::{NO_RECORDS, in_order, in_tables};
use crate::points::is_given_up_by_the_server;
use crate::roads::trust;
use crate::server::Server;
use crate::shelf::{Held, Target};

/// A schema of a server.
pub(crate) struct Database(pub(crate) Server, bool);

impl Database {
    pub(crate) fn new() -> Self {
        Self::of(Server::start())
    }

    pub(crate) fn of(server: Server) -> Self {
        Self(server, false)
    }

    /// With a table for each day.
    pub(crate) fn by_day() -> Self {
        Self(Server::start(), true)
    }

    fn named(&self, name: &str) -> Postgres {
        self.by(name, &self.0.url())
    }

    /// A sink that goes to the server by another way.
    pub(crate) fn by(&self, name: &str, url: &str) -> Postgres {
        Postgres::new(self.config(name, url, None))
    }

    /// One that has a password to give.
    pub(crate) fn asking(&self, url: &str, password: Option<AskPassword>) -> Postgres {
        Postgres::new(self.config("test", url, password))
    }

    fn config(&self, name: &str, url: &str, password: Option<AskPassword>) -> PostgresConfig {
        PostgresConfig {
            name: name.to_owned(),
            server: postgres_server(url).expect("a URL"),
            schema: "Un \"broken\"".to_owned(),
            by_day: self.1,
            tls: trust(&[]),
            password,
        }
    }

    /// As `psql` does it, from the client's side.
    pub(crate) fn copy_from(&self, table: &str, file: &Path) {
        let copy = format!("\\copy \"Un \"\"broken\"\"\".{table} FROM '{}'", file.display());
        self.0.query(&copy);
    }

    pub(crate) fn query(&self, query: &str) -> Vec<String> {
        self.0.query(&format!("SET search_path TO \"Un \"\"broken\"\"\"; {query}")).split_off(1)
    }
}

impl Target for Database {
    fn sink(&self) -> impl Sink + 'static {
        self.named("test")
    }

    fn ids(&self) -> Vec<String> {
        self.query(
            "SELECT journal || ':' || log_offset FROM ( \
                 SELECT log, log_offset FROM events UNION ALL \
                 SELECT log, log_offset FROM staged UNION ALL \
                 SELECT log, log_offset FROM ledger \
             ) AS every JOIN logs USING (log) ORDER BY log, log_offset",
        )
    }

    fn aside(&self) -> Option<usize> {
        self.query("SELECT count(*) FROM dead_letters")[0].parse().ok()
    }

    fn whole(&self) -> Vec<String> {
        in_order(self.ids().into_iter().chain(self.query(NO_RECORDS)))
    }

    fn like(&self, held: &Held) -> Vec<String> {
        in_tables(held)
    }
}

/// The server is killed again and again, in the middle of whatever it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_has_every_record_once() {
    let (mut database, mut house) = (Database::new(), House::new());
    let running = house.pump(database.sink(), quick());
    for round in 0..6_u64 {
        house.events(3_000);
        let offset = 3_000 * round + 500;
        running.until("it is in the middle", |it| it.counts().next_offset > offset).await;
        database.0.kill();
        database.0.start_again();
    }
    running.until("it has everything", |it| it.counts().next_offset == 18_000).await;
    assert!(running.progress.counts().failures >= 6, "{:?}", running.progress);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(database.ids(), house.ids_from(0));
}

/// Of a release that knows more tables than this one, or other ones.
#[tokio::test]
async fn a_schema_of_another_version_is_left_alone() {
    let (database, house) = (Database::new(), House::new());
    house.drain(database.sink(), quick()).await.stop().await;
    let fence = database.query("SELECT fence FROM checkpoint");
    database.query("UPDATE checkpoint SET schema_version = 2");
    let refused = database.sink().open(&house.claim()).await.expect_err("it is another version");
    assert!(matches!(&refused, SinkError::Blocked(_)), "{refused:?}");
    assert!(refused.to_string().contains("has version 2, and not 1"), "{refused}");
    assert!(refused.todo().contains("the release"), "{}", refused.todo());
    assert_eq!(database.query("SELECT fence FROM checkpoint"), fence);
}

/// It waits for the lock of one that stands still in the middle of a transaction, for some seconds.
#[tokio::test]
async fn whoever_stands_still_with_a_lock_loses_it() {
    is_given_up_by_the_server(&Database::new(), "rows-written").await;
}

#[tokio::test]
async fn two_that_make_the_schema_at_once_make_it_once() {
    let (database, house) = (Database::new(), House::new());
    let (mut one, mut other) = (database.named("test"), database.named("test"));
    let claim = house.claim();
    let (one, other) = tokio::join!(one.open(&claim), other.open(&claim));
    let (one, other) = (one.expect("it is made"), other.expect("it is made"));
    assert_ne!(one.fence, other.fence);
    let refused = database.named("other").open(&claim).await.expect_err("it is another's");
    assert!(matches!(&refused, SinkError::Blocked(_)) && refused.to_string().contains("`test`"));
}

/// A character that PostgreSQL has no place for: the record is kept whole beside the tables.
#[tokio::test]
async fn a_row_that_the_server_refuses_is_a_dead_letter() {
    let (database, mut house) = (Database::new(), House::new());
    house.events(100);
    let mut bad = change(100, Origin::Live);
    bad.key = Key::new("agent\0zero");
    house.append([Body::Change(bad), Body::Change(change(101, Origin::Live))]);
    house.events(50);
    let running = house.drain(database.sink(), quick()).await;
    assert_eq!(running.progress.counts().parked, 1);
    assert_eq!(running.stop().await, Ended::Stopped);
    let mut expected = house.ids_from(0);
    expected.remove(100);
    assert_eq!(database.ids(), expected);
    let letters =
        database.query("SELECT log_offset, why, convert_from(event, 'UTF8') FROM dead_letters");
    assert_eq!(letters.len(), 1);
    assert!(letters[0].starts_with("100|a text holds the character U+0000"), "{letters:?}");
    let event = letters[0].rsplit('|').next().expect("an event");
    let event: Value = serde_json::from_str(event).expect("JSON");
    assert_eq!(event["id"], house.ids_from(100)[0]);
    assert_eq!(event["data"]["key"], "agent\0zero");
}

/// Refused by an index of a person's own, and given again when that is gone.
#[tokio::test]
async fn a_dead_letter_is_given_again_from_a_checkpoint_that_is_set_back() {
    let (database, mut house) = (Database::new(), House::new());
    house.events(100);
    house.drain(database.sink(), quick()).await.stop().await;
    database.query("CREATE INDEX numbers ON events (((payload ->> 'n')::int)); SELECT 1");
    let mut bad = change(100, Origin::Live);
    bad.payload = "{\"n\":\"many\"}".into();
    bad.digest = digest(&bad.payload);
    house.append([Body::Change(bad)]);
    let running = house.drain(database.sink(), quick()).await;
    assert_eq!(running.progress.counts().parked, 1);
    assert_eq!(running.stop().await, Ended::Stopped);
    let doubted = "SELECT key, payload ->> 'n' FROM state WHERE doubted_since IS NOT NULL";
    assert_eq!(database.query(doubted), ["agent-2|93"]);
    let to = format!("{}:{}", house.journal(), 100);
    database
        .query(&format!("DROP INDEX numbers; UPDATE checkpoint SET checkpoint = '{to}'; SELECT 1"));
    house.drain(database.sink(), quick()).await.stop().await;
    assert_eq!(database.ids(), house.ids_from(0));
    assert_eq!(database.query(doubted), Vec::<String>::new());
    assert_eq!(database.query("SELECT payload ->> 'n' FROM state WHERE key = 'agent-2'"), ["many"]);
    assert_eq!(database.aside(), Some(0), "it is none any more");
}

/// What a person does to a schema that is theirs, too.
#[tokio::test]
async fn columns_and_indexes_of_others_are_no_hindrance_but_rules_that_ours_break_are_told() {
    let (database, mut house) = (Database::new(), House::new());
    house.events(100);
    house.drain(database.sink(), quick()).await.stop().await;
    database.query(
        "ALTER TABLE events ADD COLUMN team text; ALTER TABLE state ADD COLUMN seat int DEFAULT 1; \
         CREATE INDEX ON events (key, occurred_at); SELECT 1",
    );
    house.events(100);
    let running = house.drain(database.sink(), quick()).await;
    assert_eq!(running.progress.counts().failures, 0);
    database.query("ALTER TABLE events ADD COLUMN desk text NOT NULL DEFAULT 'a'; SELECT 1");
    database.query("ALTER TABLE events ALTER COLUMN desk DROP DEFAULT; SELECT 1");
    house.events(10);
    running.until("it says so", |it| it.doing() == Doing::Blocked).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("desk") && trouble.todo.contains("must accept"), "{trouble:?}");
    assert_eq!(running.progress.counts().parked, 0);
    database.query("ALTER TABLE events DROP COLUMN desk; SELECT 1");
    running.until("it goes on", |it| it.counts().next_offset == 210).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(database.ids(), house.ids_from(0));
}

/// What a trigger says may quote a row, under whichever SQLSTATE.
#[tokio::test]
async fn what_a_trigger_says_is_not_told() {
    let (database, mut house) = (Database::new(), House::new());
    house.events(10);
    house.drain(database.sink(), quick()).await.stop().await;
    database.query(
        "CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'bad row %', NEW.payload USING ERRCODE = 'check_violation'; END $$; \
         CREATE TRIGGER judge BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION judge(); \
         SELECT 1",
    );
    house.events(10);
    let running = house.pump(database.sink(), quick());
    running.until("it is blocked", |it| it.doing() == Doing::Blocked).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("SQLSTATE 23514"), "{trouble:?}");
    assert!(!trouble.why.contains("bad row"), "{trouble:?}");
    assert_eq!(running.stop().await, Ended::Stopped);
}

/// Rows that are given again since somebody has set the checkpoint back are there once.
#[tokio::test]
async fn a_checkpoint_that_was_moved_by_hand_is_gone_on_from() {
    let (database, mut house) = (Database::new(), House::new());
    house.events(300);
    let running = house.drain(database.sink(), quick()).await;
    let to = format!("{}:{}", house.journal(), 120);
    database.query(&format!("UPDATE checkpoint SET checkpoint = '{to}'; SELECT 1"));
    house.events(50);
    running.until("it has seen it", |it| it.counts().failures > 0).await;
    running.until("it has everything", |it| it.counts().next_offset == 350).await;
    assert!(running.progress.counts().records >= 300 + 230);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(database.ids(), house.ids_from(0));
    assert_eq!(database.query("SELECT count(*) FROM state"), ["7"]);
}

/// Old days are dropped as a person likes, and come again only with events of theirs.
#[tokio::test]
async fn events_are_in_a_table_for_each_day() {
    const DAY: i64 = 86_400_000_000;
    let (database, mut house) = (Database::by_day(), House::new());
    let first = 20_784 * DAY;
    for (at, number) in [first, first + DAY - 1, first + DAY, first + 9 * DAY].iter().zip(0..) {
        house.append_at(UnixMicros(*at), [Body::Change(change(number, Origin::Live))]);
    }
    house.drain(database.sink(), quick()).await.stop().await;
    let days = "SELECT tableoid::regclass, count(*) FROM events \
        GROUP BY 1 ORDER BY min(received_at)";
    let counts = ["events_2026_11_27|2", "events_2026_11_28|1", "events_2026_12_06|1"];
    assert_eq!(database.query(days), counts);
    database.query("DROP TABLE events_2026_11_27, events_2026_12_06; SELECT 1");
    house.append_at(UnixMicros(first + 9 * DAY), [Body::Change(change(4, Origin::Live))]);
    let running = house.drain(database.sink(), quick()).await;
    assert_eq!(running.progress.counts().failures, 0);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(database.query(days), ["events_2026_11_28|1", "events_2026_12_06|1"]);
}

#[tokio::test]
async fn a_schema_of_one_table_is_not_taken_for_one_of_days() {
    let database = Database::new();
    database.named("test").open(&House::new().claim()).await.expect("it is made");
    let database = Database(database.0, true);
    let refused = database.named("test").open(&House::new().claim()).await.expect_err("one table");
    assert!(matches!(&refused, SinkError::Blocked(_)), "{refused:?}");
    assert!(refused.to_string().contains("without `partition_by`"), "{refused}");
}

/// The present value of each key, and when it was written, as the log's own fold has it.
#[tokio::test]
async fn state_is_that_of_the_log_whatever_brackets_do() {
    is_that_of_the_log(Database::new(), 0).await;
}

/// Each record a day after the one before.
#[tokio::test]
async fn state_is_that_of_the_log_with_a_table_for_each_day() {
    is_that_of_the_log(Database::by_day(), 86_400_000_000 / 40).await;
}

async fn is_that_of_the_log(database: Database, apart: i64) {
    let mut house = House::new();
    let mut rng = fastrand::Rng::with_seed(7);
    let mut fold = Fold::new(true);
    let mut open = None;
    for number in 0..3_000 {
        let body = any(&mut rng, number, &mut open);
        house.append_at(UnixMicros(1_000_000 + apart * number as i64), [body]);
    }
    let mut batches = house.reader.batches(0).expect("a log");
    while let Some(batch) = batches.next_shared().expect("a log") {
        batch.entries_from(0).for_each(|(offset, record)| fold.apply(offset, record));
    }
    let mut config = quick();
    config.cut.records_max = 13;
    house.drain(database.sink(), config).await.stop().await;
    let held = fold.streams.values().next().expect("a stream");
    let expected: BTreeMap<String, String> = held
        .keys
        .iter_unordered()
        .map(|(key, value)| {
            let text = String::from_utf8(value.payload.to_vec()).expect("text");
            (key.to_string(), format!("{}|{}|{text}", value.offset, u8::from(value.present)))
        })
        .collect();
    let told = database.query(
        "SELECT key || '|' || log_offset || '|' || present::int || '|' || \
             coalesce(payload::text, '') FROM state",
    );
    let told: BTreeMap<String, String> = told
        .iter()
        .map(|line| line.split_once('|').expect("two"))
        .map(|(key, rest)| (key.to_owned(), rest.to_owned()))
        .collect();
    assert_eq!(told, expected);
    assert!(told.len() > 20, "{}", told.len());
    let staged = held.staged.as_ref().map_or(0, |staged| staged.items.len());
    let distinct = database.query("SELECT count(DISTINCT key) FROM staged");
    assert_eq!(distinct, [staged.to_string()]);
}

/// A bracket is begun, filled, ended and dropped among changes and keys that are forgotten.
pub(crate) fn any(rng: &mut fastrand::Rng, number: u64, open: &mut Option<SnapshotId>) -> Body {
    let mut change = Change { event_id: None, ..change(number, Origin::Live) };
    change.key = Key::new(format!("agent-{}", rng.u32(0..40)));
    change.deleted = rng.u32(0..10) == 0;
    if change.deleted {
        change.payload = bytes::Bytes::new();
    }
    if rng.u32(0..8) == 0 {
        change.effect = Effect::History;
    }
    match (rng.u32(0..40), *open) {
        (0, _) => {
            let snapshot = SnapshotId(number + 1);
            *open = Some(snapshot);
            let begin = SnapshotBegin { snapshot, tag: None, rows_are_state: true, keys: None };
            Body::SnapshotBegin(begin)
        }
        (1, Some(snapshot)) => {
            *open = None;
            Body::SnapshotAbort { snapshot }
        }
        (2..4, Some(snapshot)) => {
            *open = None;
            snapshot_end(snapshot, 0)
        }
        (4..20, Some(snapshot)) => {
            change.effect = Effect::State;
            Body::SnapshotItem { snapshot, change }
        }
        (20..24, _) => Body::Forgotten { key: change.key },
        _ => Body::Change(change),
    }
}
