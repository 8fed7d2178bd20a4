//! A stream on which nothing happens.

use crate::server::Etcd;
use crate::service::Service;
use crate::writer::Writer;

const PREFIX: &str = "teams/";

/// Nothing new comes that could tell it: what the log held at the start has to be said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_starts_again_on_a_quiet_stream_says_how_far_it_is() {
    let etcd = Etcd::start();
    let mut writer = Writer::new(etcd.port);
    let mut service = Service::start(etcd.port, PREFIX);
    service.until_live().await;
    writer.put("teams/a", b"1").await;
    service.until_durable(writer.revision()).await;
    service.kill_and_restart().await;
    service.until_durable(writer.revision()).await;
    assert_eq!(service.stop().await.code(), Some(0), "{}", service.log());
}
