//! The trials that every sink goes through.

use unbroken_sink::{Batch, Checkpoint, Claim, Ended, Sink, SinkError};

use crate::house::{House, config};
use crate::shelf::{Faults, Faulty, Target};

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
    let held = new.checkpoint.expect("it was written");
    let next = Checkpoint { next_offset: held.next_offset + 1, ..held };
    let batch = Batch::of_nothing(Some(held), next);
    let fenced = older.commit(old.fence, &batch).await.expect_err("it has been taken over");
    assert!(matches!(fenced, SinkError::Fenced), "{fenced:?}");
    newer.commit(new.fence, &batch).await.expect("it follows");
    let moved = newer.commit(new.fence, &batch).await.expect_err("it does not follow any more");
    assert!(matches!(moved, SinkError::Moved { found } if found == next), "{moved:?}");
    assert_eq!(target.ids(), house.ids_from(0));
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
