//! The trials that every sink goes through.

use unbroken_sink::{Batch, Checkpoint, Ended, Sink, SinkError};

use crate::files::Folder;
use crate::house::{House, config};
use crate::shelf::{Faults, Faulty, Shelf, Target};

/// A failure before a commit, and one after it of which nothing was heard.
async fn every_record_is_there_once_whatever_fails(target: &impl Target) {
    let mut house = House::new();
    house.events(500);
    let faults = Faults { percent: 8, ..Faults::default() };
    for _ in 0..3 {
        house.events(333);
        let sink = Faulty::new(target.sink(), faults.clone());
        let running = house.drain(sink, config()).await;
        assert_eq!(running.stop().await, Ended::Stopped);
        assert_eq!(target.ids(), house.ids_from(0));
    }
}

/// The same sink started twice: the older one is fenced out, and nothing is there twice.
async fn an_older_instance_is_fenced_out(target: &impl Target) {
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
async fn a_batch_that_comes_again_changes_nothing(target: &impl Target) {
    let mut house = House::new();
    house.events(100);
    house.drain(target.sink(), config()).await.stop().await;
    let (mut older, mut newer) = (target.sink(), target.sink());
    let old = older.open().await.expect("it is there");
    let new = newer.open().await.expect("it is there");
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

macro_rules! trials {
    ($name:ident, $target:expr) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn every_record_is_there_once_whatever_fails() {
                super::every_record_is_there_once_whatever_fails(&$target).await;
            }

            #[tokio::test]
            async fn an_older_instance_is_fenced_out() {
                super::an_older_instance_is_fenced_out(&$target).await;
            }

            #[tokio::test]
            async fn a_batch_that_comes_again_changes_nothing() {
                super::a_batch_that_comes_again_changes_nothing(&$target).await;
            }
        }
    };
}

trials!(shelf, Shelf::default());
trials!(ndjson, Folder::new());
