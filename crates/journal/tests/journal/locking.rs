//! One writer, and a data directory that is nobody else's business.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use unbroken_journal::{JournalError, Options, Reader, open};

use crate::cases::{records, unit};

#[test]
fn a_second_writer_is_refused_and_told_who_holds_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = open(Options::new(dir.path())).unwrap();
    let refused = open(Options::new(dir.path())).unwrap_err();
    let JournalError::Locked { pid, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*pid, Some(std::process::id()));
    assert!(refused.to_string().contains(&format!("process {}", std::process::id())));
    // The one who was refused has done no harm.
    first.writer.commit(&[unit("a", 1, b"1")]).unwrap();
    first.writer.close().unwrap();
    let second = open(Options::new(dir.path())).unwrap();
    assert_eq!(second.next_offset, 1);
}

#[test]
fn a_reader_needs_no_lock_and_sees_what_is_durable_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = open(Options::new(dir.path())).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.journal(), opened.journal);
    assert_eq!(reader.end_offset().unwrap(), 0);
    opened.writer.commit(&[unit("a", 1, b"1"), unit("b", 2, b"2")]).unwrap();
    assert_eq!(reader.end_offset().unwrap(), 2);
    assert_eq!(records(&reader), records(&opened.reader));
}

#[test]
fn directory_and_files_are_the_owners_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("deep").join("data");
    let mut opened = open(Options::new(&dir)).unwrap();
    opened.writer.commit(&[unit("a", 1, b"1")]).unwrap();
    opened.writer.close().unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let mut files = 0;
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 5, "lock, journal, published, a segment, an image");
}
