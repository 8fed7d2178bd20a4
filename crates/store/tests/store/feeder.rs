//! The feeder keeps the store close behind the log and leaves nothing behind when it stops.

use std::time::Duration;

use unbroken_core::record::Body;
use unbroken_store::{
    Feeder, FeederTiming, Log, StateFilter, StoreError, StoreReader, open_or_build,
};

use crate::world::{Draw, MemoryLog, assert_equals_fold, change, record};

const TIMING: FeederTiming = FeederTiming {
    feed_interval: Duration::from_millis(5),
    sync_interval: Duration::from_millis(1),
    rest: 0,
};

#[test]
fn what_the_log_holds_at_the_stop_is_in_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = MemoryLog::new("journal-1");
    let mut draw = Draw::new(31);
    // However long it would rest, a stop ends that.
    for (round, rest) in [0, 3, u32::MAX].into_iter().enumerate() {
        let store = open_or_build(&path, &log).unwrap();
        let timing = FeederTiming { rest, ..TIMING };
        let feeder = Feeder::start(store, log.clone(), timing).unwrap();
        for _ in 0..40 {
            let (records, marks) = draw.batch();
            log.append(records, marks);
        }
        assert!(!feeder.has_failed());
        let checkpoint = feeder.stop().unwrap();
        let end = log.extent().unwrap().end_offset;
        assert_eq!(checkpoint.next_offset, end, "round {round}");
        let reader = StoreReader::open(&path).unwrap();
        assert_equals_fold(&reader, &log.fold(end), &format!("round {round}"));
    }
}

#[test]
fn a_record_comes_in_without_a_stop_and_is_synced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = MemoryLog::new("journal-1");
    let store = open_or_build(&path, &log).unwrap();
    let feeder = Feeder::start(store, log.clone(), TIMING).unwrap();
    let reader = StoreReader::open(&path).unwrap();
    for count in 1..=3 {
        let body = Body::Change(change("agent-1", count, "{}"));
        log.append(vec![record("cxone/adherence", 0, body)], Vec::new());
        while feeder.synced_offset() < count {
            assert!(!feeder.has_failed());
            std::thread::yield_now();
        }
        assert!(feeder.next_offset() >= count);
        let state = reader.state(&StateFilter::default()).unwrap();
        assert_eq!(state.checkpoint.next_offset, count);
        assert_eq!(state.rows[0].offset, count - 1);
    }
    feeder.stop().unwrap();
}

#[test]
fn a_feeder_that_cannot_go_on_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = MemoryLog::new("journal-1");
    let store = open_or_build(&path, &log).unwrap();
    let feeder = Feeder::start(store, log.clone(), TIMING).unwrap();
    let body = Body::Change(change("agent-1", 1, "{}"));
    let batch = unbroken_store::LogBatch {
        first_offset: 7,
        records: vec![record("cxone/adherence", 0, body)],
        marks: Vec::new(),
    };
    log.held().batches.push(batch);
    while !feeder.has_failed() {
        std::thread::yield_now();
    }
    let error = feeder.stop().unwrap_err();
    assert!(matches!(error, StoreError::Hole { expected: 0, found: 7 }));
}

#[test]
fn the_file_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let _store = open_or_build(&path, &MemoryLog::new("journal-1")).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", path.display());
        let metadata = std::fs::metadata(&file).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
