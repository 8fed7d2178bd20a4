//! Servers that are killed in the middle of whatever they do, and started again. PostgreSQL, NATS
//! and what is behind Redshift's stand-in have such trials of their own.

use std::fs;

use serde_json::Value;
use unbroken_sink::{Ended, Sink};

use crate::house::{House, quick};
use crate::mortal::Mortal;
use crate::object_store::Bucket;
use crate::redshift::Cluster;
use crate::shelf::Target;
use crate::stand_in::StandIn;
use crate::webhook::{Endpoint, once};

const EVENTS: u64 = 400;

async fn is_killed_again_and_again(
    server: &mut Mortal,
    house: &mut House,
    sink: impl Sink + 'static,
) {
    let running = house.pump(sink, quick());
    for round in 0..3_u64 {
        house.events(EVENTS);
        let offset = EVENTS * round + EVENTS / 4;
        running.until("it is in the middle", |it| it.counts().next_offset > offset).await;
        server.kill();
        let failures = running.progress.counts().failures;
        running.until("it is missed", |it| it.counts().failures > failures).await;
        server.start_again();
    }
    let end = house.end_offset();
    running.until("it has everything", |it| it.counts().next_offset == end).await;
    assert_eq!(running.stop().await, Ended::Stopped);
}

#[tokio::test]
async fn an_object_store_that_is_killed_has_every_record_once() {
    let (mut server, mut house) = (Mortal::start("s3.py"), House::new());
    let bucket = Bucket::of(format!("http://{}", server.address()));
    is_killed_again_and_again(&mut server, &mut house, bucket.sink()).await;
    assert_eq!(bucket.ids(), house.ids_from(0));
}

#[tokio::test]
async fn tables_whose_object_store_is_killed_have_every_record_once() {
    let (mut server, mut house) = (Mortal::start("s3.py"), House::new());
    let bucket = Bucket::of(format!("http://{}", server.address()));
    let cluster = Cluster(StandIn::with(bucket));
    is_killed_again_and_again(&mut server, &mut house, cluster.sink()).await;
    assert_eq!(cluster.ids(), house.ids_from(0));
}

#[tokio::test]
async fn an_endpoint_that_is_killed_has_every_event() {
    let (mut server, mut house) = (Mortal::start("endpoint.py"), House::new());
    let endpoint = Endpoint::new();
    let sink = endpoint.by(server.address());
    is_killed_again_and_again(&mut server, &mut house, sink).await;
    let kept = fs::read_to_string(server.file()).expect("text");
    let events = kept.lines().flat_map(|line| {
        let [_, body]: [String; 2] = serde_json::from_str(line).expect("a key and a body");
        serde_json::from_str::<Vec<Value>>(&body).expect("an array of events")
    });
    assert_eq!(once(events), house.ids_from(0));
}
