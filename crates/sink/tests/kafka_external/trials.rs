//! What only a broker shows: what was aborted, what is open, and who is fenced out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use unbroken_core::record::{Body, Origin, digest};
use unbroken_journal::Retention;
use unbroken_sink::rdkafka::ClientConfig;
use unbroken_sink::rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use unbroken_sink::rdkafka::client::DefaultClientContext;
use unbroken_sink::rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use unbroken_sink::{
    Checkpoint, Doing, Ended, Kafka, KafkaConfig, KafkaEvents, Progress, PumpConfig, Retry, Sink,
    StartAt,
};

use crate::broker::{Broker, Told};
use crate::house::{House, PATIENCE, change, config};
use crate::road::{Road, Way};
use crate::shelf::Target as _;
use crate::topics::{Topics, id};

/// A fence that nobody comes to.
const NEVER: u64 = 1 << 60;

/// Tries again at once.
fn quick() -> PumpConfig {
    let first = std::time::Duration::from_millis(5);
    PumpConfig { retry: Retry { first, longest: 8 * first, blocked: 8 * first }, ..config() }
}

fn settings(topics: &Topics) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", topics.broker.servers());
    settings
}

/// Somebody else's producer, in a transaction.
fn producer(topics: &Topics, transactional_id: &str) -> BaseProducer {
    let producer: BaseProducer =
        settings(topics).set("transactional.id", transactional_id).create().expect("a producer");
    producer.init_transactions(PATIENCE).expect("it is taken");
    producer.begin_transaction().expect("it begins");
    producer
}

fn send(producer: &BaseProducer, topic: &str, key: &str, body: &str) {
    let record = BaseRecord::to(topic).key(key).payload(body).partition(0);
    producer.send(record).map_err(|(error, _)| error).expect("room");
    producer.flush(PATIENCE).expect("it is taken");
}

async fn make(topics: &Topics, name: &str, partitions: i32, more: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> = settings(topics).create().expect("a client");
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (key, value) in more {
        topic = topic.set(key, value);
    }
    let made = admin.create_topics([&topic], &AdminOptions::new()).await.expect("an answer");
    made.into_iter().for_each(|made| drop(made.expect("it is made")));
}

/// The broker is killed again and again, in the middle of whatever it does. What it acknowledged in
/// the last second is gone then, data and checkpoint alike, and is given again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_has_every_record_once_and_in_order() {
    let (mut topics, mut house) = (Topics::new(), House::new());
    let running = house.pump(topics.sink(), quick());
    running.until("it is open", |it| it.doing() == Doing::Running).await;
    topics.broker.has_saved("record.checkpoints");
    for round in 0..6_u64 {
        house.events(3_000);
        let offset = 3_000 * round + 500;
        running.until("it is in the middle", |it| it.counts().next_offset > offset).await;
        topics.broker.kill();
        topics.broker.start_again();
    }
    running.until("it has everything", |it| it.counts().next_offset == 18_000).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(topics.ids(), house.ids_from(0));
}

/// It tells clients where it is, as a text and a number: on the way it is told to be at the road.
fn road_to(broker: &Broker) -> Road {
    let named = |at: SocketAddr| {
        let port = i32::from(at.port()).to_be_bytes();
        [at.ip().to_string().as_bytes(), &port].concat()
    };
    let server: SocketAddr = broker.servers().parse().expect("an address");
    Road::renaming(server, |at| Some([named(server), named(at)]))
}

/// The client knows how to go on with what it has sent and was not answered about: its messages and
/// transactions have numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_at_any_byte_loses_and_doubles_nothing() {
    for topics in [Topics::new(), Topics::without_transactions()] {
        let (mut house, road) = (House::new(), road_to(&topics.broker));
        let running = house.pump(topics.by(road.at().to_string()), quick());
        running.until("it is open", |it| it.doing() == Doing::Running).await;
        let (mut rng, mut cuts) = (fastrand::Rng::with_seed(1), 0);
        for _ in 0..400 {
            if cuts == 20 {
                break;
            }
            match rng.bool() {
                true => road.close_after(Way::Back, rng.i64(0..800)),
                false => road.close_after(Way::Forth, rng.i64(0..60_000)),
            }
            house.events(140);
            let end = house.end_offset();
            let is_over = |it: &Progress| road.is_closed() || it.counts().next_offset == end;
            running.until("it is cut, or through", is_over).await;
            cuts += u32::from(road.is_closed());
            tokio::time::sleep(Duration::from_millis(rng.u64(0..30))).await;
            road.open();
            running.until("it goes on", |it| it.counts().next_offset == end).await;
        }
        assert_eq!(cuts, 20, "it goes by the road");
        assert_eq!(running.stop().await, Ended::Stopped);
        assert_eq!(topics.ids(), house.ids_from(0));
    }
}

/// Some thousand here, and as many as `PENDING_ROWS` says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_was_away_is_given_what_is_pending() {
    let rows: u64 =
        std::env::var("PENDING_ROWS").map_or(20_000, |it| it.parse().expect("a number"));
    for (mut topics, transactional) in
        [(Topics::new(), true), (Topics::without_transactions(), false)]
    {
        let mut house = House::new();
        // What it has made is on its disk.
        house.drain(topics.sink(), quick()).await.stop().await;
        topics.broker.end();
        let running = house.pump(topics.sink(), quick());
        house.events(rows);
        running.until("it has tried", |it| it.counts().failures > 0).await;
        assert_eq!(running.progress.counts().records, 0, "it was down");
        topics.broker.start_again();
        running.until("it has everything", |it| it.counts().next_offset == rows).await;
        assert_eq!(running.stop().await, Ended::Stopped);
        assert_eq!(topics.ids(), house.ids_from(0), "transactional = {transactional}");
    }
}

/// It is told to end, and forgets nothing: without transactions no other loss could be made good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_transactions_a_broker_that_ends_has_every_record() {
    let (mut topics, mut house) = (Topics::without_transactions(), House::new());
    let running = house.pump(topics.sink(), quick());
    for round in 0..3_u64 {
        house.events(1_000);
        let offset = 1_000 * round + 200;
        running.until("it is in the middle", |it| it.counts().next_offset > offset).await;
        topics.broker.end();
        topics.broker.start_again();
    }
    running.until("it has everything", |it| it.counts().next_offset == 3_000).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(topics.ids(), house.ids_from(0));
}

/// What an instance that went away had begun is ended by the next one, and never seen.
#[tokio::test]
async fn what_was_begun_and_not_ended_is_never_seen() {
    let (topics, mut house) = (Topics::new(), House::new());
    house.events(100);
    house.drain(topics.sink(), quick()).await.stop().await;
    let zombie = producer(&topics, "record.test");
    send(&zombie, "record.events", "agent-1", r#"{"id":"half a batch"}"#);
    let checkpoint = format!("{}:{}", house.journal(), 7);
    let body = format!(r#"{{"sink":"test","fence":{NEVER},"checkpoint":"{checkpoint}"}}"#);
    send(&zombie, "record.checkpoints", "test", &body);
    house.events(100);
    house.drain(topics.sink(), quick()).await.stop().await;
    assert!(zombie.commit_transaction(PATIENCE).is_err(), "it comes too late");
    assert_eq!(topics.ids(), house.ids_from(0));
}

/// Between the two the older instance must not take the sink back.
#[tokio::test]
async fn whoever_fences_an_instance_out_may_write_its_fence_a_moment_later() {
    let (topics, mut house) = (Topics::new(), House::new());
    house.events(50);
    let running = house.drain(topics.sink(), quick()).await;
    let newer = producer(&topics, "record.test");
    house.events(50);
    // In less the older one opens the sink again.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let checkpoint = format!("{}:{}", house.journal(), 50);
    let body = format!(r#"{{"sink":"test","fence":{NEVER},"checkpoint":"{checkpoint}"}}"#);
    send(&newer, "record.checkpoints", "test", &body);
    newer.commit_transaction(PATIENCE).expect("it is not fenced out itself");
    assert_eq!(running.ended().await, Ended::Fenced);
    assert_eq!(topics.ids(), &house.ids_from(0)[..50]);
}

/// Others may use the topic of checkpoints: the last one of ours may lie behind what they have not
/// ended.
#[tokio::test]
async fn a_checkpoint_behind_an_open_transaction_of_others_is_waited_for() {
    let (topics, mut house) = (Topics::new(), House::new());
    house.events(50);
    let running = house.drain(topics.sink(), quick()).await;
    let other = producer(&topics, "somebody");
    let held = topics.broker.messages("record.checkpoints").pop().expect("a checkpoint");
    send(&other, "record.checkpoints", "test", &String::from_utf8(held.body).expect("text"));
    house.events(50);
    running.until("it goes on", |it| it.counts().next_offset == 100).await;
    running.stop().await;
    let running = house.pump(topics.sink(), quick());
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(running.progress.doing(), Doing::Opening);
    other.abort_transaction(PATIENCE).expect("it is ended");
    house.events(50);
    running.until("it goes on", |it| it.counts().next_offset == 150).await;
    running.stop().await;
    assert_eq!(topics.ids(), house.ids_from(0));
}

/// In each partition in the order of the log, and each key in one.
#[tokio::test]
async fn a_key_s_records_are_in_one_partition_in_order() {
    let (topics, mut house) = (Topics::new(), House::new());
    house.events(700);
    let config = KafkaConfig { partitions: 3, events: KafkaEvents::Binary, ..topics.config() };
    house.drain(Kafka::new(config), quick()).await.stop().await;
    let told = topics.events();
    let mut by_key: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
    told.iter().for_each(|told| by_key.entry(&told.key).or_default().push(told));
    assert_eq!(by_key.len(), 7);
    for (key, told) in by_key {
        assert!(told.iter().all(|it| it.partition == told[0].partition), "{key}");
        let numbers: Vec<u64> = told
            .iter()
            .map(|it| it.header("ce_id").rsplit(':').next().expect("an offset"))
            .map(|offset| offset.parse().expect("a number"))
            .collect();
        assert!(numbers.is_sorted() && numbers.len() == 100, "{key}: {numbers:?}");
    }
    let used: std::collections::BTreeSet<i32> = told.iter().map(|told| told.partition).collect();
    assert!(used.len() > 1, "{used:?}");
}

#[tokio::test]
async fn a_topic_that_would_lose_the_checkpoint_is_refused() {
    let (topics, house) = (Topics::new(), House::new());
    for (prefix, setting, why) in [
        ("a", ("cleanup.policy", "delete"), "deletes messages by their age"),
        ("b", ("cleanup.policy", "compact,delete"), "deletes messages by their age"),
        ("c", ("compression.type", "gzip"), "is compressed with gzip"),
    ] {
        let compact = [("cleanup.policy", "compact"), setting];
        let settings = if setting.0 == compact[0].0 { &compact[1..] } else { &compact[..] };
        make(&topics, &format!("{prefix}.checkpoints"), 1, settings).await;
        let config = KafkaConfig { prefix: prefix.to_owned(), ..topics.config() };
        let refused = Kafka::new(config).open(&house.claim()).await.expect_err("it would be lost");
        assert!(refused.to_string().contains(why), "{refused}");
        assert!(refused.todo().contains(setting.0), "{}", refused.todo());
    }
}

/// As brokers do that lose what they had acknowledged: a batch behind that would leave a hole.
#[tokio::test]
async fn a_topic_of_checkpoints_that_begins_again_is_noticed() {
    let (topics, mut house) = (Topics::new(), House::new());
    house.events(300);
    let running = house.drain(topics.sink(), quick()).await;
    let admin: AdminClient<DefaultClientContext> = settings(&topics).create().expect("a client");
    let gone = admin.delete_topics(&["record.checkpoints"], &AdminOptions::new()).await;
    gone.expect("an answer").into_iter().for_each(|gone| drop(gone.expect("it is deleted")));
    make(&topics, "record.checkpoints", 1, &[("cleanup.policy", "compact")]).await;
    house.events(50);
    running.until("it is blocked", |it| it.doing() == Doing::Blocked).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("holds no checkpoint"), "{trouble:?}");
    running.stop().await;
    assert_eq!(topics.ids(), &house.ids_from(0)[..300]);
}

#[tokio::test]
async fn two_that_open_at_once_do_not_have_one_fence() {
    for topics in [Topics::new(), Topics::without_transactions()] {
        let house = House::new();
        topics.sink().open(&house.claim()).await.expect("it is made");
        let (mut one, mut other) = (topics.sink(), topics.sink());
        let claim = house.claim();
        let (one, other) = tokio::join!(one.open(&claim), other.open(&claim));
        match (one, other) {
            (Ok(one), Ok(other)) => assert_ne!(one.fence, other.fence),
            // The one has fenced out the other one while it opened.
            (one, other) => assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_event_that_is_too_large_is_a_dead_letter() {
    let (topics, mut house) = (Topics::new(), House::new());
    house.events(100);
    let mut bad = change(100, Origin::Live);
    let payload = format!("{{\"text\":\"{}\"}}", "x".repeat(2 << 20)).into_bytes();
    (bad.digest, bad.payload) = (digest(&payload), payload.into());
    house.append([Body::Change(bad), Body::Change(change(101, Origin::Live))]);
    let running = house.drain(topics.sink(), quick()).await;
    assert_eq!((running.progress.counts().parked, running.progress.counts().failures), (1, 0));
    assert_eq!(running.stop().await, Ended::Stopped);
    let mut expected = house.ids_from(0);
    let id = expected.remove(100);
    assert_eq!(topics.ids(), expected);
    let letters = topics.broker.messages("record.dead-letters");
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].header("unbroken-id"), id);
}

#[tokio::test]
async fn a_sink_begins_with_state_and_says_what_it_never_had() {
    let (topics, mut house) = (Topics::new(), House::new());
    house.events(3_000);
    let (image, _) = house.reader.newest_image().expect("a log").expect("an image");
    let mut config = quick();
    config.start = StartAt::State;
    config.cut.records_max = 3;
    house.drain(topics.sink(), config).await.stop().await;
    let expected: Vec<String> = house.ids_from(image - 7);
    assert_eq!(topics.ids(), expected);
    let small = Retention { age_ms: None, bytes_max: Some(300 * 1024) };
    let (topics, mut house) = (Topics::new(), House::with(small));
    house.events(50);
    house.drain(topics.sink(), quick()).await.stop().await;
    house.events(8_000);
    let running = house.drain(topics.sink(), quick()).await;
    assert!(running.progress.counts().lapsed > 0);
    running.stop().await;
    let events = topics.events();
    let lapse = events.iter().map(id).position(|id| id.contains(":lapse:"));
    assert_eq!(lapse, Some(50), "behind what it had");
    let lapse: Value = serde_json::from_slice(&events[50].body).expect("JSON");
    assert_eq!(lapse["data"]["from_offset"], 50);
}

/// A person may set it back while the sink does not run.
#[tokio::test]
async fn a_checkpoint_that_was_set_back_is_gone_on_from() {
    let (topics, mut house) = (Topics::new(), House::new());
    house.events(300);
    house.drain(topics.sink(), quick()).await.stop().await;
    let held = topics.broker.messages("record.checkpoints").pop().expect("a checkpoint");
    let mut body: Value = serde_json::from_slice(&held.body).expect("JSON");
    let back = Checkpoint::in_log(house.journal(), 120);
    body["checkpoint"] = back.to_string().into();
    body["fence"] = 0.into();
    let person: BaseProducer = settings(&topics).create().expect("a producer");
    send(&person, "record.checkpoints", "test", &body.to_string());
    house.drain(topics.sink(), quick()).await.stop().await;
    let expected = [house.ids_from(0), house.ids_from(120)].concat();
    assert_eq!(topics.ids(), expected);
    let held = topics.broker.messages("record.checkpoints").pop().expect("a checkpoint");
    let body: Value = serde_json::from_slice(&held.body).expect("JSON");
    assert!(body["fence"].as_u64() > Some(1), "no old fence is a new one: {body}");
}
