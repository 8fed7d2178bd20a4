//! A backlog, which NATS is given in chains of messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use unbroken_core::record::{Body, Change, Origin, digest};
use unbroken_sink::{Batch, Checkpoint, Doing, Ended, PumpConfig, Sink, SinkError};

use crate::house::{House, PATIENCE, Running, change, quick};
use crate::nats::{Channel, PREFIX};
use crate::shelf::Target;

/// More than the server takes at once.
fn large() -> PumpConfig {
    let mut config = quick();
    config.cut.records_max = 5_000;
    config.cut.bytes = 8 << 20;
    config
}

fn is_chained(headers: &str) -> bool {
    headers.contains("\r\nUnbroken-Checkpoint: ")
}

/// Waits until the stream ends in the middle of a chain, or everything is given. Returns which.
fn get_into_a_chain(channel: &Channel, running: &Running, end: u64) -> bool {
    let begun = Instant::now();
    while running.progress.counts().next_offset < end {
        if channel.ends_in_a_chain() {
            return true;
        }
        assert!(begun.elapsed() < PATIENCE, "{:?}", running.progress);
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

#[tokio::test]
async fn a_backlog_is_a_chain_and_what_follows_is_a_batch() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(4_321);
    let running = house.drain(channel.sink(), large()).await;
    assert_eq!(channel.parts(), 0, "a later checkpoint has replaced the first one");
    house.events(321);
    running.until("it has everything", |it| it.counts().next_offset == 4_642).await;
    assert_eq!(running.progress.counts().failures, 0, "{:?}", running.progress);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(channel.parts(), 1);
    assert_eq!(channel.ids(), house.ids_from(0));
    let told = channel.told();
    assert_eq!(told.iter().filter(|told| is_chained(&told.headers)).count(), 4_321);
    let checkpoints = told.iter().filter(|told| told.subject.ends_with(".checkpoint"));
    assert_eq!(checkpoints.count(), 1, "each replaces the one before");
    let first = format!("\r\nUnbroken-Checkpoint: {}:1\r\n", house.journal());
    assert!(told[0].headers.contains(&first), "{}", told[0].headers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_a_chain_has_every_record_once_and_in_order() {
    let (mut channel, mut house) = (Channel::new(), House::new());
    let running = house.pump(channel.sink(), large());
    let mut met = 0;
    for round in 1..=6_u64 {
        house.events(12_000);
        let meets = || get_into_a_chain(&channel, &running, 12_000 * round);
        met += u64::from(tokio::task::block_in_place(meets));
        channel.0.kill();
        channel.0.start_again();
    }
    running.until("it has everything", |it| it.counts().next_offset == 72_000).await;
    assert!(met > 0 && running.progress.counts().failures >= met, "{:?}", running.progress);
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(channel.ids(), house.ids_from(0));
}

/// It is not seen beforehand: its payload is small.
#[tokio::test]
async fn an_event_that_is_too_large_by_its_key_is_put_aside_alone() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(2_500);
    let bad = Change { key: "k".repeat(1 << 20).as_str().into(), ..change(2_500, Origin::Live) };
    house.append([Body::Change(bad)]);
    house.events(1_500);
    let running = house.drain(channel.sink(), large()).await;
    assert_eq!(running.progress.counts().parked, 1);
    assert_eq!(running.stop().await, Ended::Stopped);
    let mut expected = house.ids_from(0);
    expected.remove(2_500);
    assert_eq!(channel.ids(), expected);
    assert!(channel.told().iter().any(|told| is_chained(&told.headers)));
}

/// The end of the stream's file is lost with the power, and the checkpoint in it.
#[tokio::test]
async fn what_a_power_cut_leaves_of_a_chain_is_gone_on_from() {
    let (mut channel, mut house) = (Channel::new(), House::new());
    house.events(4_000);
    let mut config = large();
    config.cut.records_max = 2_000;
    house.drain(channel.sink(), config.clone()).await.stop().await;
    channel.loses_its_end();
    let held = channel.ids().len();
    assert!((3_900..4_000).contains(&held), "{held} are left");
    assert!(channel.checkpoint()["checkpoint"].as_str().expect("one").ends_with(":2000"));
    house.events(30);
    // Somebody opens it, and goes away before anything is committed.
    channel.named("test").open(&house.claim()).await.expect("it is there");
    assert_eq!(channel.checkpoint()["checkpoint"], format!("{}:{held}", house.journal()));
    house.drain(channel.sink(), config).await.stop().await;
    assert_eq!(channel.ids(), house.ids_from(0));
}

/// Whoever began a chain went away in the middle, and the next one, too, before it said how far it
/// is.
#[tokio::test]
async fn whoever_takes_it_over_goes_on_behind_the_last_message_that_is_there() {
    for has_been_taken in [false, true] {
        let (channel, mut house) = (Channel::new(), House::new());
        house.events(100);
        house.drain(channel.sink(), quick()).await.stop().await;
        let journal = house.journal();
        for offset in 100..120 {
            let whose = digest(PREFIX.as_bytes()) as u64;
            let (subject, next) = (format!("{PREFIX}.cx.a.change"), offset + 1);
            let id = format!("Nats-Msg-Id: unbroken-{whose:016x}-nobody-1-{next}");
            let header = format!("{id}\r\nUnbroken-Checkpoint: {journal}:{next}");
            let body = format!(r#"{{"id":"{journal}:{offset}"}}"#);
            let told = channel.0.publish_with(&subject, &header, &body);
            assert!(told.get("error").is_none(), "{told}");
        }
        // The second time more than are looked at from the end.
        for _ in 0..if has_been_taken { 150 } else { 1 } {
            channel.0.publish(&format!("{PREFIX}.cx.a.foreign"), r#"{"id":"foreign"}"#);
        }
        if has_been_taken {
            let mut taken = channel.checkpoint();
            let subject = format!("{PREFIX}.checkpoint");
            let whole_until = channel.last(&subject);
            taken["fence"] = json!(taken["fence"].as_u64().expect("a number") + 1);
            taken["whole_until"] = json!(whole_until);
            let follows = format!("Nats-Expected-Last-Subject-Sequence: {whole_until}");
            let told = channel.0.publish_with(&subject, &follows, &taken.to_string());
            assert!(told.get("error").is_none(), "{told}");
        }
        house.events(50);
        let mut sink = channel.named("test");
        let opened = sink.open(&house.claim()).await.expect("it is there");
        assert_eq!(opened.checkpoint, Some(Checkpoint::in_log(journal, 120)));
        let told = channel.checkpoint();
        assert_eq!(
            told["checkpoint"],
            format!("{journal}:120"),
            "it is told where it is looked for"
        );
        house.drain(channel.sink(), quick()).await.stop().await;
        let mut ids = channel.ids();
        ids.retain(|id| id != "foreign");
        assert_eq!(ids, house.ids_from(0), "{has_been_taken}");
    }
}

/// Of a chain the server deletes the beginning, and what was before it.
#[tokio::test]
async fn a_backlog_is_no_chain_where_it_would_push_out_the_checkpoint() {
    let (channel, mut house) = (Channel::new(), House::new());
    channel.make(&json!({ "duplicate_window": 1_000_000_000, "max_msgs": 1_500 }));
    house.events(4_000);
    let running = house.drain(channel.sink(), large()).await;
    assert_eq!(running.progress.counts().failures, 0, "{:?}", running.progress);
    assert_eq!(running.stop().await, Ended::Stopped);
    let (ids, all) = (channel.ids(), house.ids_from(0));
    assert!((1_490..1_500).contains(&ids.len()), "{}", ids.len());
    assert_eq!(ids, all[all.len() - ids.len()..]);
}

/// A log that is put back from a backup is shorter than what a chain has given of it.
#[tokio::test]
async fn a_chain_that_goes_beyond_the_log_is_refused_before_anything_is_changed() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(100);
    house.drain(channel.sink(), quick()).await.stop().await;
    let before = channel.checkpoint();
    let whose = digest(PREFIX.as_bytes()) as u64;
    let id = format!("Nats-Msg-Id: unbroken-{whose:016x}-nobody-1-1");
    let header = format!("{id}\r\nUnbroken-Checkpoint: {}:101", house.journal());
    channel.0.publish_with(&format!("{PREFIX}.cx.a.change"), &header, r#"{"id":"beyond"}"#);
    let refused = channel.named("test").open(&house.claim()).await.expect_err("it is beyond");
    assert!(matches!(refused, SinkError::Blocked(_)), "{refused:?}");
    assert_eq!(channel.checkpoint(), before);
}

/// The older instance learns so, and none of its messages is taken.
#[tokio::test]
async fn a_zombie_gives_nothing_in_a_chain() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(100);
    house.drain(channel.sink(), quick()).await.stop().await;
    let (mut zombie, mut newer) = (channel.named("test"), channel.named("test"));
    let old = zombie.open(&house.claim()).await.expect("it is there");
    newer.open(&house.claim()).await.expect("it is there");
    house.events(3_000);
    let held = old.checkpoint.expect("it was written");
    let next = Checkpoint { next_offset: 3_100, ..held };
    let mut batches = house.reader.batches(100).expect("a log");
    let all = std::iter::from_fn(|| batches.next_shared().expect("a log")).collect();
    let batch = Batch::of_log(Some(held), next, all, Arc::default());
    assert_eq!(batch.entries().count(), 3_000);
    let fenced = zombie.commit(old.fence, &batch).await.expect_err("it has been taken over");
    assert!(matches!(fenced, SinkError::Fenced), "{fenced:?}");
    assert_eq!(channel.checkpoint()["checkpoint"], held.to_string());
    assert_eq!(channel.ids(), house.ids_from(0)[..100]);
}

/// Two instances take it from each other all the time, in the middle of chains.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_take_it_from_each_other_give_every_record_once_and_in_order() {
    let (channel, mut house) = (Channel::new(), House::new());
    house.events(24_000);
    let (mut given, mut met) = (0, 0);
    for _ in 0..50 {
        let running = house.pump(channel.sink(), large());
        running.until("it goes on", |it| it.counts().next_offset > given).await;
        let meets = || get_into_a_chain(&channel, &running, 24_000);
        met += u64::from(tokio::task::block_in_place(meets));
        given = running.progress.counts().next_offset;
        if given == 24_000 {
            break;
        }
        // It is not told to stop: the next one fences it out.
        drop(running);
    }
    assert!(met > 0);
    house.drain(channel.sink(), large()).await.stop().await;
    assert_eq!(channel.ids(), house.ids_from(0));
}

/// Somebody else publishes below the prefix, all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_publish_in_the_middle_of_a_chain_costs_no_record() {
    let (channel, mut house) = (Channel::new(), House::new());
    channel.named("test").open(&house.claim()).await.expect("it is made");
    house.events(40_000);
    let is_over = AtomicBool::new(false);
    let foreign = format!("{PREFIX}.cx.a.foreign");
    let running = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                channel.0.publish(&foreign, r#"{"id":"foreign"}"#);
            }
        });
        tokio::task::block_in_place(|| {
            let handle = tokio::runtime::Handle::current();
            let running = handle.block_on(house.drain(channel.sink(), large()));
            is_over.store(true, Ordering::Relaxed);
            running
        })
    });
    assert!(running.progress.counts().failures > 0, "{:?}", running.progress);
    assert_eq!(running.stop().await, Ended::Stopped);
    let mut ids = channel.ids();
    ids.retain(|id| id != "foreign");
    assert_eq!(ids, house.ids_from(0));
}

/// What the server has against a message of a chain it is asked again, and says.
#[tokio::test]
async fn a_stream_that_gets_full_in_a_chain_is_waited_for() {
    let (channel, mut house) = (Channel::new(), House::new());
    let settings = json!({
        "duplicate_window": 1_000_000_000, "discard": "new", "max_msgs": 1_234,
    });
    channel.make(&settings);
    house.events(4_000);
    let running = house.pump(channel.sink(), large());
    running.until("it says so", |it| it.doing() == Doing::Blocked).await;
    let trouble = running.progress.trouble().expect("it has some");
    assert!(trouble.todo.contains("make room"), "{trouble:?}");
    assert!(channel.told().iter().any(|told| is_chained(&told.headers)));
    channel.change(&json!({
        "duplicate_window": 1_000_000_000, "discard": "new", "max_msgs": 10_000,
    }));
    running.until("it goes on", |it| it.counts().next_offset == 4_000).await;
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(channel.ids(), house.ids_from(0));
}
