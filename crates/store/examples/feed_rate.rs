//! How many records a second the store takes, on this machine, into a fresh file.
//!
//! `cargo run --release -p unbroken-store --example feed_rate -- [RECORDS] [AGENTS] [GROUP]`

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use bytes::Bytes;
use unbroken_core::ids::{Key, StreamId};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Body, Change, Effect, Origin, Record, digest};
use unbroken_core::time::UnixMicros;
use unbroken_store::{LogBatch, LogExtent, Store};

/// As many records as one batch of the log holds under load.
const BATCH_RECORDS: u64 = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let records = numbers.next().transpose()?.unwrap_or(1_000_000);
    let agents = numbers.next().transpose()?.unwrap_or(5_000);
    let group_records = numbers.next().transpose()?.unwrap_or(16_384);
    let batches: Vec<LogBatch> = (0..records)
        .step_by(BATCH_RECORDS as usize)
        .map(|first| batch(first, BATCH_RECORDS.min(records - first), agents))
        .collect();
    let dir = tempfile::tempdir()?;
    let journal_id = "feed-rate".to_owned();
    let log = LogExtent { journal_id, oldest_offset: 0, end_offset: records };
    let mut store = Store::open(&dir.path().join("store.sqlite"), &log)?;
    let began = Instant::now();
    for group in batches.chunks((group_records / BATCH_RECORDS).max(1) as usize) {
        store.feed(group)?;
    }
    let fed = began.elapsed();
    store.sync()?;
    let synced = began.elapsed();
    let rate = records as f64 / fed.as_secs_f64();
    writeln!(
        std::io::stdout(),
        "{records} records of {agents} agents in groups of {group_records}: {rate:.0} records/s, \
         {:.2} us each; {:.2} s, {:.2} s with the sync",
        1e6 / rate,
        fed.as_secs_f64(),
        synced.as_secs_f64(),
    )?;
    Ok(())
}

fn batch(first_offset: u64, count: u64, agents: u64) -> LogBatch {
    let stream = StreamId::from("cxone/adherence");
    let records = (first_offset..first_offset + count).map(|offset| {
        // A stride that is prime to most counts: neighbours are different agents.
        let agent = offset.wrapping_mul(7919) % agents;
        let payload = Bytes::from(format!(
            r#"{{"agentId":"agent-{agent}","state":"Available","activity":"Open",{}:{:06}Z"}}"#,
            r#""scheduledActivity":"Open","inAdherence":true,"since":"2026-01-01T08:00"#,
            offset % 1_000_000
        ));
        let at = UnixMicros(1_767_254_400_000_000 + i64::try_from(offset).unwrap_or(0));
        let change = Change {
            key: Key::new(format!("agent-{agent}")),
            position: Some(Position::new(Epoch(0), offset + 1)),
            bookmark: None,
            ordinal: 0,
            event_id: None,
            kind: Some("event".into()),
            deleted: false,
            origin: Origin::Live,
            effect: Effect::State,
            occurred_at: Some(at),
            digest: digest(&payload),
            payload,
        };
        Record { stream: stream.clone(), received_at: at, body: Body::Change(change) }
    });
    LogBatch { first_offset, records: records.collect(), marks: Vec::new() }
}
