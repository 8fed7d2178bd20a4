//! Several keys of one transaction share a revision: a resume may neither lose some of them nor
//! bring some of them again.

use fastrand::Rng;
use unbroken_core::record::GapCause;
use unbroken_sim::proxy::{Break, Door, Fault, Whom};

use crate::record::{Recorded, state};
use crate::server::Etcd;
use crate::service::Service;
use crate::writer::{Write, Writer};
use crate::{seeded, watched_path};

const PREFIX: &str = "teams/";
const ROUNDS: usize = 20;

/// A transaction on a few of the keys; none of them twice.
async fn transact(writer: &mut Writer, rng: &mut Rng, keys: &[String]) {
    let mut chosen: Vec<&String> = keys.iter().collect();
    rng.shuffle(&mut chosen);
    let mut values: Vec<String> = Vec::new();
    values.resize_with(keys.len(), || rng.u32(..).to_string());
    let count = rng.usize(2..=keys.len());
    let writes: Vec<Write<'_>> = chosen
        .iter()
        .zip(&values)
        .take(count)
        .map(|(key, value)| match rng.u8(..3) {
            0 => Write::Delete(key),
            _ => Write::Put(key, value.as_bytes()),
        })
        .collect();
    writer.transact(&writes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_changed_together_are_each_recorded_once_across_a_cut() {
    let mut rng = seeded("transactions");
    let etcd = Etcd::start();
    let mut writer = Writer::new(etcd.port);
    let mut proxy = watched_path(etcd.port);
    let mut service = Service::start(proxy.address().port(), PREFIX);
    service.until_live().await;
    let keys: Vec<String> = (0..6).map(|n| format!("{PREFIX}{n}")).collect();
    for round in 0..ROUNDS {
        // What was last received is a transaction, so the resume has to begin behind all of it …
        transact(&mut writer, &mut rng, &keys).await;
        service.until_durable(writer.revision()).await;
        proxy.take_down().await.unwrap();
        // … and what it missed is one too, or nothing at all, or nothing that is watched.
        match rng.u8(..4) {
            0 => {}
            1 => writer.put_elsewhere().await,
            _ => {
                transact(&mut writer, &mut rng, &keys).await;
                transact(&mut writer, &mut rng, &keys).await;
            }
        }
        if round % 5 == 4 {
            service.kill_and_restart().await;
        }
        proxy.set_door(Door::Open).await.unwrap();
        // Cut again in the middle of the catching up.
        transact(&mut writer, &mut rng, &keys).await;
        proxy.strike(Whom::All, Fault::now(Break::Reset));
    }
    service.until_durable(writer.revision()).await;
    assert_eq!(service.stop().await.code(), Some(0), "{}", service.log());

    let recorded = Recorded::read(&service.data_dir());
    assert!(recorded.losses().is_empty(), "{:#?}", recorded.ledger);
    let lost = recorded.assert_complete(&writer.changes);
    assert_eq!(lost, 0, "{:#?}", recorded.ledger);
    assert_eq!(state(&service.data_dir()), etcd.state(PREFIX));
    let verified = service.ask(&["verify"]).await;
    let said = String::from_utf8_lossy(&verified.stdout);
    assert_eq!(verified.status.code(), Some(0), "{said}");
    let revisions = recorded.events.chunk_by(|a, b| a.revision == b.revision).count();
    assert!(recorded.events.len() > revisions, "no transaction had several keys");
    eprintln!("transactions: {} events of {revisions} revisions", recorded.events.len());
}

/// What was forgotten had all been received: a refusal alone is no loss.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_of_what_is_already_held_loses_nothing() {
    let etcd = Etcd::start();
    let mut writer = Writer::new(etcd.port);
    let mut proxy = watched_path(etcd.port);
    let mut service = Service::start(proxy.address().port(), PREFIX);
    service.until_live().await;
    for value in ["1", "2", "3"] {
        // So that a resume, which begins before the last event to see it again, is refused.
        writer.put_elsewhere().await;
        writer.put("teams/a", value.as_bytes()).await;
    }
    service.until_durable(writer.revision()).await;
    proxy.take_down().await.unwrap();
    writer.compact(writer.revision()).await;
    writer.put("teams/c", b"4").await;
    writer.delete("teams/a").await;
    proxy.set_door(Door::Open).await.unwrap();
    service.until_durable(writer.revision()).await;
    assert_eq!(service.stop().await.code(), Some(0), "{}", service.log());

    let recorded = Recorded::read(&service.data_dir());
    assert!(recorded.losses().is_empty(), "{:#?}", recorded.ledger);
    let doubts = recorded.ledger.iter().filter(|row| row.cause != GapCause::Start).count();
    assert_eq!(doubts, 1, "the resume was refused, and then nothing was missing");
    assert_eq!(recorded.assert_complete(&writer.changes), 0);
    assert_eq!(state(&service.data_dir()), etcd.state(PREFIX));
}

/// What was missed is more than one frame may hold, and its last transaction alone is more than
/// etcd puts into one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catching_up_that_is_larger_than_any_frame_loses_nothing() {
    let etcd = Etcd::start();
    let mut writer = Writer::new(etcd.port);
    let mut proxy = watched_path(etcd.port);
    let mut service = Service::start(proxy.address().port(), PREFIX);
    service.until_live().await;
    writer.put("teams/a", b"1").await;
    service.until_durable(writer.revision()).await;
    proxy.take_down().await.unwrap();
    let value = vec![b'x'; 1 << 20];
    for _ in 0..5 {
        let keys = ["teams/a", "teams/b", "teams/c"];
        writer.transact(&keys.map(|key| Write::Put(key, &value))).await;
    }
    proxy.set_door(Door::Open).await.unwrap();
    service.until_durable(writer.revision()).await;
    assert_eq!(service.stop().await.code(), Some(0), "{}", service.log());

    let recorded = Recorded::read(&service.data_dir());
    assert!(recorded.losses().is_empty(), "{:#?}", recorded.ledger);
    assert_eq!(recorded.assert_complete(&writer.changes), 0, "{:#?}", recorded.ledger);
    assert_eq!(state(&service.data_dir()), etcd.state(PREFIX));
}
