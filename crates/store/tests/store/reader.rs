//! A reader beside the writer sees whole transactions, and what it asks for.

use unbroken_core::ids::{Key, SnapshotId, StreamId};
use unbroken_core::record::{Body, Change, Origin, SnapshotBegin, SnapshotEnd, Witness};
use unbroken_store::{OpenBracket, StateFilter, Store, StoreError, StoreReader, open_or_build};

use crate::world::{Draw, MemoryLog, change, filled_log, record};

fn put(stream: &str, key: &str, sequence: u64) -> unbroken_core::record::Record {
    record(stream, 0, Body::Change(change(key, sequence, "{}")))
}

#[test]
fn events_are_read_page_by_page_without_loss_or_repetition() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    drop(open_or_build(&path, &filled_log(&mut Draw::new(41))).unwrap());
    let reader = StoreReader::open(&path).unwrap();
    let all = reader.events(None, u32::MAX).unwrap();
    assert!(all.len() > 100);
    let mut paged = Vec::new();
    loop {
        let page = reader.events(paged.last().map(|e: &unbroken_store::EventRow| e.offset), 7);
        let page = page.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
}

#[test]
fn state_is_filtered_by_stream_and_key_and_hides_tombstones() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = MemoryLog::new("journal-1");
    let gone = Change { deleted: true, ..change("agent-3", 4, "") };
    log.append(
        vec![
            put("a/x", "agent-1", 1),
            put("a/x", "agent-2", 2),
            put("a/y", "agent-1", 3),
            record("a/x", 0, Body::Change(gone)),
        ],
        Vec::new(),
    );
    drop(open_or_build(&path, &log).unwrap());
    let reader = StoreReader::open(&path).unwrap();
    let keys = |filter: &StateFilter| {
        let rows = reader.state(filter).unwrap().rows;
        rows.iter().map(|row| format!("{} {}", row.stream, row.key)).collect::<Vec<_>>()
    };
    let stream = Some(StreamId::from("a/x"));
    let key = Some(Key::from("agent-1"));
    let all = StateFilter::default();
    assert_eq!(keys(&all), ["a/x agent-1", "a/x agent-2", "a/y agent-1"]);
    let filter = StateFilter { stream: stream.clone(), ..all.clone() };
    assert_eq!(keys(&filter), ["a/x agent-1", "a/x agent-2"]);
    let filter = StateFilter { stream: stream.clone(), tombstones: true, ..all.clone() };
    assert_eq!(keys(&filter), ["a/x agent-1", "a/x agent-2", "a/x agent-3"]);
    let filter = StateFilter { key: key.clone(), ..all.clone() };
    assert_eq!(keys(&filter), ["a/x agent-1", "a/y agent-1"]);
    let filter = StateFilter { stream, key, ..all };
    assert_eq!(keys(&filter), ["a/x agent-1"]);
}

#[test]
fn a_reader_sees_each_transaction_of_a_writer_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = filled_log(&mut Draw::new(42));
    let extent = unbroken_store::Log::extent(&log).unwrap();
    let mut store = Store::open(&path, &extent).unwrap();
    let reader = StoreReader::open(&path).unwrap();
    for group in log.held().batches.clone().chunks(10) {
        store.feed(group).unwrap();
        assert_eq!(reader.checkpoint().unwrap(), *store.checkpoint());
    }
}

#[test]
fn a_reader_changes_nothing_and_makes_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.sqlite");
    assert!(matches!(StoreReader::open(&path), Err(StoreError::Open { .. })));
    assert!(!path.exists());
}

#[test]
fn a_file_of_a_later_release_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    drop(open_or_build(&path, &MemoryLog::new("journal-1")).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    drop(connection);
    let error = StoreReader::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Version { found: 2, known: 1, .. }));
    assert!(error.hint().unwrap().starts_with("use the release that wrote it"));
}

/// Who reads state and then the log from its checkpoint on would never see an item that was written
/// before it and is published after it.
#[test]
fn a_bracket_that_is_open_is_told_with_its_begin_and_its_items() {
    let dir = tempfile::tempdir().unwrap();
    let log = MemoryLog::new("journal-1");
    let snapshot = SnapshotId(1);
    let change = Change { origin: Origin::Snapshot, ..change("agent-1", 1, "{}") };
    let begin = SnapshotBegin { snapshot, tag: change.position, rows_are_state: true, keys: None };
    let end = SnapshotEnd {
        snapshot,
        count: 1,
        rows: 1,
        digest: change.digest,
        tag: change.position,
        rows_are_state: true,
        keyed: false,
        converging_until: None,
        witness: Witness::Assumed,
    };
    let item = Body::SnapshotItem { snapshot, change };
    let bodies = [Body::SnapshotBegin(begin), item, Body::SnapshotEnd(end)];
    log.append(vec![put("a/y", "agent-2", 1)], Vec::new());
    let mut seen = Vec::new();
    for (step, body) in bodies.into_iter().enumerate() {
        log.append(vec![record("a/x", 0, body)], Vec::new());
        let path = dir.path().join(format!("{step}.sqlite"));
        drop(open_or_build(&path, &log).unwrap());
        let state = StoreReader::open(&path).unwrap().state(&StateFilter::default()).unwrap();
        seen.push((state.rows.len(), state.brackets));
    }
    let open = |items_count| {
        vec![OpenBracket { stream: "a/x".into(), begun_offset: Some(1), items_count }]
    };
    assert_eq!(seen, [(1, open(0)), (1, open(1)), (2, vec![])]);
}
