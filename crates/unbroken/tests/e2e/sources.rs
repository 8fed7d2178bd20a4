//! A defect in the driver of one source stops that source and no other, and the status says so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use unbroken::board::{SourceStatus, StreamStatus};
use unbroken::pipeline::Observe;
use unbroken::{Config, Pipeline};
use unbroken_core::machine::{Phase, Report};
use unbroken_core::time::UnixMicros;
use unbroken_sim::{Settings, Vendor};

const PATIENCE: Duration = Duration::from_secs(30);

/// Panics in the driver of one source, as a defect would, when it has become live.
struct Defect;

impl Observe for Defect {
    fn reported(&self, _at: UnixMicros, report: &Report) {
        if let Report::Phase { stream, phase: Phase::Live { .. } } = report {
            assert!(!stream.as_str().starts_with("ill/"), "a defect, made for this test");
        }
    }

    fn stored(&self, _emitted_at: UnixMicros) {}
}

fn source(name: &str, vendor: &Vendor) -> String {
    format!(
        r#"
        [[source]]
        name = "{name}"
        api = "{}"
        stream = "{}"
        timing = "demo"
        [source.profile]
        extends = "cxone"
        [source.profile.capabilities]
        position = "increasing"
        coverage = "filtered"
        ack = "with_position"
        snapshot_staleness_ms_max = 500
        [source.auth]
        grant = "client_credentials"
        client_id = "{}"
        client_secret = "{}"
        "#,
        vendor.http_url,
        vendor.ws_url,
        vendor.credentials.client_id,
        vendor.credentials.client_secret
    )
}

async fn until(pipeline: &unbroken::pipeline::Handle, holds: impl Fn(&[SourceStatus]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let sources = pipeline.status().sources;
        if holds(&sources) {
            return;
        }
        assert!(Instant::now() < deadline, "{sources:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_driver_that_fails_is_told_of_and_leaves_the_other_source_alone() {
    let settings = Settings { agents: 20, rate: 50.0, ack_position: true, ..Settings::default() };
    let vendor = Vendor::start(settings).await.expect("a vendor");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let text = format!(
        "data_dir = {:?}\n{}{}",
        dir.path().join("data"),
        source("ill", &vendor),
        source("well", &vendor)
    );
    let config: Config = toml::from_str(&text).expect("a configuration");
    let pipeline = Pipeline::start(config, 1, Arc::new(Defect)).expect("a pipeline");
    let handle = pipeline.handle();
    let running = tokio::spawn(pipeline.until(std::future::pending()));

    until(&handle, |sources| {
        let ill = &sources[0];
        ill.stopped.as_ref().is_some_and(|why| why.contains("defect of this program"))
            && ill.todo.as_ref().is_some_and(|todo| todo.contains("start again"))
            && !ill.streams.iter().any(StreamStatus::is_live)
    })
    .await;
    until(&handle, |sources| sources[1].streams[0].is_live()).await;
    let events = handle.status().sources[1].streams[0].events;
    until(&handle, |sources| sources[1].streams[0].events > events).await;
    assert_eq!(handle.status().sources[1].stopped, None);

    handle.stop();
    running.await.expect("no panic").expect("a clean end");
}
