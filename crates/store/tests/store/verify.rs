//! Verification finds each way in which a store can differ from the log, and names it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use unbroken_core::ids::{GapId, Key, SnapshotId, StreamId};
use unbroken_store::{Finding, Log, Store, Verification, open_or_build, rebuild, verify_store};

use crate::world::{Draw, MemoryLog, filled_log};

struct Case {
    _dir: TempDir,
    path: PathBuf,
    log: MemoryLog,
}

fn case(seed: u64) -> Case {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = filled_log(&mut Draw::well_formed(seed));
    drop(open_or_build(&path, &log).unwrap());
    Case { _dir: dir, path, log }
}

impl Case {
    fn verify(&self) -> Verification {
        verify_store(&self.path, &self.log).unwrap()
    }

    fn damage(&self, sql: &str) -> usize {
        rusqlite::Connection::open(&self.path).unwrap().execute(sql, []).unwrap()
    }

    fn one<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        one(&self.path, sql)
    }

    /// Exactly this is found after the damage, and nothing before it and after a rebuild.
    fn finds(&self, sql: &str, expected: &[Finding]) {
        assert!(self.verify().is_clean(), "{:?}", self.verify().findings);
        assert_eq!(self.damage(sql), 1);
        let report = self.verify();
        assert_eq!(report.findings, expected);
        assert_eq!(report.findings_count, expected.len() as u64);
        rebuild(&self.path, &self.log).unwrap();
        assert!(self.verify().is_clean(), "{:?}", self.verify().findings);
    }
}

fn one<T: rusqlite::types::FromSql>(path: &Path, sql: &str) -> T {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn whatever_was_fed_or_built_verifies() {
    for seed in 0..15 {
        let mut draw = if seed % 2 == 0 { Draw::new(seed) } else { Draw::well_formed(seed) };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.sqlite");
        let log = filled_log(&mut draw);
        let extent = log.extent().unwrap();
        let batches = log.held().batches.clone();
        let mut store = Store::open(&path, &extent).unwrap();
        let part = draw.rng.usize(1..batches.len());
        store.feed(&batches[..part]).unwrap();
        let report = verify_store(&path, &log).unwrap();
        assert!(report.is_clean(), "seed {seed}, fed {part}: {:?}", report.findings);
        assert!(report.rows_checked > 0 && report.keys_checked > 0);
        store.feed(&batches[part..]).unwrap();
        drop(store);
        let report = verify_store(&path, &log).unwrap();
        assert!(report.is_clean(), "seed {seed}: {:?}", report.findings);
        assert_eq!(report.rows_unchecked, 0);
    }
}

#[test]
fn a_store_older_than_the_log_verifies_as_far_as_the_log_reaches() {
    for seed in 0..25 {
        let mut draw = Draw::well_formed(seed);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.sqlite");
        let log = filled_log(&mut draw);
        drop(open_or_build(&path, &log).unwrap());
        let batches = log.held().batches.clone();
        let cut = draw.rng.usize(1..batches.len() - 1);
        let image = draw.rng.usize(cut..batches.len());
        log.retain(batches[cut].first_offset, batches[image].first_offset);
        let report = verify_store(&path, &log).unwrap();
        assert!(report.is_clean(), "seed {seed}, fed: {:?}", report.findings);
        assert!(report.rows_unchecked > 0);
        rebuild(&path, &log).unwrap();
        let report = verify_store(&path, &log).unwrap();
        assert!(report.is_clean(), "seed {seed}, built: {:?}", report.findings);
        assert_eq!(report.rows_unchecked, 0);
    }
}

#[test]
fn a_deleted_event_is_found_by_its_offset() {
    let case = case(1);
    let offset: u32 =
        case.one("SELECT offset FROM events WHERE snapshot IS NULL LIMIT 1 OFFSET 20");
    case.finds(
        &format!("DELETE FROM events WHERE offset = {offset}"),
        &[Finding::RowMissing { table: "events", offset: offset.into() }],
    );
}

#[test]
fn a_deleted_snapshot_item_is_found_by_its_offset() {
    let case = case(2);
    let offset: u32 = case.one("SELECT min(offset) FROM events WHERE snapshot IS NOT NULL");
    case.finds(
        &format!("DELETE FROM events WHERE offset = {offset}"),
        &[Finding::RowMissing { table: "events", offset: offset.into() }],
    );
}

#[test]
fn a_changed_event_is_found_with_its_column() {
    let case = case(3);
    let offset: u32 = case.one("SELECT max(offset) FROM events");
    case.finds(
        &format!("UPDATE events SET payload = payload || ' ' WHERE offset = {offset}"),
        &[Finding::RowDiffers { table: "events", offset: offset.into(), column: "payload" }],
    );
}

#[test]
fn an_event_that_no_record_tells_of_is_found() {
    let case = case(4);
    let offset: u32 = case.one("SELECT max(offset) FROM quarantine");
    case.finds(
        &format!(
            "INSERT INTO events (offset, stream, ordinal, agent, origin, effect, deleted,
                 received_at, payload)
             VALUES ({offset}, 1, 0, 1, 'live', 'state', 0, 0, '')"
        ),
        &[Finding::RowExtra { table: "events", offset: offset.into() }],
    );
}

#[test]
fn a_changed_state_row_is_found_by_its_key() {
    let case = case(5);
    let agent: u32 = case.one("SELECT max(agent) FROM agents WHERE present = 1");
    let (stream, key) = named(&case, agent);
    case.finds(
        &format!("UPDATE agents SET payload = '{{}}' WHERE agent = {agent}"),
        &[Finding::KeyDiffers { stream, key, column: "payload" }],
    );
}

#[test]
fn a_deleted_state_row_is_found_by_its_key() {
    let case = case(6);
    let agent: u32 = case.one("SELECT min(agent) FROM agents");
    let (stream, key) = named(&case, agent);
    case.finds(
        &format!("DELETE FROM agents WHERE agent = {agent}"),
        &[Finding::KeyMissing { stream, key }],
    );
}

#[test]
fn a_state_row_that_came_from_nowhere_is_found_by_its_key() {
    let case = case(7);
    let forgotten = "SELECT id FROM keys WHERE id NOT IN (SELECT agent FROM agents) LIMIT 1";
    let agent: u32 = case.one(forgotten);
    let (stream, key) = named(&case, agent);
    case.finds(
        &format!(
            "INSERT INTO agents (agent, stream, offset, present, digest, received_at, payload)
             SELECT id, stream, 1, 1, zeroblob(16), 0, '' FROM keys WHERE id = {agent}"
        ),
        &[Finding::KeyExtra { stream, key }],
    );
}

#[test]
fn a_changed_gap_is_found_by_its_number() {
    let case = case(8);
    let gap: u32 = case.one("SELECT max(gap) FROM gaps WHERE stream = 1 AND outcome IS NOT NULL");
    let stream: String = case.one("SELECT name FROM streams WHERE id = 1");
    case.finds(
        &format!("UPDATE gaps SET wall_to = wall_to + 1 WHERE stream = 1 AND gap = {gap}"),
        &[Finding::GapDiffers {
            stream: StreamId::new(stream.as_str()),
            gap: GapId(gap.into()),
            column: "wall_to",
        }],
    );
}

#[test]
fn a_changed_bracket_is_found_by_its_number() {
    let damages = [
        ("published", "items = items + 1", "items"),
        ("published", "rows = rows + 1", "items"),
        ("published", "status = 'aborted'", "status"),
        ("published", "tag = coalesce(tag, 0) + 1, tag_epoch = 0", "tag"),
        ("published", "rows_are_state = 1 - rows_are_state", "rows_are_state"),
        ("published", "begun_offset = begun_offset - 1", "begun_offset"),
        ("published", "ended_at = ended_at + 1", "ended_offset"),
        ("aborted", "status = 'open'", "status"),
    ];
    let case = case(16);
    for (status, change, column) in damages {
        let (snapshot, stream) = bracket(&case, status);
        let of = format!("stream = 1 AND snapshot = {}", snapshot.0);
        let finding = Finding::SnapshotDiffers { stream, snapshot, column };
        case.finds(&format!("UPDATE snapshots SET {change} WHERE {of}"), &[finding]);
    }
}

#[test]
fn a_lost_bracket_and_one_that_came_from_nowhere_are_found_by_their_numbers() {
    let case = case(17);
    let (snapshot, stream) = bracket(&case, "published");
    let column = "snapshot";
    let finding = Finding::SnapshotDiffers { stream: stream.clone(), snapshot, column };
    let delete = "DELETE FROM snapshots WHERE stream = 1 AND snapshot";
    case.finds(&format!("{delete} = {}", snapshot.0), &[finding]);
    let snapshot = SnapshotId(999_999);
    let insert = "INSERT INTO snapshots (stream, snapshot, status) VALUES (1, 999999, 'open')";
    case.finds(insert, &[Finding::SnapshotDiffers { stream, snapshot, column }]);
}

#[test]
fn a_moved_position_is_found_by_its_stream() {
    let placed = |case: &Case| {
        case.one::<u32>("SELECT count(*) FROM streams WHERE position IS NOT NULL") > 0
    };
    let case = (9..40).map(case).find(placed).expect("a stream with a position");
    let stream: String = case.one("SELECT name FROM streams WHERE position IS NOT NULL LIMIT 1");
    case.finds(
        &format!("UPDATE streams SET position = position + 1 WHERE name = '{stream}'"),
        &[Finding::StreamDiffers { stream: StreamId::new(stream.as_str()), column: "position" }],
    );
}

#[test]
fn lost_quarantine_and_connection_rows_are_found() {
    let case = case(10);
    for table in ["quarantine", "connections"] {
        let offset: u32 = case.one(&format!("SELECT max(offset) FROM {table}"));
        case.finds(
            &format!("DELETE FROM {table} WHERE offset = {offset}"),
            &[Finding::RowMissing { table, offset: offset.into() }],
        );
    }
}

#[test]
fn a_checkpoint_that_moved_without_its_data_is_found() {
    let case = case(11);
    let end = case.log.extent().unwrap().end_offset;
    case.finds(
        "UPDATE checkpoint SET next_offset = next_offset + 1",
        &[Finding::BeyondLog { checkpoint: end + 1, end }],
    );
    // Set back, the store holds rows that it should not have read yet.
    assert_eq!(case.damage("UPDATE checkpoint SET next_offset = next_offset - 20"), 1);
    let findings = case.verify().findings;
    assert!(findings.iter().any(|f| matches!(f, Finding::RowExtra { .. })), "{findings:?}");
}

#[test]
fn a_store_of_another_journal_is_named_as_such() {
    let case = case(12);
    case.finds(
        "UPDATE checkpoint SET journal_id = 'journal-2'",
        &[Finding::OtherJournal { found: "journal-2".into(), expected: "journal-1".into() }],
    );
}

#[test]
fn a_log_cut_below_the_store_is_found() {
    let case = case(13);
    let store_end = case.log.extent().unwrap().end_offset;
    while case.log.held().end_offset() == store_end {
        case.log.held().batches.pop();
    }
    let end = case.log.extent().unwrap().end_offset;
    assert_eq!(case.verify().findings, [Finding::BeyondLog { checkpoint: store_end, end }]);
}

#[test]
fn state_older_than_every_image_is_said_to_be_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = filled_log(&mut Draw::well_formed(14));
    let batches = log.held().batches.clone();
    Store::open(&path, &log.extent().unwrap()).unwrap().feed(&batches[..60]).unwrap();
    log.retain(batches[40].first_offset, batches[90].first_offset);
    let (checkpoint, image) = (batches[60].first_offset, batches[90].first_offset);
    let findings = verify_store(&path, &log).unwrap().findings;
    assert_eq!(findings, [Finding::StateUnknown { checkpoint, image }]);
}

/// A bracket of the first stream that ended so.
fn bracket(case: &Case, status: &str) -> (SnapshotId, StreamId) {
    let sql =
        format!("SELECT max(snapshot) FROM snapshots WHERE stream = 1 AND status = '{status}'");
    let stream: String = case.one("SELECT name FROM streams WHERE id = 1");
    (SnapshotId(case.one::<u32>(&sql).into()), StreamId::new(stream))
}

fn named(case: &Case, agent: u32) -> (StreamId, Key) {
    let from = format!("FROM keys k JOIN streams s ON s.id = k.stream WHERE k.id = {agent}");
    let stream: String = case.one(&format!("SELECT s.name {from}"));
    let key: String = case.one(&format!("SELECT k.name {from}"));
    (StreamId::new(stream), Key::new(key))
}
