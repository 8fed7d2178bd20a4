//! Commands that read a data directory.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use crate::fixture::write_log;
use crate::golden::{check, check_with, run};

/// A data directory `d` with a log and, if wanted, its store.
fn data(with_store: bool) -> (TempDir, String) {
    let dir = tempdir().expect("a temporary directory");
    let journal = write_log(&dir.path().join("d"));
    if with_store {
        let output = run(dir.path(), &["rebuild", "--journal", "d"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    (dir, journal)
}

/// The file of the log that holds the most.
fn segment(dir: &Path) -> PathBuf {
    let entries = fs::read_dir(dir.join("d/journal")).expect("the log's directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.max_by_key(|path| fs::metadata(path).expect("its size").len()).expect("a segment")
}

#[test]
fn what_is_recorded_can_be_read_in_every_form() {
    let (dir, journal) = data(true);
    let check =
        |name: &str, args: &[&str]| check_with(name, dir.path(), args, &[(&journal, "[JOURNAL]")]);
    check("events_ndjson", &["events", "--journal", "d"]);
    check("events_table", &["events", "--journal", "d", "--format", "table"]);
    check(
        "events_after_offset",
        &["events", "--journal", "d", "--after", "9", "--format", "table"],
    );
    check("events_after_cursor", &["events", "--dir", "d", "--after", &format!("{journal}:11")]);
    check("events_limit", &["events", "--journal", "d", "--limit", "1"]);
    check("state_table", &["state", "--journal", "d"]);
    check("state_ndjson", &["state", "--journal", "d", "--format", "ndjson"]);
    check("state_key", &["state", "--journal", "d", "--key", "ben", "--format", "ndjson"]);
    check("state_unknown_key", &["state", "--journal", "d", "--key", "nobody"]);
    check("gaps_table", &["gaps", "--journal", "d"]);
    check("gaps_ndjson", &["gaps", "--journal", "d", "--format", "ndjson"]);
    check("gaps_open", &["gaps", "--journal", "d", "--open"]);
    check("status_stopped", &["status", "--journal", "d"]);
    check("status_stopped_json", &["status", "--journal", "d", "--json"]);
    check("verify_clean", &["verify", "--journal", "d"]);
    check("verify_clean_json", &["verify", "--journal", "d", "--json"]);
    check("log_directory_stands_for_data", &["verify", "--journal", "d/journal"]);
    check("rebuild", &["rebuild", "--journal", "d"]);
}

#[test]
fn without_a_store_everything_says_how_to_make_one() {
    let (dir, journal) = data(false);
    let check =
        |name: &str, args: &[&str]| check_with(name, dir.path(), args, &[(&journal, "[JOURNAL]")]);
    check("state_no_store", &["state", "--journal", "d"]);
    check("verify_no_store", &["verify", "--journal", "d"]);
}

#[test]
fn a_cursor_that_cannot_be_meant_is_refused_with_the_way_out() {
    let (dir, journal) = data(false);
    let check =
        |name: &str, args: &[&str]| check_with(name, dir.path(), args, &[(&journal, "[JOURNAL]")]);
    check("cursor_nonsense", &["events", "--journal", "d", "--after", "yesterday"]);
    check("cursor_beyond_end", &["events", "--journal", "d", "--after", "4000"]);
    let other = "0190000000007000800000000000abcd:3";
    check("cursor_of_another_journal", &["events", "--journal", "d", "--after", other]);
}

#[test]
fn places_without_data_are_named() {
    let dir = tempdir().expect("a temporary directory");
    check("no_place", dir.path(), &["status"]);
    check("no_data", dir.path(), &["events", "--journal", "nowhere"]);
    fs::create_dir(dir.path().join("empty")).expect("a directory");
    check("not_a_journal", dir.path(), &["events", "--journal", "empty"]);
    check("verify_not_a_journal", dir.path(), &["verify", "--journal", "empty"]);
    check("demo_dir_not_empty", dir.path(), &["demo", "--dir", "."]);
}

#[test]
fn asking_a_service_that_is_not_running_says_so() {
    let (dir, _) = data(false);
    check("control_not_running", dir.path(), &["control", "stop", "--journal", "d"]);
}

#[test]
fn a_flipped_byte_in_the_log_is_found_and_the_store_is_not_blamed() {
    let (dir, _) = data(true);
    let path = segment(dir.path());
    let mut bytes = fs::read(&path).expect("the segment");
    let written = bytes.iter().rposition(|byte| *byte != 0).expect("something was written");
    bytes[written / 2] ^= 0x40;
    fs::write(&path, bytes).expect("the segment");
    let output = run(dir.path(), &["verify", "--journal", "d"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert!(stdout.contains("batch_damaged"), "{stdout}");
    assert!(stdout.contains("not compared: the log has to be right first"), "{stdout}");
}
