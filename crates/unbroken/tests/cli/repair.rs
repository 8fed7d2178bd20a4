//! A damaged log: what `run` says of it, what `repair` would do, does, and leaves.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::tempdir;

use crate::fixture::write_log;
use crate::golden::{check, check_with, run};

/// The journal's files with their contents; the lock is no content.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(dir.join("journal")).expect("it was made");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = paths
        .filter(|path| path.file_name().is_none_or(|name| name != "lock"))
        .map(|path| (path.clone(), fs::read(path).expect("a file")))
        .collect();
    files.sort();
    files
}

fn damage(dir: &Path) {
    let segments = files(dir).into_iter();
    let mut segments =
        segments.filter(|(path, _)| path.extension().is_some_and(|e| e == "segment"));
    let (path, mut bytes) = segments.next().expect("a segment");
    let anna = bytes.windows(5).rposition(|window| window == b"Break").expect("a payload");
    bytes[anna] ^= 0x20;
    fs::write(path, bytes).expect("a file");
}

#[test]
fn a_damaged_log_is_refused_planned_repaired_and_whole_again() {
    let dir = tempdir().expect("a temporary directory");
    let id = write_log(dir.path());
    check("repair_nothing", dir.path(), &["repair", "--dir", "."]);
    damage(dir.path());
    let before = files(dir.path());
    check("repair_dry_run", dir.path(), &["repair", "--dry-run", "--dir", "."]);
    assert_eq!(files(dir.path()), before, "a dry run changes nothing");
    let output = run(dir.path(), &["repair", "--dir", "."]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("new id") && said.contains("unbroken rebuild"), "{said}");
    assert!(!said.contains(&id), "it is another log now: {said}");
    let new = said.split("new id ").nth(1).and_then(|rest| rest.split(':').next());
    let new = new.expect("its id");
    let kept = said.lines().find_map(|line| line.strip_prefix("kept: ")).expect("what was cut");
    assert!(dir.path().join("journal").join(kept).is_file(), "{kept}");
    check("repair_nothing", dir.path(), &["repair", "--dir", "."]);
    assert_eq!(run(dir.path(), &["rebuild", "--dir", "."]).status.code(), Some(0));
    check("repaired_verify", dir.path(), &["verify", "--dir", "."]);
    let cursor = format!("{id}:1");
    check_with(
        "repaired_old_cursor",
        dir.path(),
        &["events", "--dir", ".", "--after", &cursor],
        &[(&id, "[OLD]"), (new, "[NEW]")],
    );
}

#[test]
fn a_log_from_a_backup_is_told_from_the_one_that_it_was() {
    let dir = tempdir().expect("a temporary directory");
    let nothing = run(dir.path(), &["repair", "--restored", "--dir", "."]);
    assert_eq!(nothing.status.code(), Some(2), "there is no log");
    assert!(!dir.path().join("journal").exists(), "and none is made");
    let id = write_log(dir.path());
    let output = run(dir.path(), &["repair", "--restored", "--dir", "."]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(&format!("the log, {id} until now, has the new id ")), "{said}");
    assert!(said.contains("unbroken rebuild") && said.contains("--adopt"), "{said}");
    let cursor = format!("{id}:1");
    let refused = run(dir.path(), &["events", "--dir", ".", "--after", &cursor]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert_eq!(run(dir.path(), &["rebuild", "--dir", "."]).status.code(), Some(0));
    assert_eq!(run(dir.path(), &["verify", "--dir", "."]).status.code(), Some(0));
}
