//! Journals to test with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use unbroken_core::ids::{AppendId, Key, StreamId};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Append, Body, Change, Effect, Mark, Origin, Record, digest};
use unbroken_core::time::UnixMicros;
use unbroken_journal::simdisk::SimDisk;
use unbroken_journal::verify::{Report, VerifyOptions, verify};
use unbroken_journal::{ImagePolicy, Opened, Options, Reader, open};

pub(crate) const DIR: &str = "/data";

pub(crate) fn dir() -> &'static Path {
    Path::new(DIR)
}

pub(crate) fn path(name: &str) -> PathBuf {
    dir().join(name)
}

/// Every look at the clock is a second later.
pub(crate) fn ticking_clock() -> UnixMicros {
    static SECONDS: AtomicI64 = AtomicI64::new(1_700_000_000);
    UnixMicros(SECONDS.fetch_add(1, Ordering::Relaxed) * 1_000_000)
}

/// Small segments, no image on close: most tests want to see the log replayed.
pub(crate) fn options(disk: &SimDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        wall_clock: ticking_clock,
        segment_bytes: 4_096,
        preallocated_bytes: 1_024,
        images: ImagePolicy::Seal,
        images_beside: false,
        ..Options::new(DIR)
    }
}

pub(crate) fn opened(disk: &SimDisk) -> Opened {
    open(options(disk)).unwrap()
}

pub(crate) fn stream() -> StreamId {
    "north/agents".into()
}

pub(crate) fn change(key: &str, sequence: u64, payload: &[u8]) -> Record {
    let deleted = payload.is_empty();
    Record {
        stream: stream(),
        received_at: UnixMicros(1_000_000 + sequence as i64),
        body: Body::Change(Change {
            key: Key::from(key),
            position: Some(Position::new(Epoch(0), sequence)),
            bookmark: None,
            ordinal: 0,
            event_id: None,
            kind: None,
            deleted,
            origin: Origin::Live,
            effect: Effect::State,
            occurred_at: None,
            digest: if deleted { 0 } else { digest(payload) },
            payload: payload.to_vec().into(),
        }),
    }
}

/// One event of its own unit, with the mark that follows from it.
pub(crate) fn unit(key: &str, sequence: u64, payload: &[u8]) -> Append {
    Append {
        id: AppendId(sequence),
        records: vec![change(key, sequence, payload)],
        mark: Some(Mark { stream: stream(), position: Position::new(Epoch(0), sequence) }),
    }
}

/// A journal of so many batches of one event each, its process gone without a clean stop.
pub(crate) fn crashed_with(disk: &SimDisk, batches: u64) {
    let mut opened = opened(disk);
    for sequence in 1..=batches {
        let key = format!("agent-{}", sequence % 7);
        opened.writer.commit(&[unit(&key, sequence, &[sequence as u8; 300])]).unwrap();
    }
    drop(opened);
    disk.kill();
}

pub(crate) fn verified(disk: &SimDisk) -> Report {
    verified_to(disk, None)
}

pub(crate) fn verified_to(disk: &SimDisk, expected_end: Option<u64>) -> Report {
    let disk = Arc::new(disk.clone());
    verify(&VerifyOptions { disk, expected_end, ..VerifyOptions::new(DIR) }).unwrap()
}

pub(crate) fn names_of(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.kind.name()).collect()
}

/// All records that can be read, from the oldest.
pub(crate) fn records(reader: &Reader) -> Vec<Record> {
    let batches = reader.batches(reader.oldest_offset().unwrap()).unwrap();
    batches.flat_map(|batch| batch.unwrap().records).collect()
}

pub(crate) fn segments(disk: &SimDisk) -> Vec<String> {
    with_ending(disk, ".segment")
}

pub(crate) fn images(disk: &SimDisk) -> Vec<String> {
    with_ending(disk, ".image")
}

fn with_ending(disk: &SimDisk, ending: &str) -> Vec<String> {
    let names = disk.names(dir());
    names.into_iter().filter(|name| name.ends_with(ending)).collect()
}

pub(crate) fn flip(disk: &SimDisk, name: &str, position: usize) {
    let mut bytes = disk.contents(&path(name)).unwrap();
    bytes[position] ^= 0x20;
    disk.replace(&path(name), bytes);
}
