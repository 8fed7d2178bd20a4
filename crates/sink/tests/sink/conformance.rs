//! The trials that every sink goes through.

use std::time::{Duration, Instant};

use bytes::Bytes;
use unbroken_core::record::{Body, Change, Origin, Quarantined, digest};
use unbroken_core::time::UnixMicros;
use unbroken_sink::{Batch, Checkpoint, Claim, Doing, Ended, Progress, Sink, SinkError, StartAt};

use crate::house::{House, PATIENCE, Running, change, config};
use crate::shelf::{Faults, Faulty, Shelf, Target};

/// A failure before a commit, and one after it of which nothing was heard.
pub(crate) async fn every_record_is_there_once_whatever_fails(target: &impl Target) {
    let mut house = House::new();
    house.events(500);
    for seed in 0..3 {
        house.events(333);
        let faults = Faults { percent: 8, seed, ..Faults::default() };
        let sink = Faulty::new(target.sink(), faults);
        let running = house.drain(sink, config()).await;
        assert_eq!(running.stop().await, Ended::Stopped);
        assert_eq!(target.ids(), house.ids_from(0));
    }
}

/// The same sink started twice: the older one is fenced out, and nothing is there twice.
pub(crate) async fn an_older_instance_is_fenced_out(target: &impl Target) {
    let mut house = House::new();
    house.events(100);
    let older = house.drain(target.sink(), config()).await;
    let newer = house.drain(target.sink(), config()).await;
    house.events(100);
    let end = house.reader.end_offset().expect("a log");
    assert_eq!(older.ended().await, Ended::Fenced);
    newer.until("the newer one goes on", |it| it.counts().next_offset == end).await;
    assert_eq!(newer.stop().await, Ended::Stopped);
    assert_eq!(target.ids(), house.ids_from(0));
}

/// A commit that comes again is none.
pub(crate) async fn a_batch_that_comes_again_changes_nothing(target: &impl Target) {
    let mut house = House::new();
    house.events(100);
    house.drain(target.sink(), config()).await.stop().await;
    let (mut older, mut newer) = (target.sink(), target.sink());
    let old = older.open(&house.claim()).await.expect("it is there");
    let new = newer.open(&house.claim()).await.expect("it is there");
    assert!(new.fence > old.fence);
    assert_eq!(new.checkpoint, old.checkpoint);
    let (batch, next) = following(&mut house).await;
    assert_eq!(batch.base, new.checkpoint);
    let fenced = older.commit(old.fence, &batch).await.expect_err("it has been taken over");
    assert!(matches!(fenced, SinkError::Fenced), "{fenced:?}");
    // Nor does it take it back: it may have lost its connection, and know of nobody.
    let fenced = older.open(&house.claim()).await.expect_err("it has been taken over");
    assert!(matches!(fenced, SinkError::Fenced), "{fenced:?}");
    newer.commit(new.fence, &batch).await.expect("it follows");
    let moved = newer.commit(new.fence, &batch).await.expect_err("it does not follow any more");
    assert!(matches!(moved, SinkError::Moved { found } if found == next), "{moved:?}");
    assert_eq!(target.ids(), house.ids_from(0));
}

/// A batch of ten records behind what the log holds, as a pump gives it, and where it ends.
async fn following(house: &mut House) -> (Batch, Checkpoint) {
    let shelf = Shelf::default();
    house.drain(shelf.clone(), config()).await.stop().await;
    house.events(10);
    house.drain(shelf.clone(), config()).await.stop().await;
    let batch = shelf.held().last.clone().expect("it was given one");
    assert_eq!(batch.entries().count(), 10);
    let next = batch.next;
    (batch, next)
}

/// Whoever may not have the sink does not take it from who may.
pub(crate) async fn another_log_is_refused_and_the_first_goes_on(target: &impl Target) {
    let (mut house, mut other) = (House::new(), House::new());
    house.events(100);
    other.events(300);
    let running = house.drain(target.sink(), config()).await;
    let refused = target.sink().open(&other.claim()).await.expect_err("it is of another log");
    assert!(refused.to_string().contains("is of another log"), "{refused}");
    assert!(refused.todo().contains("--adopt test"), "{}", refused.todo());
    let shorter = Claim { end_offset: 99, ..house.claim() };
    let refused = target.sink().open(&shorter).await.expect_err("the log is too short");
    assert!(refused.to_string().contains("beyond the end of the log"), "{refused}");
    house.events(100);
    running.until("it goes on", |it| it.counts().next_offset == 200).await;
    assert_eq!(running.progress.counts().failures, 0, "it was not disturbed");
    assert_eq!(running.stop().await, Ended::Stopped);
    let mut adopting = config();
    adopting.adopt = true;
    other.drain(target.sink(), adopting).await.stop().await;
    assert_eq!(target.ids(), [house.ids_from(0), other.ids_from(0)].concat());
}

/// Every key once, as it was where the log goes on, and then what follows.
pub(crate) async fn a_sink_may_begin_with_state(target: &impl Target) {
    let mut house = House::new();
    // Several segments, so that there is an image.
    house.events(2_000);
    let (image, _) = house.reader.newest_image().expect("a log").expect("an image");
    let mut config = config();
    config.start = StartAt::State;
    config.cut.records_max = 700;
    house.drain(target.sink(), config.clone()).await.stop().await;
    house.events(100);
    // It has begun by now: what it is told of that is of no matter any more.
    config.start = StartAt::Now;
    house.drain(target.sink(), config).await.stop().await;
    // Each of seven keys was written last among the last seven events.
    assert_eq!(target.ids(), house.ids_from(image - 7));
}

/// Both make what is not there yet. One has it in the end, and the other one is told so.
pub(crate) async fn two_that_begin_it_at_once_have_it_one_after_the_other(target: &impl Target) {
    let mut house = House::new();
    house.events(300);
    let pair = [house.pump(target.sink(), config()), house.pump(target.sink(), config())];
    for running in &pair {
        let is_open = |it: &Progress| [Doing::Running, Doing::Fenced].contains(&it.doing());
        running.until("it is open", is_open).await;
    }
    let begun = Instant::now();
    while !pair.iter().any(Running::has_ended) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", pair.each_ref().map(|it| it.progress.counts()));
        house.events(10);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let [one, other] = pair;
    let (loser, winner) = if one.has_ended() { (one, other) } else { (other, one) };
    assert_eq!(loser.ended().await, Ended::Fenced);
    let end = house.reader.end_offset().expect("a log");
    winner.until("it goes on", |it| it.counts().next_offset == end).await;
    assert_eq!(winner.stop().await, Ended::Stopped);
    assert_eq!(target.ids(), house.ids_from(0));
}

/// What hardly any target has a place for is there, or put aside alone.
pub(crate) async fn odd_rows_are_there_or_put_aside(target: &impl Target) {
    let mut house = House::new();
    house.events(100);
    // Nothing that would be smaller if it was compressed.
    let mut rng = fastrand::Rng::with_seed(3);
    let long: String = (0..20_000).map(|_| rng.alphanumeric()).collect();
    let mut odd: Vec<Change> = (0..6).map(|n| change(200 + n, Origin::Live)).collect();
    odd[0].key = "agent\0zero".into();
    odd[1].key = long.as_str().into();
    odd[2].occurred_at = Some(UnixMicros(i64::MAX));
    odd[3].occurred_at = Some(UnixMicros(i64::MIN));
    odd[4].event_id = Some("a\0b".into());
    odd[5].payload = vec![0, 0xff, b'\n'].into();
    odd[5].digest = digest(&odd[5].payload);
    let bytes = Bytes::from_static(b"{\"half\": \0\xff");
    let quarantined = Quarantined {
        conn: None,
        reason: "malformed".into(),
        length: bytes.len() as u64,
        digest: digest(&bytes),
        bytes,
    };
    house.append(odd.into_iter().map(Body::Change).chain([Body::Quarantined(quarantined)]));
    house.events(50);
    let running = house.drain(target.sink(), config()).await;
    let parked = running.progress.counts().parked as usize;
    assert_eq!(running.stop().await, Ended::Stopped);
    let (ids, all) = (target.ids(), house.ids_from(0));
    let missing: Vec<&String> = all.iter().filter(|id| !ids.contains(id)).collect();
    assert_eq!(missing.len(), parked, "{missing:?}");
    let is_odd = |id: &&String| (100..107).any(|offset| **id == all[offset]);
    assert!(missing.iter().all(is_odd), "{missing:?}");
    let there: Vec<String> = all.iter().filter(|id| !missing.contains(id)).cloned().collect();
    assert_eq!(ids, there);
}

macro_rules! trials {
    ($name:ident, $target:expr) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn every_record_is_there_once_whatever_fails() {
                $crate::conformance::every_record_is_there_once_whatever_fails(&$target).await;
            }

            #[tokio::test]
            async fn an_older_instance_is_fenced_out() {
                $crate::conformance::an_older_instance_is_fenced_out(&$target).await;
            }

            #[tokio::test]
            async fn two_that_begin_it_at_once_have_it_one_after_the_other() {
                $crate::conformance::two_that_begin_it_at_once_have_it_one_after_the_other(
                    &$target,
                )
                .await;
            }

            #[tokio::test]
            async fn a_sink_may_begin_with_state() {
                $crate::conformance::a_sink_may_begin_with_state(&$target).await;
            }

            #[tokio::test]
            async fn odd_rows_are_there_or_put_aside() {
                $crate::conformance::odd_rows_are_there_or_put_aside(&$target).await;
            }

            #[tokio::test]
            async fn another_log_is_refused_and_the_first_goes_on() {
                $crate::conformance::another_log_is_refused_and_the_first_goes_on(&$target).await;
            }

            #[tokio::test]
            async fn a_batch_that_comes_again_changes_nothing() {
                $crate::conformance::a_batch_that_comes_again_changes_nothing(&$target).await;
            }
        }
    };
}

pub(crate) use trials;
