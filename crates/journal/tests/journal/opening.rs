//! What opening accepts, cuts and refuses.

use std::sync::Arc;

use unbroken_journal::simdisk::{Dice, SimDisk};
use unbroken_journal::{ImagePolicy, JournalError, Options, Reader, open};

use crate::cases::{
    DIR, change, crashed_with, dir, opened, options, path, records, segments, unit, verified,
};
use crate::workload::{Acknowledged, Workload};

#[test]
fn a_new_journal_is_empty_and_has_an_id() {
    let disk = SimDisk::new();
    let opened = opened(&disk);
    assert!(opened.report.created);
    assert_eq!((opened.next_offset, opened.restored.streams.len()), (0, 0));
    assert_ne!(opened.journal, crate::cases::opened(&SimDisk::new()).journal);
    let id = opened.journal;
    drop(opened);
    disk.kill();
    let again = crate::cases::opened(&disk);
    assert_eq!((again.journal, again.report.created), (id, false));
}

#[test]
fn a_crash_keeps_the_journal_id_and_a_restored_backup_does_not() {
    let disk = SimDisk::new();
    crashed_with(&disk, 20);
    let id = Reader::open_on(Arc::new(disk.clone()), DIR).unwrap().journal();
    // A tail that nobody was told of.
    let name = segments(&disk).pop().unwrap();
    let mut bytes = disk.contents(&path(&name)).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.resize(end, 0);
    bytes.extend_from_slice(b"half a batch");
    disk.replace(&path(&name), bytes);
    let crashed = opened(&disk);
    assert!(crashed.report.cut.is_some());
    assert_eq!(crashed.journal, id);
    drop(crashed);
    disk.kill();

    let backup = disk.copy();
    let restored = Options { restored_from_backup: true, ..options(&backup) };
    let opened = open(restored).unwrap();
    assert_ne!(opened.journal, id);
    let cursor = Reader::open_on(Arc::new(disk), DIR).unwrap().cursor(3);
    let refused = opened.reader.batches_after(cursor).unwrap_err();
    assert!(matches!(refused, JournalError::AnotherJournal { .. }), "{refused}");
}

#[test]
fn a_flipped_byte_never_changes_what_is_restored() {
    let disk = SimDisk::new();
    let mut opened = open(options(&disk)).unwrap();
    let (mut workload, mut acknowledged) = (Workload::new(3), Acknowledged::nothing());
    for _ in 0..60 {
        let units = workload.units(3);
        opened.writer.commit(&units).unwrap();
        acknowledged.add(&units);
    }
    let id = opened.journal;
    drop(opened);
    disk.kill();
    let (mut refused, mut unharmed) = (0, 0);
    let mut dice = Dice::new(5);
    for round in 0..3_000 {
        let copy = disk.copy();
        let names = copy.names(dir());
        let name = &names[dice.below(names.len() as u64) as usize];
        let mut bytes = copy.contents(&path(name)).unwrap();
        let at = dice.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << dice.below(8);
        copy.replace(&path(name), bytes);
        match open(options(&copy)) {
            Err(JournalError::Corrupt { .. } | JournalError::NewerFormat { .. }) => refused += 1,
            Err(error) => panic!("round {round}, byte {at} of {name}: {error}"),
            Ok(opened) => {
                assert_eq!(opened.journal, id, "round {round}, byte {at} of {name}");
                assert_eq!(opened.next_offset, acknowledged.end(), "byte {at} of {name}");
                assert!(opened.restored == acknowledged.fold, "byte {at} of {name}");
                unharmed += 1;
            }
        }
    }
    assert!(refused > 100 && unharmed > 200, "{refused} refused, {unharmed} unharmed");
}

#[test]
fn a_bad_batch_below_a_later_one_is_damage_and_not_a_torn_tail() {
    let disk = SimDisk::new();
    crashed_with(&disk, 5);
    // Nothing but the later batch knows.
    disk.delete(&path("published"));
    let name = segments(&disk).remove(0);
    crate::cases::flip(&disk, &name, 700);
    let refused = open(options(&disk)).unwrap_err();
    let JournalError::Corrupt { path: named, offset, .. } = &refused else { panic!("{refused}") };
    assert_eq!((named, *offset), (&path(&name), 1));
    assert!(refused.hint().unwrap().contains("repair"));
}

#[test]
fn a_payload_that_contains_a_batch_does_not_pass_for_one() {
    // The bytes of a whole later batch of this very place, written by a journal with another salt.
    let forger = SimDisk::new();
    crashed_with(&forger, 6);
    let forged = forger.contents(&path(&segments(&forger)[0])).unwrap()[84..2_400].to_vec();

    let disk = SimDisk::new();
    let mut opened = opened(&disk);
    opened.writer.commit(&[unit("a", 1, b"kept")]).unwrap();
    opened.writer.commit(&[unit("a", 2, &forged)]).unwrap();
    drop(opened);
    disk.delete(&path("published"));
    // The power took the first sector of the last batch.
    let name = segments(&disk).pop().unwrap();
    let mut bytes = disk.contents(&path(&name)).unwrap();
    let begin = bytes.windows(4).enumerate().filter(|(_, w)| w == b"ubB1").nth(1).unwrap().0;
    bytes[begin..begin + 100].fill(0);
    disk.replace(&path(&name), bytes);
    disk.kill();
    let opened = open(options(&disk)).unwrap();
    assert_eq!(opened.next_offset, 1, "a torn tail, not damage");
    assert!(opened.report.cut.is_some());
}

#[test]
fn a_log_that_ends_before_a_consumers_checkpoint_is_refused() {
    let disk = SimDisk::new();
    crashed_with(&disk, 5);
    let with = |checkpoint| Options { checkpoints: vec![2, checkpoint], ..options(&disk) };
    let refused = open(with(6)).unwrap_err();
    assert!(refused.to_string().contains("checkpoint at 6"), "{refused}");
    assert_eq!(open(with(5)).unwrap().next_offset, 5);
}

#[test]
fn an_open_snapshot_bracket_is_left_to_the_machine() {
    use unbroken_core::ids::{AppendId, SnapshotId};
    use unbroken_core::record::{Append, Body, Record, SnapshotBegin};
    let disk = SimDisk::new();
    let snapshot = SnapshotId(4);
    let begin = SnapshotBegin { snapshot, tag: None, rows_are_state: true, keys: None };
    let first = change("a", 1, b"1");
    let records = vec![Record { body: Body::SnapshotBegin(begin), ..first }];
    let mut opened = opened(&disk);
    opened.writer.commit(&[Append { id: AppendId(1), records, mark: None }]).unwrap();
    opened.writer.close().unwrap();
    let opened = crate::cases::opened(&disk);
    let stream = opened.restored.streams.values().next().unwrap();
    assert_eq!(stream.staged.as_ref().unwrap().snapshot, SnapshotId(4));
    assert_eq!(opened.next_offset, 1, "nothing was written");
}

#[test]
fn a_clean_stop_makes_the_next_open_read_no_log() {
    let disk = SimDisk::new();
    let close = Options { images: ImagePolicy::SealAndClose, ..options(&disk) };
    let mut opened = open(close.clone()).unwrap();
    for sequence in 1..30 {
        opened.writer.commit(&[unit("a", sequence, b"value")]).unwrap();
    }
    opened.writer.close().unwrap();
    let mut opened = open(close).unwrap();
    assert_eq!(opened.report.image_offset, Some(29));
    assert_eq!(opened.report.batches_replayed, 0);
    opened.writer.commit(&[unit("a", 30, b"value")]).unwrap();
    assert_eq!(records(&opened.reader).len(), 30);
    assert!(verified(&disk).findings.is_empty());
}

#[test]
fn a_journal_without_its_nameplate_is_not_made_anew_over_its_records() {
    let disk = SimDisk::new();
    crashed_with(&disk, 3);
    disk.delete(&path("journal"));
    let refused = open(options(&disk)).unwrap_err();
    assert!(matches!(refused, JournalError::Corrupt { .. }), "{refused}");
    let reader = Reader::open_on(Arc::new(disk), DIR);
    assert!(matches!(reader, Err(JournalError::NotAJournal { .. })));
}
