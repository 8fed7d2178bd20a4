//! `unbroken export`: a part of the log taken away as a file.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::fixture::write_log;
use crate::golden::{check, check_with, run};

fn data() -> (TempDir, String) {
    let dir = tempdir().expect("a temporary directory");
    let journal = write_log(&dir.path().join("d"));
    (dir, journal)
}

fn export(dir: &Path, more: &[&str]) -> Output {
    let args: Vec<&str> = ["export", "--dir", "d"].iter().chain(more).copied().collect();
    run(dir, &args)
}

/// The offsets of the lines of an export to stdout.
fn offsets(dir: &Path, more: &[&str]) -> Vec<u64> {
    let output = export(dir, more);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let text = String::from_utf8(output.stdout).expect("JSON is text");
    let objects = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("an object"));
    objects.map(|object| object["offset"].as_u64().expect("an offset")).collect()
}

#[test]
fn every_choice_narrows_what_is_written() {
    let (dir, journal) = data();
    let offsets = |more: &[&str]| offsets(dir.path(), more);
    assert_eq!(offsets(&[]), (0..12).collect::<Vec<u64>>());
    assert_eq!(offsets(&["--after", "9"]), [10, 11]);
    assert_eq!(offsets(&["--after", "2", "--until", &format!("{journal}:5")]), [3, 4]);
    assert_eq!(offsets(&["--until", "1"]), [0, 1]);
    assert_eq!(offsets(&["--kind", "gap_opened", "--kind", "gap_closed"]), [9, 10]);
    assert_eq!(offsets(&["--stream", "another/one"]), [] as [u64; 0]);
    assert_eq!(offsets(&["--stream", "cx/adherence", "--kind", "change"]), [6, 7, 11]);
    // The fixture's record with offset n was received n + 1 seconds after 06:00.
    let (from, to) = ("2026-11-24T06:00:03Z", "2026-11-24T07:00:05+01:00");
    assert_eq!(offsets(&["--from", from, "--to", to]), [2, 3]);
    assert_eq!(offsets(&["--to", "2026-11-24"]), [] as [u64; 0]);
    assert_eq!(offsets(&["--from", "2026-11-24"]).len(), 12);
}

#[test]
fn an_export_says_what_events_say() {
    let (dir, _) = data();
    let events = run(dir.path(), &["events", "--dir", "d"]);
    assert_eq!(export(dir.path(), &[]).stdout, events.stdout);
}

#[test]
fn a_file_is_there_whole_and_is_gone_on_with_from_its_last_line() {
    let (dir, journal) = data();
    let path = dir.path().join("out.ndjson");
    let said = |output: Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let first = said(export(dir.path(), &["-o", "out.ndjson", "--until", "4"]));
    assert_eq!(first, format!("5 records written to out.ndjson, up to cursor {journal}:5\n"));
    let names = fs::read_dir(dir.path()).expect("a directory").count();
    assert_eq!(names, 2, "the data and the export, nothing unfinished");
    // As if an earlier export had been interrupted in the middle of a line.
    let whole = fs::read_to_string(&path).expect("it was written");
    fs::write(&path, format!("{whole}{{\"cursor\":\"torn")).expect("a file");
    export(dir.path(), &["-o", "out.ndjson", "--append", "--until", "8"]);
    export(dir.path(), &["-o", "out.ndjson", "--append"]);
    let again = said(export(dir.path(), &["-o", "out.ndjson", "--append"]));
    assert_eq!(again, format!("0 records written to out.ndjson, up to cursor {journal}:12\n"));
    assert_eq!(fs::read(&path).expect("it was written"), export(dir.path(), &[]).stdout);
}

#[test]
fn a_file_that_is_not_ours_is_left_alone() {
    let (dir, _) = data();
    fs::write(dir.path().join("mine"), "my own text\n").expect("a file");
    check("export_exists", dir.path(), &["export", "--dir", "d", "-o", "mine"]);
    check("export_not_one", dir.path(), &["export", "--dir", "d", "-o", "mine", "--append"]);
    assert_eq!(fs::read_to_string(dir.path().join("mine")).expect("text"), "my own text\n");
    check("export_bad_time", dir.path(), &["export", "--dir", "d", "--from", "yesterday"]);
    check("export_bad_kind", dir.path(), &["export", "--dir", "d", "--kind", "changes"]);
}

#[test]
fn records_can_be_cloud_events() {
    let (dir, journal) = data();
    let args = ["export", "--dir", "d", "--format", "cloudevents", "--after", "5"];
    check_with("export_cloudevents", dir.path(), &args, &[(&journal, "[JOURNAL]")]);
    export(dir.path(), &["-o", "ce", "--format", "cloudevents", "--until", "4"]);
    export(dir.path(), &["-o", "ce", "--format", "cloudevents", "--append"]);
    let text = fs::read_to_string(dir.path().join("ce")).expect("it was written");
    assert_eq!(text.lines().count(), 12, "the cursor of a cloud event is read back, too");
}

/// Every record is a row, of as many fields as there are headings.
#[test]
fn a_table_has_a_row_for_every_record() {
    let (dir, journal) = data();
    let csv = export(dir.path(), &["--format", "csv"]);
    let text = String::from_utf8(csv.stdout).expect("text");
    let mut lines = text.lines();
    let headings = lines.next().expect("headings");
    assert!(headings.starts_with("log,log_offset,record,stream,key,"), "{headings}");
    assert_eq!(lines.clone().count(), 12, "no field of the fixture has a line's end in it");
    let change = lines.nth(6).expect("a change");
    assert!(change.starts_with(&format!("{journal},6,change,cx/adherence,")), "{change}");
    assert!(change.contains("{\"\""), "its payload, quoted: {change}");
    let args = ["--format", "parquet", "-o", "out.parquet"];
    let said = String::from_utf8_lossy(&export(dir.path(), &args).stderr).into_owned();
    assert_eq!(said, format!("12 records written to out.parquet, up to cursor {journal}:12\n"));
    let file = fs::read(dir.path().join("out.parquet")).expect("it was written");
    assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
    assert!(!dir.path().join("out.parquet.unfinished").exists());
}

#[test]
fn a_table_is_not_gone_on_with_and_columns_are_no_text() {
    let (dir, _) = data();
    check("export_table_stdout", dir.path(), &["export", "--dir", "d", "--format", "parquet"]);
    let args = ["export", "--dir", "d", "--format", "csv", "-o", "out.csv", "--append"];
    check("export_table_append", dir.path(), &args);
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1, "nothing was begun");
}
