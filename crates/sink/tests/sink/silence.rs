//! A target that says nothing any more, while every connection to it stays, and new ones are made.

use unbroken_sink::{Doing, Ended, Progress, hurry};

use crate::cuts::{Listening, Reached, Staged};
use crate::house::{House, quick};
use crate::nats::Channel;
use crate::object_store::Bucket;
use crate::redshift::Cluster;
use crate::road::{Road, Way};

/// It is given up in the middle of a commit, and as it is opened again, and has everything once
/// when it speaks again. What it is given of time is so many times less than in a service.
async fn a_target_that_falls_silent_is_given_up(target: &impl Reached, times: u32) {
    hurry(times);
    let (mut house, road) = (House::new(), Road::to(target.address()));
    house.events(70);
    let running = house.drain(target.sink_by(road.at()), quick()).await;
    // Before anything of the batch arrives; where some of it did; and where all of it did, perhaps.
    for (way, bytes) in [(Way::Forth, 0), (Way::Forth, 6_000), (Way::Back, 100)] {
        let before = running.progress.counts().failures;
        road.silent_after(way, bytes);
        while running.progress.counts().failures == before {
            house.events(140);
            let end = house.end_offset();
            let is_through = |it: &Progress| it.counts().next_offset == end;
            let what = "it is given up, or through";
            running.until(what, |it| it.counts().failures > before || is_through(it)).await;
        }
        let trouble = running.progress.trouble().expect("it fails");
        assert_eq!((running.progress.doing(), trouble.todo.as_str()), (Doing::Retrying, ""));
        // Of the next connection the beginning is answered.
        road.silent_after(Way::Back, 100);
        running.until("and once more", |it| it.counts().failures > before + 1).await;
        road.open();
        let end = house.end_offset();
        running.until("it goes on", |it| it.counts().next_offset == end).await;
    }
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(target.ids(), house.ids_from(0));
}

#[tokio::test]
async fn a_database_is_given_up() {
    a_target_that_falls_silent_is_given_up(&Listening::new(), 200).await;
}

#[tokio::test]
async fn a_cluster_is_given_up() {
    a_target_that_falls_silent_is_given_up(&Cluster::new(), 150).await;
}

#[tokio::test]
async fn the_bucket_of_a_cluster_is_given_up() {
    a_target_that_falls_silent_is_given_up(&Staged(Cluster::new()), 100).await;
}

#[tokio::test]
async fn an_object_store_is_given_up() {
    a_target_that_falls_silent_is_given_up(&Bucket::new(), 100).await;
}

#[tokio::test]
async fn a_stream_is_given_up() {
    a_target_that_falls_silent_is_given_up(&Channel::new(), 100).await;
}
