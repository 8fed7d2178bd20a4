//! Readers: from any offset, up to the durable end, and on from there.

use std::sync::Arc;
use std::time::Duration;

use unbroken_core::ids::AppendId;
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Append, Mark};
use unbroken_journal::simdisk::SimDisk;
use unbroken_journal::{Cursor, JournalError, Options, Reader, Retention, open};

use crate::cases::{
    DIR, crashed_with, flip, opened, options, path, records, segments, stream, unit,
};

#[test]
fn every_offset_can_be_begun_at_and_gives_the_same_records() {
    let disk = SimDisk::new();
    let mut opened = opened(&disk);
    for first in (1..91).step_by(3) {
        let units: Vec<_> =
            (first..first + 3).map(|sequence| unit("a", sequence, &[1; 200])).collect();
        opened.writer.commit(&units).unwrap();
    }
    assert!(segments(&disk).len() > 3);
    let all = crate::cases::records(&opened.reader);
    let alone = Reader::open_on(Arc::new(disk), DIR).unwrap();
    for reader in [&opened.reader, &alone] {
        for from in 0..=90 {
            let mut next = from;
            let mut batches = reader.batches(from).unwrap();
            while let Some(batch) = batches.next_batch().unwrap() {
                assert_eq!(batch.first_offset, next);
                for (offset, record) in batch.entries() {
                    assert_eq!(*record, all[offset as usize]);
                }
                next = batch.end_offset();
                assert_eq!(batches.next_offset(), next);
            }
            assert_eq!(next, 90);
        }
    }
}

#[test]
fn a_reader_at_the_end_goes_on_when_there_is_more() {
    let disk = SimDisk::new();
    let mut opened = opened(&disk);
    let alone = Reader::open_on(Arc::new(disk.clone()), DIR).unwrap();
    let mut followers = [opened.reader.batches(0).unwrap(), alone.batches(0).unwrap()];
    for sequence in 1..60 {
        for follower in &mut followers {
            assert_eq!(follower.next_batch().unwrap(), None);
            assert!(!follower.wait(Duration::ZERO).unwrap());
        }
        opened.writer.commit(&[unit("a", sequence, &[2; 300])]).unwrap();
        for follower in &mut followers {
            assert!(follower.wait(Duration::from_secs(5)).unwrap());
            let batch = follower.next_batch().unwrap().unwrap();
            assert_eq!(batch.end_offset(), sequence);
            assert_eq!(follower.cursor(), opened.reader.cursor(sequence));
        }
    }
}

#[test]
fn a_waiting_reader_is_woken_by_a_commit() {
    let disk = SimDisk::new();
    let mut opened = opened(&disk);
    let reader = opened.reader.clone();
    let waiting = std::thread::spawn(move || reader.wait(0, Duration::from_secs(30)).unwrap());
    opened.writer.commit(&[unit("a", 1, b"1")]).unwrap();
    assert_eq!(waiting.join().unwrap(), 1);
}

#[test]
fn marks_without_records_reach_a_reader_that_begins_at_their_offset() {
    let mark = |sequence| Append {
        id: AppendId(sequence),
        records: Vec::new(),
        mark: Some(Mark { stream: stream(), position: Position::new(Epoch(0), sequence) }),
    };
    let disk = SimDisk::new();
    let mut opened = opened(&disk);
    opened.writer.commit(&[unit("a", 1, b"1")]).unwrap();
    opened.writer.commit(&[mark(50), mark(70), mark(60)]).unwrap();
    let mut batches = opened.reader.batches(1).unwrap();
    let batch = batches.next_batch().unwrap().unwrap();
    assert_eq!((batch.first_offset, batch.records.len()), (1, 0));
    assert_eq!(batch.marks.len(), 1, "the highest says everything");
    assert_eq!(batch.marks[0].position.sequence, 70);
    assert_eq!(batches.next_batch().unwrap(), None);
    drop(opened);
    disk.kill();
    let restored = crate::cases::opened(&disk).restored;
    assert_eq!(restored.streams[&stream()].position.unwrap().sequence, 70);
}

#[test]
fn bad_bytes_below_the_durable_end_are_an_error_and_are_not_passed_over() {
    let disk = SimDisk::new();
    crashed_with(&disk, 5);
    let name = segments(&disk).remove(0);
    flip(&disk, &name, 700);
    let reader = Reader::open_on(Arc::new(disk), DIR).unwrap();
    let mut batches = reader.batches(0).unwrap();
    assert_eq!(batches.next_batch().unwrap().unwrap().end_offset(), 1);
    for _ in 0..2 {
        let error = batches.next_batch().unwrap_err();
        let JournalError::Corrupt { path: named, offset, .. } = error else { panic!("{error}") };
        assert_eq!((named, offset), (path(&name), 1));
    }
}

#[test]
fn a_cursor_is_text_and_belongs_to_one_journal() {
    let disk = SimDisk::new();
    let mut opened = opened(&disk);
    opened.writer.commit(&[unit("a", 1, b"1")]).unwrap();
    let cursor = opened.reader.cursor(1);
    let text = cursor.to_string();
    assert_eq!(text.parse::<Cursor>().unwrap(), cursor);
    for bad in ["", ":", "1", "x:1", &text.replace(':', ":+"), &format!("{text}0x")] {
        assert!(bad.parse::<Cursor>().is_err(), "{bad}");
    }
    assert!(opened.reader.batches_after(cursor).unwrap().next().is_none());

    let other = crate::cases::opened(&SimDisk::new());
    let refused = other.reader.batches_after(cursor).unwrap_err();
    assert!(matches!(refused, JournalError::AnotherJournal { .. }), "{refused}");
    assert!(refused.hint().unwrap().contains("read the state anew"));

    let beyond = opened.reader.batches(2).unwrap_err();
    assert!(matches!(beyond, JournalError::BeyondEnd { offset: 2, end: 1 }), "{beyond}");
}

#[test]
fn a_slow_reader_is_told_when_retention_has_overtaken_it() {
    let disk = SimDisk::new();
    let retention = Retention { bytes_max: Some(1), ..Retention::default() };
    let mut opened = open(Options { retention, ..options(&disk) }).unwrap();
    opened.writer.commit(&[unit("a", 1, b"1")]).unwrap();
    let mut slow = opened.reader.batches(0).unwrap();
    slow.next_batch().unwrap();
    for sequence in 2..80 {
        opened.writer.commit(&[unit("a", sequence, &[3; 300])]).unwrap();
    }
    // The segment it has open can still be read to its end; the next one is gone.
    let error = loop {
        match slow.next_batch() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it cannot have reached the end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, JournalError::PastRetention { .. }), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn beginning_deep_in_a_large_segment_gives_the_same_records() {
    let disk = SimDisk::new();
    let segment_bytes = 8 * 1024 * 1024;
    let mut opened = open(Options { segment_bytes, ..options(&disk) }).unwrap();
    for sequence in 1..=100 {
        opened.writer.commit(&[unit("a", sequence, &vec![sequence as u8; 50_000])]).unwrap();
    }
    assert_eq!(segments(&disk).len(), 1);
    let all = crate::cases::records(&opened.reader);
    for from in (0..=100).step_by(7) {
        let batches = opened.reader.batches(from).unwrap();
        let read: Vec<_> = batches.flat_map(|batch| batch.unwrap().records).collect();
        assert!(read == all[from as usize..], "from {from}");
    }
}

#[test]
fn a_log_whose_end_nobody_has_published_is_not_read_again_for_each_batch() {
    let disk = SimDisk::new();
    crashed_with(&disk, 200);
    let looks = |disk: &SimDisk| {
        let reader = Reader::open_on(Arc::new(disk.clone()), DIR).unwrap();
        let before = disk.reads();
        assert_eq!(records(&reader).len(), 200);
        disk.reads() - before
    };
    let published = looks(&disk);
    // As after a repair, or a crash that tore it.
    disk.delete(&path("published"));
    let unpublished = looks(&disk);
    assert!(unpublished < 3 * published, "{unpublished} looks, {published} before");
}
