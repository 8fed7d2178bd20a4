//! A store made anew is the store that was fed all along, as far as the log reaches back.

use std::fs;

use unbroken_core::record::Body;
use unbroken_store::{EventRow, Log, Store, StoreError, StoreReader, open_or_build, rebuild};

use crate::world::{Draw, MemoryLog, assert_equals_fold, filled_log};

fn all_events(reader: &StoreReader) -> Vec<EventRow> {
    reader.events(None, u32::MAX).unwrap()
}

/// Equal; if not, shows the first difference only.
fn assert_same<T: PartialEq + std::fmt::Debug>(left: &[T], right: &[T], seed: u64) {
    for (left, right) in left.iter().zip(right) {
        assert_eq!(left, right, "seed {seed}");
    }
    assert_eq!(left.len(), right.len(), "seed {seed}: rows");
}

#[test]
fn a_whole_log_gives_the_same_store_again() {
    let dir = tempfile::tempdir().unwrap();
    let (fed, built) = (dir.path().join("fed.sqlite"), dir.path().join("built.sqlite"));
    let log = filled_log(&mut Draw::new(11));
    let extent = log.extent().unwrap();
    let batches = log.held().batches.clone();
    Store::open(&fed, &extent).unwrap().feed(&batches).unwrap();
    let checkpoint = rebuild(&built, &log).unwrap();
    assert_eq!(checkpoint.next_offset, extent.end_offset);
    let (fed, built) = (StoreReader::open(&fed).unwrap(), StoreReader::open(&built).unwrap());
    assert_equals_fold(&built, &log.fold(extent.end_offset), "built");
    assert_same(&all_events(&fed), &all_events(&built), 11);
    assert_eq!(fed.gaps().unwrap(), built.gaps().unwrap());
    assert_eq!(fed.quarantine().unwrap(), built.quarantine().unwrap());
    assert_eq!(fed.outages().unwrap(), built.outages().unwrap());
}

#[test]
fn a_log_that_has_lost_its_beginning_gives_whole_state_and_the_events_it_holds() {
    for seed in 0..25 {
        let dir = tempfile::tempdir().unwrap();
        let (fed, built) = (dir.path().join("fed.sqlite"), dir.path().join("built.sqlite"));
        let mut draw = Draw::well_formed(seed);
        let log = filled_log(&mut draw);
        let extent = log.extent().unwrap();
        let batches = log.held().batches.clone();
        Store::open(&fed, &extent).unwrap().feed(&batches).unwrap();
        // Both cuts may fall into open brackets.
        let cut = draw.rng.usize(1..batches.len() - 1);
        let image = draw.rng.usize(cut..batches.len());
        log.retain(batches[cut].first_offset, batches[image].first_offset);
        let oldest = batches[cut].first_offset;
        let fold = MemoryLog::of(&batches).fold(extent.end_offset);
        let checkpoint = rebuild(&built, &log).unwrap();
        assert_eq!(checkpoint.first_offset, oldest);
        let (fed, built) = (StoreReader::open(&fed).unwrap(), StoreReader::open(&built).unwrap());
        assert_equals_fold(&built, &fold, &format!("seed {seed}"));
        let kept: Vec<_> =
            all_events(&fed).into_iter().filter(|event| event.offset >= oldest).collect();
        assert_same(&all_events(&built), &kept, seed);
        let kept: Vec<_> =
            fed.quarantine().unwrap().into_iter().filter(|row| row.offset >= oldest).collect();
        assert_same(&built.quarantine().unwrap(), &kept, seed);
    }
}

#[test]
fn the_old_file_is_replaced_with_its_write_ahead_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = filled_log(&mut Draw::new(21));
    let other = filled_log(&mut Draw::new(22));
    other.held().journal_id = "journal-2".to_owned();
    // A store of another journal, killed: its last transactions are in the write-ahead log only.
    let mut old = Store::open(&path, &other.extent().unwrap()).unwrap();
    old.feed(&other.held().batches.clone()).unwrap();
    let killed = dir.path().join("killed.sqlite");
    for suffix in ["", "-wal"] {
        let from = format!("{}{suffix}", path.display());
        fs::copy(from, format!("{}{suffix}", killed.display())).unwrap();
    }
    rebuild(&killed, &log).unwrap();
    let end = log.extent().unwrap().end_offset;
    assert_equals_fold(&StoreReader::open(&killed).unwrap(), &log.fold(end), "replaced");
    let mut left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("killed") && !name.ends_with("-shm"))
        .collect();
    left.sort();
    assert!(left == ["killed.sqlite"] || left == ["killed.sqlite", "killed.sqlite-wal"]);
}

#[test]
fn a_damaged_file_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    fs::write(&path, b"this is not a database, and it is longer than a header of one would be")
        .unwrap();
    let log = filled_log(&mut Draw::new(23));
    assert!(matches!(Store::open(&path, &log.extent().unwrap()), Err(StoreError::Open { .. })));
    rebuild(&path, &log).unwrap();
    let end = log.extent().unwrap().end_offset;
    assert_equals_fold(&StoreReader::open(&path).unwrap(), &log.fold(end), "replaced");
}

#[test]
fn a_log_without_beginning_and_image_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = filled_log(&mut Draw::new(24));
    log.retain(9, 9);
    log.held().image = None;
    let error = rebuild(&path, &log).unwrap_err();
    assert!(matches!(error, StoreError::NoImage { oldest: 9 }));
    assert!(!path.exists());
}

#[test]
fn a_store_that_does_not_fit_the_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = filled_log(&mut Draw::new(25));
    let whole = log.extent().unwrap();
    let end = whole.end_offset;
    drop(open_or_build(&path, &log).unwrap());

    let mut other = whole.clone();
    other.journal_id = "journal-2".to_owned();
    let error = Store::open(&path, &other).unwrap_err();
    assert!(matches!(&error, StoreError::OtherJournal { found, .. } if found == "journal-1"));
    assert!(error.hint().unwrap().contains("unbroken rebuild"));

    let mut cut = whole.clone();
    cut.end_offset = end - 1;
    let error = Store::open(&path, &cut).unwrap_err();
    assert!(matches!(error, StoreError::BeyondLog { checkpoint, .. } if checkpoint == end));
    assert!(error.hint().unwrap().contains("unbroken verify"));

    let mut gone = whole;
    gone.oldest_offset = end + 1;
    gone.end_offset = end + 9;
    let error = Store::open(&path, &gone).unwrap_err();
    assert!(matches!(error, StoreError::Lapsed { oldest, .. } if oldest == end + 1));
    assert!(error.hint().unwrap().contains("retain_bytes_max"));
}

#[test]
fn another_programs_database_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs.sqlite");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let log = filled_log(&mut Draw::new(26));
    let error = Store::open(&path, &log.extent().unwrap()).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }));
}

#[test]
fn brackets_cut_by_the_logs_beginning_are_drawn() {
    // Guards the test above that leans on it: some seed cuts inside a bracket.
    let cut_inside = (0..25).any(|seed| {
        let mut draw = Draw::well_formed(seed);
        let log = filled_log(&mut draw);
        let batches = log.held().batches.clone();
        let cut = draw.rng.usize(1..batches.len() - 1);
        let fold = log.fold(batches[cut].first_offset);
        let open = fold
            .streams
            .values()
            .any(|s| s.staged.as_ref().is_some_and(|staged| !staged.items.is_empty()));
        open && batches[cut..]
            .iter()
            .flat_map(|batch| &batch.records)
            .any(|record| matches!(record.body, Body::SnapshotEnd(_)))
    });
    assert!(cut_inside);
}
