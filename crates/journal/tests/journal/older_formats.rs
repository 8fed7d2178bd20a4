//! What an earlier version wrote is read, and written on.
//!
//! `format2/` to `format4/` hold the files of a journal as the last version before the next format
//! left them: events and an open ledger row below an image, and one event above it; in format 3
//! with bookmarks, in format 4 with what a person decided.

use unbroken_core::directive::{Act, Directive};
use unbroken_core::fold::Paused;
use unbroken_core::ids::{AppendId, GapId, Key, Label};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Append, Body, GapCause, GapClosed, GapOutcome, HistoryOwed, Record};
use unbroken_core::time::UnixMicros;
use unbroken_journal::Reader;
use unbroken_journal::simdisk::SimDisk;

use crate::cases::{DIR, names_of, opened, path, records, stream, verified};

macro_rules! files {
    ($format:literal: $($name:literal),+) => {
        &[$(($name, include_bytes!(concat!($format, "/", $name)))),+]
    };
}

const FORMAT_2: &[(&str, &[u8])] = files!(
    "format2": "00000000000000000001.segment", "00000000000000000004.image", "journal", "published"
);
const FORMAT_3: &[(&str, &[u8])] = files!(
    "format3": "00000000000000000001.segment", "00000000000000000003.image", "journal", "published"
);
const FORMAT_4: &[(&str, &[u8])] = files!(
    "format4": "00000000000000000001.segment", "00000000000000000002.image", "journal", "published"
);

fn written_as(files: &[(&str, &[u8])]) -> SimDisk {
    let disk = SimDisk::new();
    // A first open makes the directory.
    drop(opened(&disk));
    disk.kill();
    for name in disk.names(std::path::Path::new(DIR)) {
        disk.delete(&path(&name));
    }
    for (name, bytes) in files {
        disk.replace(&path(name), bytes.to_vec());
    }
    disk
}

#[test]
fn a_journal_of_format_2_is_restored_whole() {
    let disk = written_as(FORMAT_2);
    let opened = opened(&disk);
    assert_eq!(opened.next_offset, 6);
    let fold = &opened.restored.streams[&stream()];
    assert_eq!(fold.position, Some(Position::new(Epoch(0), 5)));
    assert_eq!(fold.open_gaps[&GapId(1)].opened.cause, GapCause::Partial);
    assert_eq!(fold.keys[&Key::from("a")].payload.as_ref(), b"before");
    assert_eq!(fold.keys[&Key::from("b")].payload.as_ref(), b"after");
    assert_eq!(fold.bookmarks.iter().len(), 0);
}

#[test]
fn a_journal_of_format_2_is_written_on_and_verifies() {
    let disk = written_as(FORMAT_2);
    let mut journal = opened(&disk);
    let bookmark = unbroken_core::bookmark::Bookmark::new(b"T1");
    let body = Body::Progress { position: Position::new(Epoch(0), 6), bookmark: bookmark.clone() };
    let record = Record { stream: stream(), received_at: UnixMicros(11), body };
    let append = Append { id: AppendId(1), records: vec![record.clone()], mark: None };
    journal.writer.commit(&[append]).unwrap();
    drop(journal);
    disk.kill();
    let again = opened(&disk);
    let fold = &again.restored.streams[&stream()];
    assert_eq!(fold.bookmarks.at(6), bookmark.as_ref());
    let reader = Reader::open_on(std::sync::Arc::new(disk.clone()), DIR).unwrap();
    assert_eq!(records(&reader).last(), Some(&record));
    assert_eq!(names_of(&verified(&disk)), Vec::<&str>::new());
}

#[test]
fn a_journal_of_format_3_is_restored_whole() {
    let disk = written_as(FORMAT_3);
    let opened = opened(&disk);
    assert_eq!((opened.next_offset, opened.report.image_offset), (4, Some(3)));
    let fold = &opened.restored.streams[&stream()];
    assert_eq!(fold.position, Some(Position::new(Epoch(0), 4)));
    assert_eq!(fold.open_gaps[&GapId(1)].opened.cause, GapCause::Refused);
    assert_eq!(fold.open_gaps[&GapId(1)].first, Some(Position::new(Epoch(0), 4)));
    assert_eq!(fold.bookmarks.iter().len(), 3);
    assert_eq!(fold.keys[&Key::from("b")].payload.as_ref(), b"after");
    assert_eq!((&fold.paused, fold.vouched, fold.forgotten), (&None, None, false));
}

#[test]
fn a_journal_of_format_3_is_written_on_and_verifies() {
    let disk = written_as(FORMAT_3);
    let mut journal = opened(&disk);
    let by = Label::from("anna");
    let directive = Directive { act: Act::Pause, by: by.clone(), why: Label::from("works") };
    let body = Body::Directive(directive);
    let record = Record { stream: stream(), received_at: UnixMicros(11), body };
    let append = Append { id: AppendId(1), records: vec![record.clone()], mark: None };
    journal.writer.commit(&[append]).unwrap();
    journal.writer.close().unwrap();
    let again = opened(&disk);
    let paused = again.restored.streams[&stream()].paused.clone();
    assert_eq!(paused, Some(Paused { since: UnixMicros(11), by }));
    drop(again);
    disk.kill();
    assert_eq!(names_of(&verified(&disk)), Vec::<&str>::new());
}

#[test]
fn a_journal_of_format_4_is_restored_whole() {
    let disk = written_as(FORMAT_4);
    let opened = opened(&disk);
    let fold = &opened.restored.streams[&stream()];
    assert_eq!((opened.next_offset, opened.report.image_offset), (5, Some(4)));
    assert_eq!(fold.position, Some(Position::new(Epoch(0), 3)));
    assert_eq!(fold.open_gaps[&GapId(1)].opened.cause, GapCause::Operator);
    assert_eq!(fold.paused, Some(Paused { since: UnixMicros(1_000_000), by: Label::from("anna") }));
    assert_eq!(fold.keys[&Key::from("b")].payload.as_ref(), b"after");
    assert!(fold.history_owed.is_empty() && fold.facts.is_empty());
}

#[test]
fn a_journal_of_format_4_is_written_on_and_verifies() {
    let disk = written_as(FORMAT_4);
    let mut journal = opened(&disk);
    let row = GapClosed {
        gap: GapId(1),
        outcome: GapOutcome::Unproven,
        after: None,
        through: None,
        wall_from: UnixMicros(900_000),
        wall_to: UnixMicros(950_000),
        cause: GapCause::Operator,
        closed_by: None,
        reconciled: true,
    };
    let owed = HistoryOwed { row, since: UnixMicros(0) };
    let body = Body::HistoryOwed(owed.clone());
    let record = Record { stream: stream(), received_at: UnixMicros(11), body };
    let append = Append { id: AppendId(1), records: vec![record], mark: None };
    journal.writer.commit(&[append]).unwrap();
    journal.writer.close().unwrap();
    let again = opened(&disk);
    assert_eq!(again.restored.streams[&stream()].history_owed[&GapId(1)], owed);
    drop(again);
    disk.kill();
    assert_eq!(names_of(&verified(&disk)), Vec::<&str>::new());
}
