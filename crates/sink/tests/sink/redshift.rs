//! Tables behind a stand-in for Amazon Redshift.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use serde_json::Value;
use unbroken_core::fold::Fold;
use unbroken_core::ids::Key;
use unbroken_core::record::{Body, Change, Origin};
use unbroken_core::time::UnixMicros;
use unbroken_sink::{
    AskOptions, Batch, Checkpoint, Doing, Ended, Redshift, RedshiftConfig, Sink, SinkError,
    redshift_server,
};

use crate::house::{House, change, config, quick};
use crate::object_store::Bucket;
use crate::overtaken::{NO_RECORDS, in_order, in_tables};
use crate::postgres::any;
use crate::roads::{told, trust};
use crate::shelf::{Held, Target};
use crate::stand_in::StandIn;

/// By which the cluster reads.
const ROLE: &str = "arn:aws:iam::123456789012:role/copy";

/// A schema of a cluster, and a bucket.
pub(crate) struct Cluster(pub(crate) StandIn);

impl Cluster {
    pub(crate) fn new() -> Self {
        Self(StandIn::start())
    }

    /// A sink that goes to the bucket by another way.
    pub(crate) fn by_way_of(&self, endpoint: &str) -> Redshift {
        self.with("test", Some(ROLE), Bucket::options_by(endpoint))
    }

    fn with(&self, name: &str, role: Option<&str>, options: Vec<(String, String)>) -> Redshift {
        Redshift::new(self.config(name, role, options))
    }

    /// A sink that goes to the cluster by another way.
    pub(crate) fn by(&self, url: &str) -> Redshift {
        let config = self.config("test", Some(ROLE), self.0.bucket.options());
        Redshift::new(RedshiftConfig { server: redshift_server(url).expect("a URL"), ..config })
    }

    fn config(
        &self,
        name: &str,
        role: Option<&str>,
        options: Vec<(String, String)>,
    ) -> RedshiftConfig {
        let options: AskOptions = Arc::new(move || {
            let options = options.clone();
            Box::pin(async move { Ok(options) })
        });
        RedshiftConfig {
            name: name.to_owned(),
            server: redshift_server(&self.0.url()).expect("a URL"),
            tls: trust(&[]),
            password: None,
            schema: "unbroken".to_owned(),
            stage: format!("s3://{}/out", self.0.bucket.name),
            options,
            ca: None,
            role: role.map(str::to_owned),
        }
    }

    fn named(&self, name: &str) -> Redshift {
        self.with(name, Some(ROLE), self.0.bucket.options())
    }

    /// Of PostgreSQL itself.
    pub(crate) fn query(&self, query: &str) -> Vec<String> {
        self.0.server.query(&format!("SET search_path TO unbroken; {query}")).split_off(1)
    }

    /// The names of objects below the schema's folder.
    fn objects(&self, folder: &str) -> Vec<String> {
        let of_schema = self.query("SELECT folder FROM checkpoint");
        let prefix = format!("out/{}/{folder}/", of_schema[0]);
        let all = self.0.bucket.ask("names");
        let names = all.lines().filter_map(|name| name.strip_prefix(&prefix));
        names.map(str::to_owned).collect()
    }
}

impl Target for Cluster {
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
    let (mut cluster, mut house) = (Cluster::new(), House::new());
    let running = house.pump(cluster.sink(), quick());
    for round in 0..4_u64 {
        house.events(1_000);
        let offset = 1_000 * round + 300;
        running.until("it is in the middle", |it| it.counts().next_offset > offset).await;
        cluster.0.server.kill();
        cluster.0.server.start_again();
    }
    running.until("it has everything", |it| it.counts().next_offset == 4_000).await;
    assert!(running.progress.counts().failures >= 4, "{:?}", running.progress);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(cluster.ids(), house.ids_from(0));
}

/// The connection is cut at each of the statements, before it is done and when it is, COMMIT among
/// them: of some it is not known what became of them.
#[tokio::test]
async fn a_connection_that_is_cut_anywhere_loses_and_doubles_nothing() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    let mut expected = 0;
    // As many as it takes to open it and to commit a batch, and more.
    for left in 0..28 {
        for when in ["before", "after"] {
            house.events(7);
            expected += 7;
            cluster.0.cut(left, when);
            house.drain(cluster.sink(), quick()).await.stop().await;
        }
    }
    let ids = cluster.ids();
    assert_eq!(ids.len(), expected);
    assert_eq!(ids, house.ids_from(0));
    let asked = cluster.0.statements();
    let count = |what: &str| asked.lines().filter(|line| line.starts_with(what)).count();
    assert!(count("COPY") > 56 && count("COMMIT") < count("BEGIN"), "{}", count("COPY"));
}

/// Of a release that knows more tables than this one, or other ones.
#[tokio::test]
async fn a_schema_of_another_version_is_left_alone() {
    let (cluster, house) = (Cluster::new(), House::new());
    house.drain(cluster.sink(), quick()).await.stop().await;
    let fence = cluster.query("SELECT fence FROM checkpoint");
    cluster.query("UPDATE checkpoint SET schema_version = 2");
    let refused = cluster.sink().open(&house.claim()).await.expect_err("it is another version");
    assert!(matches!(&refused, SinkError::Blocked(_)), "{refused:?}");
    assert!(refused.to_string().contains("has version 2, and not 1"), "{refused}");
    assert_eq!(cluster.query("SELECT fence FROM checkpoint"), fence);
}

#[tokio::test]
async fn two_that_make_the_schema_at_once_make_it_once() {
    let (cluster, house) = (Cluster::new(), House::new());
    let (mut one, mut other) = (cluster.named("test"), cluster.named("test"));
    let claim = house.claim();
    let (one, other) = tokio::join!(one.open(&claim), other.open(&claim));
    let (one, other) = (one.expect("it is made"), other.expect("it is made"));
    assert_ne!(one.fence, other.fence);
    assert_eq!(cluster.query("SELECT count(*) FROM checkpoint"), ["1"]);
    let refused = cluster.named("other").open(&claim).await.expect_err("it is another's");
    assert!(matches!(&refused, SinkError::Blocked(_)) && refused.to_string().contains("`test`"));
}

/// Whatever its columns have no place for is kept beside the tables, whole.
#[tokio::test]
async fn rows_without_a_place_are_dead_letters() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    house.events(20);
    let bad: [fn(Change) -> Change; 4] = [
        |change| Change { key: Key::new("agent\0zero"), ..change },
        |change| Change { key: Key::new("k".repeat(513)), ..change },
        |change| Change { occurred_at: Some(UnixMicros(i64::MAX)), ..change },
        |change| Change { kind: Some("k".repeat(257).as_str().into()), ..change },
    ];
    for bad in bad {
        house.append([Body::Change(bad(change(20, Origin::Live)))]);
        house.events(20);
    }
    let running = house.drain(cluster.sink(), quick()).await;
    assert_eq!(running.progress.counts().parked, 4);
    assert_eq!(running.stop().await, Ended::Stopped);
    let mut expected = house.ids_from(0);
    for offset in [83, 62, 41, 20] {
        expected.remove(offset);
    }
    assert_eq!(cluster.ids(), expected);
    let letters = cluster.query("SELECT log_offset, why FROM dead_letters ORDER BY 1");
    assert_eq!(
        letters,
        [
            "20|key holds the character U+0000",
            "41|key has 513 bytes, and its column 512",
            "62|occurred_at is outside of the years 1 to 9999",
            "83|kind has 257 bytes, and its column 256",
        ]
    );
    let kept = cluster.query("SELECT kept_at FROM dead_letters ORDER BY log_offset");
    let event: Value = serde_json::from_str(&cluster.0.bucket.ask(&kept[0])).expect("JSON");
    assert_eq!(event["id"], house.ids_from(20)[0]);
    assert_eq!(event["data"]["key"], "agent\0zero");
    // The other three are of a key whose value is not the last one any more.
    let doubted = "SELECT count(*) FROM state WHERE doubted_since IS NOT NULL";
    assert_eq!(cluster.query(doubted), ["0"], "it was written since");
}

/// What the server itself refuses is looked for, and put aside as well.
#[tokio::test]
async fn a_row_that_the_server_refuses_is_a_dead_letter() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    house.events(20);
    house.drain(cluster.sink(), quick()).await.stop().await;
    cluster.query("ALTER TABLE events ALTER COLUMN kind TYPE varchar(5); SELECT 1");
    let long = Change { kind: Some("status".into()), ..change(20, Origin::Live) };
    house.append([Body::Change(long)]);
    house.events(20);
    let running = house.drain(cluster.sink(), quick()).await;
    assert_eq!((running.progress.counts().parked, running.progress.counts().failures), (1, 0));
    assert_eq!(running.stop().await, Ended::Stopped);
    let mut expected = house.ids_from(0);
    expected.remove(20);
    assert_eq!(cluster.ids(), expected);
    assert_eq!(cluster.query("SELECT log_offset, why FROM dead_letters"), ["20|SQLSTATE 22001"]);
    // Given again from a checkpoint that is set back, when there is room for it.
    let to = format!("{}:{}", house.journal(), 20);
    cluster.query(&format!(
        "ALTER TABLE events ALTER COLUMN kind TYPE varchar(64); \
         UPDATE checkpoint SET checkpoint = '{to}'; SELECT 1"
    ));
    house.drain(cluster.sink(), quick()).await.stop().await;
    assert_eq!((cluster.ids(), cluster.aside()), (house.ids_from(0), Some(0)));
}

/// COPY names no row, and what it says has no class of its own.
#[tokio::test]
async fn a_row_that_copy_refuses_is_a_dead_letter() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    cluster.0.refuse("unloved");
    house.events(20);
    let unloved = Change { key: Key::new("unloved"), ..change(20, Origin::Live) };
    house.append([Body::Change(unloved)]);
    house.events(20);
    let running = house.drain(cluster.sink(), quick()).await;
    assert_eq!((running.progress.counts().parked, running.progress.counts().failures), (1, 0));
    assert_eq!(running.stop().await, Ended::Stopped);
    let mut expected = house.ids_from(0);
    expected.remove(20);
    assert_eq!(cluster.ids(), expected);
    let letters = cluster.query("SELECT log_offset || why FROM dead_letters");
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert!(letter.starts_with("20Load into table 'incoming' failed."), "{letter}");
    assert!(letter.ends_with("(SQLSTATE XX000)"), "{letter}");
}

/// A payload that is larger than a column is in an object, and its row says so.
#[tokio::test]
async fn what_is_too_large_for_a_column_is_in_an_object() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    house.events(10);
    let payload = |length: usize| format!("{{\"text\":\"{}\"}}", "x".repeat(length - 11));
    for length in [65_535, 65_536, 3_000_000] {
        let payload = payload(length);
        let large = Change { payload: payload.into(), ..change(3, Origin::Live) };
        house.append([Body::Change(large)]);
    }
    let bytes = Change { payload: vec![0xff, b'\\', 0].into(), ..change(4, Origin::Live) };
    house.append([Body::Change(bytes)]);
    house.events(10);
    let running = house.drain(cluster.sink(), quick()).await;
    assert_eq!((running.progress.counts().parked, running.progress.counts().failures), (0, 0));
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(cluster.ids(), house.ids_from(0));
    let rows = cluster.query(
        "SELECT log_offset, octet_length(payload), kept_at IS NOT NULL, payload_bytes \
         FROM events WHERE log_offset BETWEEN 10 AND 13 ORDER BY 1",
    );
    assert_eq!(rows, ["10|65535|f|", "11||t|", "12||t|", "13||f|\\xff5c00"]);
    let kept = cluster.query("SELECT kept_at FROM events WHERE log_offset = 12");
    let event: Value = serde_json::from_str(&cluster.0.bucket.ask(&kept[0])).expect("JSON");
    assert_eq!(event["data"]["payload"]["text"].as_str().expect("it").len(), 3_000_000 - 11);
    assert_eq!(cluster.objects("kept").len(), 2);
}

/// What was loaded is deleted, and what others have left; nothing else is.
#[tokio::test]
async fn objects_that_are_over_are_deleted_and_no_others() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    house.events(300);
    let running = house.drain(cluster.sink(), quick()).await;
    // It comes to that between two batches, a second later at the most.
    let begun = std::time::Instant::now();
    while !cluster.objects("batch").is_empty() {
        assert!(begun.elapsed() < crate::house::PATIENCE, "{:?}", cluster.objects("batch"));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(running.stop().await, Ended::Stopped);
    let of_schema = cluster.query("SELECT folder FROM checkpoint").remove(0);
    let journal = house.journal();
    let range = "00000000000000000000-00000000000000000009-1";
    let [older, newer] =
        [1, 1_u64 << 40].map(|fence| format!("{fence:010}-{journal}-{range}.parquet"));
    let ours = |name: &str| format!("out/{of_schema}/batch/{name}");
    let others = [ours(&newer), ours("notes.txt"), format!("out/other/batch/{older}")];
    for name in others.iter().chain([&ours(&older)]) {
        cluster.0.bucket.ask(&format!("put:{name}"));
    }
    let mut sink = cluster.sink();
    let fence = sink.open(&house.claim()).await.expect("it is there").fence;
    sink.tend(fence).await.expect("they can be deleted");
    let mut expected = others.to_vec();
    expected.sort();
    assert_eq!(cluster.0.bucket.ask("names").lines().collect::<Vec<_>>(), expected);
}

/// Whoever has the sink goes on.
#[tokio::test]
async fn who_cannot_list_the_objects_takes_the_sink_from_nobody() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    house.events(10);
    let running = house.drain(cluster.sink(), quick()).await;
    let config = cluster.config("test", Some(ROLE), cluster.0.bucket.options());
    let stage = "s3://no-bucket/out".to_owned();
    let mut other = Redshift::new(RedshiftConfig { stage, ..config });
    let refused = other.open(&house.claim()).await.expect_err("there is no such bucket");
    assert!(refused.todo().contains("create the bucket"), "{refused:?}");
    // A store that says nothing: whoever asks it waits for long.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("a port"));
    let mut other = cluster.with("test", Some(ROLE), Bucket::options_by(&endpoint));
    let (claim, fence) = (house.claim(), cluster.query("SELECT fence FROM checkpoint"));
    let opening = tokio::spawn(async move { other.open(&claim).await.map(drop) });
    let _asked = silent.accept().await.expect("it is asked");
    assert_eq!(cluster.query("SELECT fence FROM checkpoint"), fence);
    house.events(10);
    running.until("it goes on", |it| it.counts().next_offset == 20).await;
    opening.abort();
    assert_eq!(running.progress.counts().failures, 0, "{:?}", running.progress);
    assert_eq!(running.stop().await, Ended::Stopped);
}

/// What was left by others is deleted when there is time, and is in nobody's way.
#[tokio::test]
async fn objects_that_cannot_be_deleted_hold_no_batch_up() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    house.events(10);
    house.drain(cluster.sink(), quick()).await.stop().await;
    let of_schema = cluster.query("SELECT folder FROM checkpoint").remove(0);
    let range = "00000000000000000000-00000000000000000009-1";
    let left = format!("out/{of_schema}/batch/{:010}-{}-{range}.parquet", 1, house.journal());
    cluster.0.bucket.ask(&format!("put:{left}"));
    let endpoint = undeletable(&cluster.0.bucket.endpoint);
    let mut sink = cluster.with("test", Some(ROLE), Bucket::options_by(&endpoint));
    let opened = sink.open(&house.claim()).await.expect("it is there");
    let held = opened.checkpoint.expect("it was written");
    let next = Checkpoint { next_offset: held.next_offset + 1, ..held };
    let batch = Batch::of_nothing(Some(held), next);
    sink.commit(opened.fence, &batch).await.expect("it is taken");
    let refused = sink.tend(opened.fence).await.expect_err("nothing can be deleted");
    assert!(told(&refused).contains("deleting an object that is over"), "{}", told(&refused));
    let again = Checkpoint { next_offset: next.next_offset + 1, ..next };
    sink.commit(opened.fence, &Batch::of_nothing(Some(next), again)).await.expect("it is taken");
    let name = left.rsplit('/').next().expect("a name").to_owned();
    assert!(cluster.objects("batch").contains(&name));
}

/// A way to an object store by which nothing is deleted. It ends with the test's process.
fn undeletable(endpoint: &str) -> String {
    let to = endpoint.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("a port");
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut server = TcpStream::connect(&to).expect("it listens");
            let back = (server.try_clone().expect("ours"), client.try_clone().expect("ours"));
            thread::spawn(move || io::copy(&mut &back.0, &mut &back.1));
            thread::spawn(move || {
                let mut bytes = [0; 16 * 1024];
                while let Ok(length @ 1..) = client.read(&mut bytes) {
                    let asked = &bytes[..length];
                    // Many at once are deleted by a POST; nothing else here is one.
                    let is_refused = asked.starts_with(b"POST ") || asked.starts_with(b"DELETE ");
                    let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
                    let passed = match is_refused {
                        true => client.write_all(answer),
                        false => server.write_all(asked),
                    };
                    if passed.is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("http://{at}")
}

/// By a role, the cluster's default role, or keys, which nobody is told.
#[tokio::test]
async fn copy_is_given_a_role_or_keys_and_keys_are_not_told() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    let options = |secret: &str| {
        let mut options = cluster.0.bucket.options();
        options.retain(|(key, _)| key != "aws_secret_access_key");
        options.push(("secret_access_key".to_owned(), secret.to_owned()));
        options
    };
    let keys = "CREDENTIALS 'aws_access_key_id=test;aws_secret_access_key=copy-s3cr3t' FORMAT";
    let mut expected = Vec::new();
    for (role, secret, copied) in
        [(Some("default"), "test", "IAM_ROLE DEFAULT FORMAT"), (None, "copy-s3cr3t", keys)]
    {
        house.events(10);
        house.drain(cluster.with("test", role, options(secret)), quick()).await.stop().await;
        expected.push(copied);
    }
    let asked = cluster.0.statements();
    let copies = asked.lines().filter(|line| line.starts_with("COPY"));
    assert!(copies.zip(&expected).all(|(copy, copied)| copy.contains(copied)), "{asked}");
    house.events(10);
    let running = house.pump(cluster.with("test", None, options("s3cr3t")), quick());
    running.until("it says so", |it| it.counts().failures > 0).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("SQLSTATE XX000"), "{trouble:?}");
    assert!(!format!("{trouble:?}").contains("s3cr3t"), "{trouble:?}");
    assert_eq!(running.stop().await, Ended::Stopped);
    let mut keyless = options("");
    keyless.retain(|(key, _)| !key.contains("secret"));
    let refused = cluster.with("test", None, keyless).open(&house.claim()).await;
    let refused = refused.expect_err("neither a role nor keys");
    assert!(refused.to_string().contains("neither a role nor keys"), "{}", told(&refused));
    assert_eq!(cluster.ids(), house.ids_from(0)[..20]);
}

/// What a person does to a schema that is theirs, too.
#[tokio::test]
async fn columns_of_others_are_no_hindrance_but_a_column_that_is_gone_is_missed() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    house.events(100);
    house.drain(cluster.sink(), quick()).await.stop().await;
    cluster.query(
        "ALTER TABLE events ADD COLUMN team varchar(20); \
         ALTER TABLE state ADD COLUMN seat int DEFAULT 1; SELECT 1",
    );
    house.events(100);
    let running = house.drain(cluster.sink(), quick()).await;
    assert_eq!(running.progress.counts().failures, 0);
    cluster.query("ALTER TABLE events RENAME COLUMN kind TO sort; SELECT 1");
    house.events(10);
    running.until("it says so", |it| it.doing() == Doing::Blocked).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("kind") && trouble.todo.contains("put back"), "{trouble:?}");
    assert_eq!(running.progress.counts().parked, 0);
    cluster.query("ALTER TABLE events RENAME COLUMN sort TO kind; SELECT 1");
    running.until("it goes on", |it| it.counts().next_offset == 210).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(cluster.ids(), house.ids_from(0));
}

/// Rows that are given again since somebody has set the checkpoint back are there once.
#[tokio::test]
async fn a_checkpoint_that_was_moved_by_hand_is_gone_on_from() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    house.events(300);
    let running = house.drain(cluster.sink(), quick()).await;
    let to = format!("{}:{}", house.journal(), 120);
    cluster.query(&format!("UPDATE checkpoint SET checkpoint = '{to}'; SELECT 1"));
    house.events(50);
    running.until("it has seen it", |it| it.counts().failures > 0).await;
    running.until("it has everything", |it| it.counts().next_offset == 350).await;
    assert!(running.progress.counts().records >= 300 + 230);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(cluster.ids(), house.ids_from(0));
    assert_eq!(cluster.query("SELECT count(*) FROM state"), ["7"]);
}

/// The present value of each key, and when it was written, as the log's own fold has it.
#[tokio::test]
async fn state_is_that_of_the_log_whatever_brackets_do() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    let mut rng = fastrand::Rng::with_seed(7);
    let mut fold = Fold::new(true);
    let mut open = None;
    for number in 0..1_200 {
        let body = any(&mut rng, number, &mut open);
        house.append([body]);
    }
    let mut batches = house.reader.batches(0).expect("a log");
    while let Some(batch) = batches.next_shared().expect("a log") {
        batch.entries_from(0).for_each(|(offset, record)| fold.apply(offset, record));
    }
    let mut config = config();
    config.cut.records_max = 13;
    house.drain(cluster.sink(), config).await.stop().await;
    let held = fold.streams.values().next().expect("a stream");
    let expected: BTreeMap<String, String> = held
        .keys
        .iter_unordered()
        .map(|(key, value)| {
            let text = String::from_utf8(value.payload.to_vec()).expect("text");
            (key.to_string(), format!("{}|{}|{text}", value.offset, u8::from(value.present)))
        })
        .collect();
    let told = cluster.query(
        "SELECT key || '|' || log_offset || '|' || present::int || '|' || \
             coalesce(payload, '') FROM state",
    );
    let told: BTreeMap<String, String> = told
        .iter()
        .map(|line| line.split_once('|').expect("two"))
        .map(|(key, rest)| (key.to_owned(), rest.to_owned()))
        .collect();
    assert_eq!(told, expected);
    assert!(told.len() > 20, "{}", told.len());
    let staged = held.staged.as_ref().map_or(0, |staged| staged.items.len());
    let distinct = cluster.query("SELECT count(DISTINCT key) FROM staged");
    assert_eq!(distinct, [staged.to_string()]);
}

/// The stand-in would tell: what Redshift does not have is refused.
#[tokio::test]
async fn the_stand_in_refuses_what_redshift_does_not_have() {
    let stand_in = StandIn::start();
    let server = redshift_server(&stand_in.url()).expect("a URL");
    let connected = server.connect(tokio_postgres::NoTls).await.expect("it listens");
    let (client, connection) = connected;
    tokio::spawn(connection);
    client.simple_query("CREATE TABLE t (a integer) DISTSTYLE ALL").await.expect("it has that");
    for statement in [
        "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT INTO t (a) VALUES (1) RETURNING a",
        "SELECT a FROM t FOR UPDATE",
        "CREATE INDEX i ON t (a)",
        "CREATE TABLE u (a jsonb)",
        "CREATE TABLE u (a text)",
        "CREATE TABLE u (a varchar(65536))",
        "TRUNCATE t",
        "SELECT DISTINCT ON (a) a FROM t",
        "SELECT 't'::regclass",
        "SELECT a FROM t WHERE a IS NOT DISTINCT FROM 1",
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT now()",
        "SELECT 1 AS snapshot",
        "SELECT 'a\\b'",
        "SELECT 1; SELECT 2",
        "SELECT (SELECT",
        "COPY t FROM 's3://b/m' IAM_ROLE DEFAULT FORMAT AS CSV",
        "COPY t FROM 's3://b/m' ACCESS_KEY_ID 'a' SECRET_ACCESS_KEY 'b' FORMAT AS PARQUET MANIFEST",
    ] {
        let refused = client.simple_query(statement).await;
        assert!(refused.is_err(), "{statement}");
    }
    let refused = client.query("SELECT a FROM t", &[]).await;
    assert!(refused.is_err(), "parameters");
}
