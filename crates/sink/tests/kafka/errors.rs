//! See the crate.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::types::{RDKafkaApiKey as Request, RDKafkaRespErr as Answer};
use serde_json::{Value, json};
use unbroken_core::record::{Body, Origin, digest};
use unbroken_sink::{
    Batch, Checkpoint, Doing, Ended, Kafka, KafkaConfig, KafkaEvents, KafkaLogin, Parked, Sink,
    SinkError,
};

use crate::house::{House, change};
use crate::mock::{CHECKPOINTS, DEAD_LETTERS, EVENTS, Mock, Told, quick};

fn event(told: &Told) -> Value {
    serde_json::from_slice(&told.body).expect("JSON")
}

fn ids(mock: &Mock) -> Vec<String> {
    let id = |told: &Told| event(told)["id"].as_str().expect("an id").to_owned();
    mock.messages(EVENTS).iter().map(id).collect()
}

#[tokio::test]
async fn brokers_that_come_and_go_are_waited_for() {
    let (mock, mut house) = (Mock::new(), House::new());
    house.events(300);
    mock.0.broker_down(1).expect("it is there");
    let running = house.pump(mock.sink(), quick());
    running.until("it says so", |it| it.doing() == Doing::Retrying).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("cannot be reached"), "{trouble:?}");
    mock.0.broker_up(1).expect("it is there");
    running.until("it has everything", |it| it.counts().next_offset == 300).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(ids(&mock), house.ids_from(0));
}

#[tokio::test]
async fn a_transaction_whose_end_is_put_off_is_ended_once() {
    let (mock, mut house) = (Mock::new(), House::new());
    house.events(50);
    let later = [
        Answer::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        Answer::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
        Answer::RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    let running = house.drain(mock.sink(), quick()).await;
    mock.answers(Request::EndTxn, &later);
    house.events(50);
    running.until("it goes on", |it| it.counts().next_offset == 100).await;
    assert_eq!(running.progress.counts().failures, 0, "{:?}", running.progress);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(ids(&mock), house.ids_from(0));
}

/// The coordinator says so of a transaction that took too long as well; then the sink goes on.
#[tokio::test]
async fn a_producer_is_fenced_out_only_by_one_that_has_the_sink() {
    for answer in [
        Answer::RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
        Answer::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
    ] {
        let (mock, mut house) = (Mock::new(), House::new());
        house.events(50);
        let running = house.drain(mock.sink(), quick()).await;
        mock.answers(Request::EndTxn, &[answer]);
        house.events(50);
        running.until("it goes on", |it| it.counts().next_offset == 100).await;
        assert!(running.progress.counts().failures > 0, "{:?}", running.progress);
        let last = mock.messages(CHECKPOINTS).pop().expect("a checkpoint");
        let mut taken = event(&last);
        assert!(taken["fence"].as_u64() > Some(1), "{taken}");
        taken["fence"] = json!(1_u64 << 60);
        mock.produce(CHECKPOINTS, "test", &taken.to_string());
        mock.answers(Request::EndTxn, &[answer]);
        house.events(50);
        assert_eq!(running.ended().await, Ended::Fenced, "{answer:?}");
    }
}

/// As long as none has written a fence of its own, none has the sink.
#[tokio::test]
async fn a_producer_that_is_fenced_out_by_nobody_while_it_takes_over_tries_again() {
    let (mock, mut house) = (Mock::new(), House::new());
    house.events(50);
    mock.answers(Request::AddPartitionsToTxn, &[Answer::RD_KAFKA_RESP_ERR_PRODUCER_FENCED]);
    let running = house.pump(mock.sink(), quick());
    running.until("it has everything", |it| it.counts().next_offset == 50).await;
    assert!(running.progress.counts().failures > 0, "{:?}", running.progress);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(ids(&mock), house.ids_from(0));
}

/// Whoever takes the sink over fences the older instance out first, and reads the topic before it
/// writes its fence there.
#[tokio::test]
async fn a_fence_that_is_written_a_moment_later_is_waited_for() {
    let (mock, mut house) = (Mock::new(), House::new());
    house.events(50);
    let running = house.drain(mock.sink(), quick()).await;
    let mut taken = event(&mock.messages(CHECKPOINTS).pop().expect("a checkpoint"));
    taken["fence"] = json!(1_u64 << 60);
    mock.answers(Request::EndTxn, &[Answer::RD_KAFKA_RESP_ERR_PRODUCER_FENCED]);
    house.events(50);
    // In less it opens the sink again.
    tokio::time::sleep(Duration::from_secs(1)).await;
    mock.produce(CHECKPOINTS, "test", &taken.to_string());
    assert_eq!(running.ended().await, Ended::Fenced);
}

/// The mock fences nobody out, so the instance finds by itself that it has lost the sink.
#[tokio::test]
async fn without_transactions_a_newer_checkpoint_is_seen() {
    let (mock, mut house) = (Mock::new(), House::new());
    let config = KafkaConfig { is_transactional: false, ..mock.config() };
    house.events(100);
    let running = house.drain(Kafka::new(config), quick()).await;
    let last = mock.messages(CHECKPOINTS).pop().expect("a checkpoint");
    assert_eq!(last.key, "test");
    let mut taken = event(&last);
    taken["fence"] = json!(1_u64 << 60);
    mock.produce(CHECKPOINTS, "test", &taken.to_string());
    house.events(100);
    assert_eq!(running.ended().await, Ended::Fenced);
    assert_eq!(ids(&mock), &house.ids_from(0)[..100]);
}

/// A broker takes or refuses what was packed together as one: the row is found by cutting.
#[tokio::test]
async fn what_a_broker_has_no_room_for_is_cut_and_then_refused() {
    let (mock, mut house) = (Mock::new(), House::new());
    house.events(6);
    let mut sink = mock.sink();
    let fence = sink.open(&house.claim()).await.expect("it is there").fence;
    let shared = house.reader.batches(0).expect("a log").next_shared().expect("a log");
    let shared: Vec<_> = shared.into_iter().collect();
    let batch = |base, until| {
        let next = Checkpoint::in_log(house.journal(), until);
        Batch::of_log(base, next, shared.clone(), Arc::default())
    };
    for is_of_one in [false, true] {
        // Of the records, and of the checkpoint if it is still sent.
        mock.answers(Request::Produce, &[Answer::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 2]);
        let told = sink.commit(fence, &batch(None, if is_of_one { 1 } else { 6 })).await;
        mock.0.clear_request_errors(Request::Produce);
        match told.expect_err("there is no room") {
            SinkError::TooMuch { from } => assert_eq!((from, is_of_one), (3, false)),
            SinkError::Refused { offset, why } => {
                assert_eq!((offset, is_of_one), (Some(0), true));
                assert!(why.contains("MessageSizeTooLarge"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    let mut aside = batch(None, 1);
    aside.parked.push(Parked { offset: 0, why: "it is \"large\"\n".to_owned() });
    sink.commit(fence, &aside).await.expect("the same producer goes on");
    sink.commit(fence, &batch(Some(aside.next), 6)).await.expect("there is room");
    let letters = mock.messages(DEAD_LETTERS);
    // One before it may have been aborted: the cluster shows that as well.
    let letter = letters.last().expect("a letter");
    let id = &house.ids_from(0)[0];
    assert_eq!(letter.header("unbroken-id"), id);
    assert_eq!(letter.header("unbroken-why"), "it is \"large\" ");
    assert_eq!(event(letter)["id"], json!(id));
    let last = mock.messages(CHECKPOINTS).pop().expect("a checkpoint");
    assert!(event(&last)["checkpoint"].as_str().is_some_and(|text| text.ends_with(":6")));
}

#[tokio::test]
async fn an_event_that_is_too_large_is_a_dead_letter() {
    let (mock, mut house) = (Mock::new(), House::new());
    let mut bad = change(0, Origin::Live);
    let payload = format!("{{\"text\":\"{}\"}}", "x".repeat(1 << 20)).into_bytes();
    (bad.digest, bad.payload) = (digest(&payload), payload.into());
    house.append([Body::Change(bad), Body::Change(change(1, Origin::Live))]);
    let running = house.drain(mock.sink(), quick()).await;
    assert_eq!((running.progress.counts().parked, running.progress.counts().failures), (1, 0));
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(ids(&mock), &house.ids_from(0)[1..]);
    let letters = mock.messages(DEAD_LETTERS);
    let letter = letters.first().expect("a letter");
    let why = letter.header("unbroken-why");
    assert!(why.contains("bytes, and the topic takes 995904 beside headers"), "{why}");
    assert!(event(letter).get("data").is_none());
    assert_eq!(letter.key, "agent-0");
}

#[tokio::test]
async fn what_is_not_permitted_is_said_with_what_to_do() {
    let (mock, mut house) = (Mock::new(), House::new());
    house.events(10);
    let running = house.drain(mock.sink(), quick()).await;
    mock.answers(Request::Produce, &[Answer::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 50]);
    house.events(10);
    running.until("it is blocked", |it| it.doing() == Doing::Blocked).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.why.contains("TopicAuthorizationFailed"), "{trouble:?}");
    assert!(trouble.todo.contains("permit the user"), "{trouble:?}");
    mock.0.clear_request_errors(Request::Produce);
    running.until("it goes on", |it| it.counts().next_offset == 20).await;
    assert_eq!(running.stop().await, Ended::Stopped);
}

#[tokio::test]
async fn topics_that_cannot_keep_the_promise_are_refused() {
    let (mock, house) = (Mock::empty(), House::new());
    let refused = mock.sink().open(&house.claim()).await.expect_err("it makes none");
    assert!(refused.to_string().contains("making its topics"), "{refused}");
    mock.0.create_topic(CHECKPOINTS, 3, 1).expect("a topic");
    let refused = mock.sink().open(&house.claim()).await.expect_err("it has three ends");
    assert!(refused.to_string().contains("has 3 partitions"), "{refused}");
    let mock = Mock::new();
    mock.produce(EVENTS, "agent-1", "{}");
    let refused = mock.sink().open(&house.claim()).await.expect_err("its checkpoint is gone");
    assert!(refused.to_string().contains("holds no checkpoint"), "{refused}");
    let mock = Mock::new();
    mock.sink().open(&house.claim()).await.expect("it is there");
    let other = KafkaConfig { name: "other".to_owned(), ..mock.config() };
    let refused = Kafka::new(other).open(&house.claim()).await.expect_err("it is another's");
    assert!(refused.to_string().contains("is that of the sink `test`"), "{refused}");
    mock.produce(CHECKPOINTS, "test", "nonsense");
    let refused = mock.sink().open(&house.claim()).await.expect_err("it cannot be read");
    assert!(refused.to_string().contains("is no checkpoint"), "{refused}");
}

/// In parts, with its data as it stands in the log; and a letter of it is the whole event.
#[tokio::test]
async fn an_event_in_parts_has_its_attributes_as_headers() {
    let (mock, mut house) = (Mock::new(), House::new());
    let mut odd = change(0, Origin::Live);
    let payload = br#"{"z":1.50,"a":1e2}"#;
    (odd.digest, odd.payload) = (digest(payload), payload.to_vec().into());
    house.append([Body::Change(odd)]);
    let config = KafkaConfig { events: KafkaEvents::Binary, ..mock.config() };
    let mut sink = Kafka::new(config);
    let fence = sink.open(&house.claim()).await.expect("it is there").fence;
    let shared = house.reader.batches(0).expect("a log").next_shared().expect("a log");
    let shared: Vec<_> = shared.into_iter().collect();
    let next = Checkpoint::in_log(house.journal(), 1);
    let batch = Batch::of_log(None, next, shared.clone(), Arc::default());
    sink.commit(fence, &batch).await.expect("it is taken");
    let told = mock.messages(EVENTS);
    let told = told.first().expect("a message");
    let text = String::from_utf8_lossy(&told.body);
    assert!(text.contains(r#""payload":{"z":1.50,"a":1e2}"#), "{text}");
    assert_eq!(event(told)["key"], "agent-0");
    for (name, value) in [
        ("content-type", "application/json"),
        ("ce_specversion", "1.0"),
        ("ce_id", house.ids_from(0)[0].as_str()),
        ("ce_source", "/cx/a"),
        ("ce_type", "unbroken.change"),
        ("ce_subject", "agent-0"),
        ("ce_cursor", &format!("{}:1", house.journal())),
    ] {
        assert_eq!(told.header(name), value, "{name}");
    }
    assert_eq!(told.key, "agent-0");
    let again = Checkpoint::in_log(house.journal(), 2);
    let mut batch = Batch::of_log(Some(next), again, Vec::new(), Arc::default());
    sink.commit(fence, &batch).await.expect("it is taken");
    batch = Batch::of_log(None, next, shared, Arc::default());
    batch.base = Some(again);
    batch.parked.push(Parked { offset: 0, why: "a test".to_owned() });
    sink.commit(fence, &batch).await.expect("it is taken");
    let letters = mock.messages(DEAD_LETTERS);
    let letter = letters.first().expect("a letter");
    assert_eq!(event(letter)["data"]["payload"]["a"], json!(100.0));
}

/// The library's own words would quote it.
#[tokio::test]
async fn a_password_is_never_told() {
    let (mock, house) = (Mock::new(), House::new());
    let secret = "xyzzy-4711";
    for (mechanism, ca_file) in [("NONSENSE", None), ("PLAIN", Some("/nowhere/ca.pem"))] {
        let login = KafkaLogin {
            mechanism: mechanism.to_owned(),
            user: "u".to_owned(),
            password: Arc::new(move || Box::pin(async move { Ok(secret.to_owned()) })),
        };
        let config = KafkaConfig {
            login: Some(login),
            is_tls: true,
            ca_file: ca_file.map(PathBuf::from),
            ..mock.config()
        };
        assert!(!format!("{config:?}").contains(secret));
        let refused = Kafka::new(config).open(&house.claim()).await.expect_err("it is wrong");
        assert!(matches!(refused, SinkError::Blocked(_)), "{refused:?}");
        assert!(!format!("{refused:?} {refused}").contains(secret), "{refused:?}");
    }
}
