//! What an earlier version wrote is read, and written on.
//!
//! `format2/` holds the files of a journal as the last version before format 3 left them: three
//! events, an open ledger row and a Progress below an image, and one event above it.

use unbroken_core::ids::{AppendId, GapId, Key};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Append, Body, GapCause, Record};
use unbroken_core::time::UnixMicros;
use unbroken_journal::Reader;
use unbroken_journal::simdisk::SimDisk;

use crate::cases::{DIR, names_of, opened, path, records, stream, verified};

fn written_by_format_2() -> SimDisk {
    let disk = SimDisk::new();
    // A first open makes the directory.
    drop(opened(&disk));
    disk.kill();
    for name in disk.names(std::path::Path::new(DIR)) {
        disk.delete(&path(&name));
    }
    let files: [(&str, &[u8]); 4] = [
        ("00000000000000000001.segment", include_bytes!("format2/00000000000000000001.segment")),
        ("00000000000000000004.image", include_bytes!("format2/00000000000000000004.image")),
        ("journal", include_bytes!("format2/journal")),
        ("published", include_bytes!("format2/published")),
    ];
    for (name, bytes) in files {
        disk.replace(&path(name), bytes.to_vec());
    }
    disk
}

#[test]
fn a_journal_of_format_2_is_restored_whole() {
    let disk = written_by_format_2();
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
fn it_is_written_on_in_the_new_format_and_verifies() {
    let disk = written_by_format_2();
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
