//! State images: opening needs one whole one, or the whole log.

use unbroken_core::fold::Fold;
use unbroken_core::ids::Key;
use unbroken_journal::simdisk::SimDisk;
use unbroken_journal::{ImagePolicy, JournalError, Options, Retention, open};

use crate::cases::{
    crashed_with, flip, images, opened, options, path, records, segments, stream, unit, verified,
};
use crate::workload::Workload;

fn restored(disk: &SimDisk) -> Fold {
    opened(&disk.copy()).restored
}

#[test]
fn everything_that_a_fold_holds_comes_back_from_an_image() {
    for seed in 0..100 {
        let disk = SimDisk::new();
        let close = Options { images: ImagePolicy::SealAndClose, ..options(&disk) };
        let mut opened = open(close.clone()).unwrap();
        let mut workload = Workload::new(seed);
        for _ in 0..30 {
            opened.writer.commit(&workload.units(4)).unwrap();
        }
        let state = opened.writer.state().clone();
        opened.writer.close().unwrap();
        let opened = open(close).unwrap();
        assert_eq!(opened.report.batches_replayed, 0, "seed {seed}");
        assert_eq!(opened.restored, state, "seed {seed}");
    }
}

#[test]
fn a_torn_image_is_passed_over_and_deleted() {
    let disk = SimDisk::new();
    crashed_with(&disk, 40);
    let expected = restored(&disk);
    let newest = images(&disk).pop().unwrap();
    let mut bytes = disk.contents(&path(&newest)).unwrap();
    bytes.truncate(bytes.len() / 2);
    disk.replace(&path(&newest), bytes);
    let opened = opened(&disk);
    assert_eq!(opened.restored, expected);
    assert_eq!(opened.report.images_discarded, vec![newest.clone()]);
    assert!(!images(&disk).contains(&newest));
    assert!(verified(&disk).findings.is_empty());
}

#[test]
fn a_missing_image_only_makes_opening_slower() {
    let disk = SimDisk::new();
    crashed_with(&disk, 40);
    let expected = restored(&disk);
    disk.delete(&path(&images(&disk).pop().unwrap()));
    let opened = opened(&disk);
    assert_eq!(opened.restored, expected);
    assert!(opened.report.images_discarded.is_empty());
}

#[test]
fn with_every_image_bad_the_whole_log_stands_for_them() {
    let disk = SimDisk::new();
    crashed_with(&disk, 40);
    let expected = restored(&disk);
    for name in images(&disk) {
        flip(&disk, &name, 200);
    }
    let opened = opened(&disk);
    assert_eq!(opened.restored, expected);
    assert_eq!(opened.report.image_offset, None);
    assert_eq!(opened.report.records_replayed, 40);
    assert!(images(&disk).is_empty());
}

#[test]
fn with_every_image_bad_and_the_log_deleted_opening_is_refused() {
    let disk = SimDisk::new();
    retained(&disk, 60);
    for name in images(&disk) {
        flip(&disk, &name, 200);
    }
    let refused = open(options(&disk)).unwrap_err();
    assert!(matches!(refused, JournalError::Corrupt { .. }), "{refused}");
    assert!(refused.to_string().contains("no whole image"), "{refused}");
}

/// A journal whose first segments are past retention; `gone` was deleted in the first of them.
fn retained(disk: &SimDisk, batches: u64) {
    let retention = Retention { bytes_max: Some(1), ..Retention::default() };
    let mut opened = open(Options { retention, ..options(disk) }).unwrap();
    opened.writer.commit(&[unit("gone", 1, b"here")]).unwrap();
    opened.writer.commit(&[unit("gone", 2, b"")]).unwrap();
    for sequence in 3..batches {
        opened.writer.commit(&[unit("busy", sequence, &[1; 300])]).unwrap();
    }
    drop(opened);
    disk.kill();
}

#[test]
fn a_deletion_past_retention_is_still_known_after_a_restart() {
    let disk = SimDisk::new();
    retained(&disk, 60);
    let opened = opened(&disk);
    assert!(opened.reader.oldest_offset().unwrap() > 2, "its record is gone");
    let kept = records(&opened.reader);
    assert!(!kept.is_empty());
    let gone = &opened.restored.streams[&stream()].keys[&Key::from("gone")];
    assert!(!gone.present, "its tombstone is not");
    assert_eq!((gone.offset, gone.version.unwrap().sequence), (1, 2));
    let report = verified(&disk);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert!(report.images_equal >= 1, "the log after the older image leads to the newer one");
}

#[test]
fn a_kill_between_image_and_deletion_of_segments_loses_nothing() {
    // Every operation of a run that seals and deletes is cut once.
    let whole = SimDisk::new();
    retained(&whole, 40);
    let mut cut_while_retaining = 0;
    for at in 0..whole.operations() {
        let disk = SimDisk::new();
        let retention = Retention { bytes_max: Some(1), ..Retention::default() };
        let options = Options { retention, ..options(&disk) };
        let mut opened = open(options.clone()).unwrap();
        disk.cut_power_at(at);
        let mut acknowledged = 0;
        for sequence in 1..40 {
            match opened.writer.commit(&[unit("busy", sequence, &[1; 300])]) {
                Ok(committed) => acknowledged = committed.end_offset,
                Err(_) => break,
            }
        }
        drop(opened);
        disk.power_cut(at);
        cut_while_retaining += u64::from(segments(&disk).len() > 2);
        let mut opened = open(options).unwrap();
        assert!(opened.next_offset - acknowledged <= 1, "cut at {at}");
        assert_eq!(opened.restored.streams.len() as u64, u64::from(opened.next_offset > 0));
        opened.writer.commit(&[unit("busy", 100, b"on")]).unwrap();
        let report = verified(&disk);
        assert!(report.findings.is_empty(), "cut at {at}: {:?}", report.findings);
    }
    assert!(cut_while_retaining > 0);
}

#[test]
fn an_image_beyond_the_end_of_the_log_is_damage() {
    let disk = SimDisk::new();
    let close = Options { images: ImagePolicy::SealAndClose, ..options(&disk) };
    let mut opened = open(close.clone()).unwrap();
    for sequence in 1..4 {
        opened.writer.commit(&[unit("a", sequence, b"value")]).unwrap();
    }
    opened.writer.close().unwrap();
    let name = segments(&disk).remove(0);
    let mut bytes = disk.contents(&path(&name)).unwrap();
    bytes.truncate(bytes.len() - 20);
    disk.replace(&path(&name), bytes);
    disk.delete(&path("published"));
    let refused = open(close).unwrap_err();
    assert!(matches!(refused, JournalError::Corrupt { .. }), "{refused}");
    assert!(refused.hint().unwrap().contains("repair"));
}

#[test]
fn images_written_beside_the_commits_are_the_same() {
    let (beside, amid) = (SimDisk::new(), SimDisk::new());
    for (disk, images_beside) in [(&beside, true), (&amid, false)] {
        let mut opened = open(Options { images_beside, ..options(disk) }).unwrap();
        let mut workload = Workload::new(7);
        for _ in 0..120 {
            opened.writer.commit(&workload.units(4)).unwrap();
        }
        opened.writer.close().unwrap();
    }
    assert!(images(&beside).len() >= 2, "{:?}", images(&beside));
    assert_eq!(images(&beside), images(&amid));
    assert_eq!(restored(&beside), restored(&amid));
    assert!(verified(&beside).findings.is_empty());
}

#[test]
fn an_image_that_cannot_be_written_beside_stops_the_writer() {
    let disk = SimDisk::new();
    let mut opened = open(Options { images_beside: true, ..options(&disk) }).unwrap();
    let mut workload = Workload::new(3);
    while images(&disk).is_empty() {
        opened.writer.commit(&workload.units(4)).unwrap();
    }
    disk.fail_create(".image");
    let failed = (0..10_000).find_map(|_| opened.writer.commit(&workload.units(4)).err());
    assert!(matches!(failed, Some(JournalError::Io { .. })), "{failed:?}");
    assert!(matches!(opened.writer.close(), Err(JournalError::Stopped)));
    drop(opened.reader);
    disk.kill();
    let again = open(options(&disk)).unwrap();
    assert!(again.next_offset > 0);
    assert!(verified(&disk).findings.is_empty());
}
