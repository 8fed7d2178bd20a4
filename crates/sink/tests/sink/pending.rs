//! A target is down until so many records are pending for it, and is given them all when it is
//! back: some thousand here, a million with `make sink-pending`.

use std::fs;
use std::time::Instant;

use unbroken_sink::{Ended, Progress, Sink};

use crate::cuts::{Listening, Reached};
use crate::files::Folder;
use crate::house::{House, quick};
use crate::nats::Channel;
use crate::object_store::Bucket;
use crate::rates::{event, number, wait};
use crate::receiver::Reply;
use crate::redshift::Cluster;
use crate::road::Road;
use crate::shelf::{Faults, Faulty, Target};
use crate::tables::Files;
use crate::webhook::Endpoint;

/// What this process has held at most since it was asked last, in MiB; it is forgotten with that.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    // Where the system does not do so, what is told later is more than it should be.
    let _ = fs::write("/proc/self/clear_refs", "5");
    kib.unwrap_or_default() / 1_024
}

fn has_failed(progress: &Progress) -> bool {
    progress.counts().failures > 0
}

/// The sink is of a target that is down, until it is opened.
async fn what_is_pending_is_given(
    target: &impl Target,
    sink: impl Sink + 'static,
    open: impl FnOnce(),
) {
    let rows = number("PENDING_ROWS", 3_000);
    let mut house = House::new();
    let mut config = quick();
    config.cut.records_max = 5_000;
    peak_mib();
    let running = house.pump(sink, config);
    for first in (0..rows).step_by(1_000) {
        house.append((first..rows.min(first + 1_000)).map(event));
    }
    running.until("it has tried", has_failed).await;
    assert_eq!(running.progress.counts().records, 0, "it was down");
    let (filled, begun) = (peak_mib(), Instant::now());
    open();
    // It works in this thread's runtime.
    let progress = std::sync::Arc::clone(&running.progress);
    let waited = tokio::task::spawn_blocking(move || wait(&progress, rows));
    waited.await.expect("it gets everything");
    let (time, drained) = (begun.elapsed(), peak_mib());
    assert_eq!(running.stop().await, Ended::Stopped);
    assert_eq!(target.ids(), house.ids_from(0));
    println!(
        "{rows} records were pending, and given in {:.1} s: {:.0}/s; at most {filled} MiB while \
         they were written, {drained} MiB while they were given",
        time.as_secs_f64(),
        rows as f64 / time.as_secs_f64(),
    );
}

async fn by_a_road(target: &impl Reached) {
    let road = Road::to(target.address());
    road.close();
    what_is_pending_is_given(target, target.sink_by(road.at()), || road.open()).await;
}

async fn in_a_folder(target: &impl Target) {
    let sink = Faulty::new(target.sink(), Faults { is_down: true, ..Faults::default() });
    let faults = std::sync::Arc::clone(&sink.faults);
    let open = || faults.lock().expect("nobody panics with it").is_down = false;
    what_is_pending_is_given(target, sink, open).await;
}

#[tokio::test]
async fn ndjson_is_given_what_is_pending() {
    in_a_folder(&Folder::new()).await;
}

#[tokio::test]
async fn parquet_is_given_what_is_pending() {
    in_a_folder(&Files::new()).await;
}

#[tokio::test]
async fn an_object_store_is_given_what_is_pending() {
    by_a_road(&Bucket::new()).await;
}

#[tokio::test]
async fn postgres_is_given_what_is_pending() {
    by_a_road(&Listening::new()).await;
}

#[tokio::test]
async fn redshift_is_given_what_is_pending() {
    by_a_road(&Cluster::new()).await;
}

#[tokio::test]
async fn nats_is_given_what_is_pending() {
    by_a_road(&Channel::new()).await;
}

#[tokio::test]
async fn a_webhook_is_given_what_is_pending() {
    let endpoint = Endpoint::answering(|_| Reply::Status(503));
    let open = || endpoint.receiver.answer_by(|_| Reply::Taken);
    what_is_pending_is_given(&endpoint, endpoint.sink(), open).await;
}
