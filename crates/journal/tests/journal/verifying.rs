//! `verify` finds what was done to the log, and calls it by its name.

use unbroken_core::ids::{AppendId, GapId, SnapshotId};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{
    Append, Body, GapCause, GapClosed, GapOpened, GapOutcome, Record, SnapshotBegin, SnapshotEnd,
    Witness,
};
use unbroken_core::time::UnixMicros;
use unbroken_journal::simdisk::{Dice, SimDisk};

use crate::cases::{
    change, crashed_with, flip, images, names_of, opened, path, segments, stream, unit, verified,
    verified_to,
};

const SEGMENT_HEADER_BYTES: usize = 84;

/// Where the batches of a segment begin; the last is where they end.
fn borders(bytes: &[u8]) -> Vec<usize> {
    let mut borders = vec![SEGMENT_HEADER_BYTES];
    let mut at = SEGMENT_HEADER_BYTES;
    while let Some(length) = bytes.get(at + 8..at + 12).and_then(|b| b.first_chunk::<4>()) {
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 {
            break;
        }
        at += length;
        borders.push(at);
    }
    borders
}

fn edit(disk: &SimDisk, segment: usize, change: impl FnOnce(&[u8], &[usize]) -> Vec<u8>) -> String {
    let name = segments(disk).remove(segment);
    let bytes = disk.contents(&path(&name)).unwrap();
    let edited = change(&bytes, &borders(&bytes));
    disk.replace(&path(&name), edited);
    name
}

#[test]
fn a_whole_log_has_no_findings() {
    let disk = SimDisk::new();
    crashed_with(&disk, 60);
    let report = verified_to(&disk, Some(60));
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!((report.batches, report.records, report.end_offset), (60, 60, 60));
    assert!(report.images_equal == 2 && report.segments > 3);
}

#[test]
fn a_flipped_byte_in_any_durable_batch_is_found() {
    let disk = SimDisk::new();
    crashed_with(&disk, 40);
    let mut dice = Dice::new(11);
    let mut flipped = 0;
    for name in segments(&disk) {
        let bytes = disk.contents(&path(&name)).unwrap();
        let borders = borders(&bytes);
        let end = *borders.last().unwrap();
        for _ in 0..40 {
            let at = dice.below(end as u64) as usize;
            let copy = disk.copy();
            flip(&copy, &name, at);
            let report = verified(&copy);
            let kinds = names_of(&report);
            let expected =
                if at < SEGMENT_HEADER_BYTES { "segment_damaged" } else { "batch_damaged" };
            assert_eq!(kinds.first(), Some(&expected), "byte {at} of {name}: {kinds:?}");
            let finding = &report.findings[0];
            assert_eq!(finding.file, name);
            if at >= SEGMENT_HEADER_BYTES {
                let begin = borders.iter().rfind(|border| **border <= at).unwrap();
                assert_eq!(finding.position, *begin as u64, "the batch is named");
            }
            flipped += 1;
        }
    }
    assert!(flipped > 100);
}

#[test]
fn a_removed_batch_is_found() {
    let disk = SimDisk::new();
    crashed_with(&disk, 40);
    let name =
        edit(&disk, 1, |bytes, borders| [&bytes[..borders[2]], &bytes[borders[3]..]].concat());
    let report = verified(&disk);
    assert_eq!(names_of(&report), ["batch_missing"], "{:?}", report.findings);
    assert_eq!(report.findings[0].file, name);
}

#[test]
fn a_batch_removed_at_the_end_of_a_segment_is_found() {
    let disk = SimDisk::new();
    crashed_with(&disk, 40);
    edit(&disk, 1, |bytes, borders| bytes[..borders[borders.len() - 2]].to_vec());
    let report = verified(&disk);
    assert_eq!(names_of(&report), ["batch_missing"], "{:?}", report.findings);
}

#[test]
fn a_repeated_batch_is_found() {
    let disk = SimDisk::new();
    crashed_with(&disk, 40);
    edit(&disk, 1, |bytes, borders| [&bytes[..borders[3]], &bytes[borders[2]..]].concat());
    let report = verified(&disk);
    assert_eq!(names_of(&report), ["batch_repeated"], "{:?}", report.findings);
}

#[test]
fn a_removed_segment_is_found() {
    let disk = SimDisk::new();
    crashed_with(&disk, 40);
    disk.delete(&path(&segments(&disk)[1]));
    let report = verified(&disk);
    assert_eq!(names_of(&report), ["segment_missing"], "{:?}", report.findings);
}

#[test]
fn a_tail_cut_below_what_was_published_or_consumed_is_found() {
    let disk = SimDisk::new();
    crashed_with(&disk, 3);
    edit(&disk, 0, |bytes, borders| bytes[..borders[2]].to_vec());
    let report = verified(&disk);
    assert_eq!(names_of(&report), ["tail_cut"]);
    assert!(report.findings[0].text.contains("`published`"), "{}", report.findings[0]);

    // Without that file, only a consumer knows.
    disk.delete(&path("published"));
    assert!(verified_to(&disk, Some(2)).findings.is_empty());
    let report = verified_to(&disk, Some(3));
    assert_eq!(names_of(&report), ["tail_cut"]);
    assert!(report.findings[0].text.contains("checkpoint at 3"), "{}", report.findings[0]);
}

#[test]
fn a_damaged_image_is_found() {
    let disk = SimDisk::new();
    crashed_with(&disk, 40);
    let name = images(&disk).remove(0);
    flip(&disk, &name, 150);
    let report = verified(&disk);
    assert_eq!(names_of(&report), ["image_damaged"]);
    assert_eq!(report.findings[0].file, name);
}

#[test]
fn an_image_that_is_not_the_fold_of_its_log_is_found() {
    let disk = SimDisk::new();
    crashed_with(&disk, 40);
    let name = images(&disk).remove(0);
    let mut bytes = disk.contents(&path(&name)).unwrap();
    // Another payload byte, and a hash that fits it: what broken code would write.
    let signed = bytes.len() - 32;
    let at = bytes.windows(100).rposition(|window| window == [window[0]; 100]).unwrap();
    bytes[at] ^= 1;
    let hash = *blake3::hash(&bytes[..signed]).as_bytes();
    bytes[signed..].copy_from_slice(&hash);
    disk.replace(&path(&name), bytes);
    let report = verified(&disk);
    assert_eq!(names_of(&report), ["image_differs"], "{:?}", report.findings);
}

fn findings_of(records: Vec<Record>) -> Vec<&'static str> {
    let disk = SimDisk::new();
    let mut opened = opened(&disk);
    opened.writer.commit(&[Append { id: AppendId(1), records, mark: None }]).unwrap();
    names_of(&verified(&disk))
}

fn record(body: Body) -> Record {
    Record { stream: stream(), received_at: UnixMicros(5), body }
}

fn begin(snapshot: u64) -> Record {
    let snapshot = SnapshotId(snapshot);
    let keys = None;
    record(Body::SnapshotBegin(SnapshotBegin { snapshot, tag: None, rows_are_state: true, keys }))
}

fn item(snapshot: u64, sequence: u64) -> Record {
    let Body::Change(change) = change("a", sequence, &[sequence as u8]).body else { panic!() };
    record(Body::SnapshotItem { snapshot: SnapshotId(snapshot), change })
}

fn end(snapshot: u64, count: u64, digest: u128) -> Record {
    record(Body::SnapshotEnd(SnapshotEnd {
        snapshot: SnapshotId(snapshot),
        count,
        rows: count,
        digest,
        tag: None,
        rows_are_state: true,
        keyed: false,
        converging_until: None,
        witness: Witness::Assumed,
    }))
}

#[test]
fn an_event_that_is_there_twice_is_found() {
    let twice = vec![change("a", 1, b"1"), change("b", 2, b"2"), change("a", 1, b"1")];
    assert_eq!(findings_of(twice), ["event_duplicated", "event_out_of_order"]);
}

#[test]
fn an_event_out_of_order_is_found() {
    assert_eq!(
        findings_of(vec![change("a", 5, b"1"), change("b", 4, b"2"), change("c", 5, b"3")]),
        ["event_out_of_order"]
    );
}

#[test]
fn brackets_that_are_not_whole_are_found() {
    let sum = unbroken_core::record::digest(&[1]);
    assert_eq!(findings_of(vec![begin(1), item(1, 1), end(1, 1, sum)]), [""; 0]);
    assert_eq!(findings_of(vec![begin(1), item(1, 1), end(1, 2, sum)]), ["bracket_torn"]);
    assert_eq!(findings_of(vec![begin(1), item(1, 1), end(1, 1, 0)]), ["bracket_torn"]);
    assert_eq!(findings_of(vec![begin(1), begin(2), end(2, 0, 0)]), ["bracket_unpaired"]);
    assert_eq!(findings_of(vec![item(1, 1)]), ["bracket_unpaired"]);
    assert_eq!(findings_of(vec![end(1, 0, 0)]), ["bracket_unpaired"]);
    let abort = Body::SnapshotAbort { snapshot: SnapshotId(9) };
    assert_eq!(findings_of(vec![begin(1), record(abort)]), ["bracket_unpaired"]);
}

fn gap_opened(gap: u64) -> Record {
    record(Body::GapOpened(GapOpened {
        gap: GapId(gap),
        after: None,
        wall_from: UnixMicros(1),
        cause: GapCause::Start,
    }))
}

fn gap_closed(gap: u64, cause: GapCause) -> Record {
    record(Body::GapClosed(GapClosed {
        gap: GapId(gap),
        outcome: GapOutcome::Unrecoverable,
        after: None,
        through: None,
        wall_from: UnixMicros(1),
        wall_to: UnixMicros(2),
        cause,
        closed_by: None,
        reconciled: true,
    }))
}

#[test]
fn ledger_rows_that_are_not_well_formed_are_found() {
    let start = GapCause::Start;
    let narrowed = vec![gap_opened(1), gap_closed(1, start), gap_closed(1, start)];
    assert_eq!(findings_of(narrowed), [""; 0]);
    assert_eq!(findings_of(vec![gap_closed(1, start)]), ["gap_not_opened"]);
    assert_eq!(findings_of(vec![gap_opened(1), gap_opened(1)]), ["gap_reopened"]);
    let other = vec![gap_opened(1), gap_closed(1, GapCause::Mute)];
    assert_eq!(findings_of(other), ["gap_incoherent"]);
}

#[test]
fn open_ledger_rows_are_told_and_are_no_finding() {
    let disk = SimDisk::new();
    let mut opened = opened(&disk);
    let records = vec![gap_opened(7)];
    opened.writer.commit(&[Append { id: AppendId(1), records, mark: None }]).unwrap();
    opened.writer.commit(&[unit("a", 1, b"1")]).unwrap();
    let report = verified(&disk);
    assert!(report.findings.is_empty());
    assert_eq!(report.open_gaps.len(), 1);
    assert_eq!(report.open_gaps[0].gap.gap, GapId(7));
}

/// Events that come late, one after the other: the second is the first of what is left of the row.
#[test]
fn a_row_may_be_narrowed_from_its_beginning_and_never_widened() {
    let at = |sequence| Some(Position { epoch: Epoch(0), sequence });
    let row = |opened, closed| {
        let (mut begin, mut end) = (gap_opened(1), gap_closed(1, GapCause::Refused));
        if let (Body::GapOpened(begin), Body::GapClosed(end)) = (&mut begin.body, &mut end.body) {
            (begin.after, begin.cause) = (at(opened), GapCause::Refused);
            (end.after, end.through, end.cause) = (at(closed), at(9), GapCause::Refused);
        }
        findings_of(vec![begin, end])
    };
    assert_eq!(row(4, 4), [""; 0]);
    assert_eq!(row(4, 7), [""; 0]);
    assert_eq!(row(4, 3), ["gap_incoherent"]);
}
