//! `unbroken position`: where streams stand, and how a person moves them.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;
use unbroken_journal::Options;

use crate::fixture::write_log;
use crate::golden::{check, check_with, run};

/// The records that the log has gained since, without what differs from run to run.
fn gained(dir: &Path, after: &str) -> Vec<Value> {
    let output = run(dir, &["events", "--journal", "d", "--after", after]);
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A log in `d`, and its lock free: a process that another test is just starting may hold a copy of
/// this one's for a moment.
fn log_in(dir: &Path) -> String {
    let journal = write_log(&dir.join("d"));
    within_patience("the lock is free", || {
        let refused = run(dir, &["position", "set", "none", "--journal", "d"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        (!said.contains("while a service runs")).then_some(())
    });
    journal
}

fn within_patience<T>(what: &str, attempt: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn last_offset(dir: &Path) -> String {
    let records = gained(dir, "0");
    records.last().expect("records")["offset"].to_string()
}

fn is_verified(dir: &Path) -> bool {
    let rebuilt = run(dir, &["rebuild", "--journal", "d"]);
    rebuilt.status.success() && run(dir, &["verify", "--journal", "d"]).status.success()
}

#[test]
fn positions_are_told_and_wrong_moves_refused() {
    let dir = tempdir().expect("a temporary directory");
    let journal = log_in(dir.path());
    let end = last_offset(dir.path());
    let check =
        |name: &str, args: &[&str]| check_with(name, dir.path(), args, &[(&journal, "[JOURNAL]")]);
    check("position_get", &["position", "get", "--journal", "d"]);
    check("position_get_ndjson", &["position", "get", "--journal", "d", "--format", "ndjson"]);
    check("position_get_unknown", &["position", "get", "--journal", "d", "--source", "acme"]);
    check("position_set_behind", &["position", "set", "1", "--journal", "d"]);
    check("position_set_text", &["position", "set", "abc", "--journal", "d"]);
    check("position_set_unknown", &["position", "set", "9", "--journal", "d", "--source", "acme"]);
    assert_eq!(last_offset(dir.path()), end, "nothing was written");
}

#[test]
fn a_position_that_is_set_is_in_the_log_with_its_row() {
    let dir = tempdir().expect("a temporary directory");
    log_in(dir.path());
    let end = last_offset(dir.path());
    let args = ["position", "set", "0xc8", "--reason", "a bad batch", "--journal", "d"];
    check("position_set", dir.path(), &args);
    check("position_set_there", dir.path(), &["position", "set", "200", "--journal", "d"]);
    let records = gained(dir.path(), &end);
    assert_eq!(
        (records[0]["record"].as_str(), records[0]["cause"].as_str()),
        (Some("gap_opened"), Some("operator"))
    );
    assert_eq!(
        (records[1]["act"].as_str(), records[1]["why"].as_str()),
        (Some("set_position"), Some("a bad batch"))
    );
    assert!(records[1]["by"].as_str().is_some_and(|by| !by.is_empty()));
    assert_eq!(records[1]["position"]["sequence"], 200);
    let closed = records.iter().find(|r| r["record"] == "gap_closed" && r["cause"] == "operator");
    assert_eq!(closed.expect("the row")["through"]["sequence"], 200);
    assert!(is_verified(dir.path()));
}

#[test]
fn a_position_that_is_forgotten_leaves_an_open_row() {
    let dir = tempdir().expect("a temporary directory");
    log_in(dir.path());
    let end = last_offset(dir.path());
    check("position_reset", dir.path(), &["position", "reset", "--journal", "d"]);
    check("position_set_forgotten", dir.path(), &["position", "set", "200", "--journal", "d"]);
    let records = gained(dir.path(), &end);
    assert_eq!(records.len(), 2);
    assert_eq!(records[0]["cause"], "operator");
    assert_eq!(records[1]["act"], "forget_position");
    let told = run(dir.path(), &["position", "get", "--journal", "d", "--format", "ndjson"]);
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!((&told["forgotten"], &told["sequence"]), (&Value::Bool(true), &Value::Null));
    assert!(is_verified(dir.path()));
}

#[test]
fn while_a_service_runs_positions_are_told_and_not_moved() {
    let dir = tempdir().expect("a temporary directory");
    log_in(dir.path());
    let open = || unbroken_journal::open(Options::new(dir.path().join("d/journal"))).ok();
    let held = within_patience("the lock", open);
    let pid = std::process::id().to_string();
    for (name, args) in [
        ("position_set_fenced", &["position", "set", "200", "--journal", "d"][..]),
        ("position_reset_fenced", &["position", "reset", "--journal", "d"][..]),
    ] {
        check_with(name, dir.path(), args, &[(&pid, "[PID]")]);
    }
    assert!(run(dir.path(), &["position", "get", "--journal", "d"]).status.success());
    drop(held);
}
