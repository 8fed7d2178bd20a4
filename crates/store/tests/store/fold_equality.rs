//! The store's state is the fold of the log, whatever the records, wherever it was reopened.

use crate::world::{Draw, MemoryLog, assert_equals_fold, filled_log};
use unbroken_store::{Log, LogBatch, Store, StoreReader};

const SEEDS: u64 = 40;

#[test]
fn state_is_the_last_write_published_outside_brackets() {
    for seed in 0..SEEDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.sqlite");
        let mut draw = Draw::new(seed);
        let log = filled_log(&mut draw);
        let extent = log.extent().unwrap();
        let batches = log.held().batches.clone();
        let mut store = Store::open(&path, &extent).unwrap();
        let mut rest = batches.as_slice();
        while !rest.is_empty() {
            let (group, later) = rest.split_at(draw.rng.usize(1..=rest.len().min(9)));
            store.feed(group).unwrap();
            rest = later;
            let next_offset = group.last().map_or(0, LogBatch::next_offset);
            assert_eq!(store.checkpoint().next_offset, next_offset, "seed {seed}");
            if draw.rng.u8(0..3) == 0 {
                drop(store);
                store = Store::open(&path, &extent).unwrap();
            }
            if draw.rng.u8(0..4) == 0 {
                let reader = StoreReader::open(&path).unwrap();
                let fed = &batches[..batches.len() - rest.len()];
                let fold = MemoryLog::of(fed).fold(next_offset);
                assert_equals_fold(&reader, &fold, &format!("seed {seed} at {next_offset}"));
            }
        }
        let reader = StoreReader::open(&path).unwrap();
        assert_equals_fold(&reader, &log.fold(extent.end_offset), &format!("seed {seed}, end"));
    }
}

#[test]
fn a_group_that_failed_can_be_fed_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = filled_log(&mut Draw::new(7));
    let extent = log.extent().unwrap();
    let batches = log.held().batches.clone();
    let mut store = Store::open(&path, &extent).unwrap();
    let (first, rest) = batches.split_at(40);
    store.feed(first).unwrap();
    // A row that is not ours makes the transaction fail in its middle, after new keys and streams
    // were numbered.
    let blocked = rusqlite::Connection::open(&path).unwrap();
    blocked
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON connections
             BEGIN SELECT RAISE(ABORT, 'refused'); END",
        )
        .unwrap();
    assert!(store.feed(rest).is_err());
    assert_eq!(store.checkpoint().next_offset, first.last().unwrap().next_offset());
    blocked.execute_batch("DROP TRIGGER refuse").unwrap();
    store.feed(rest).unwrap();
    let reader = StoreReader::open(&path).unwrap();
    assert_equals_fold(&reader, &log.fold(extent.end_offset), "after the second try");
}

#[test]
fn records_that_are_already_in_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = filled_log(&mut Draw::new(3));
    let extent = log.extent().unwrap();
    let batches = log.held().batches.clone();
    let mut store = Store::open(&path, &extent).unwrap();
    store.feed(&batches[..60]).unwrap();
    store.feed(&batches[30..]).unwrap();
    let reader = StoreReader::open(&path).unwrap();
    assert_equals_fold(&reader, &log.fold(extent.end_offset), "overlapping groups");
}

#[test]
fn a_missing_offset_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = filled_log(&mut Draw::new(5));
    let batches = log.held().batches.clone();
    let mut store = Store::open(&path, &log.extent().unwrap()).unwrap();
    store.feed(&batches[..10]).unwrap();
    let error = store.feed(&batches[20..]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "log: offset {} came where {} was due",
            batches[20].first_offset, batches[10].first_offset
        )
    );
}
