//! A disk that fails, lies or fills up.

use unbroken_journal::simdisk::SimDisk;
use unbroken_journal::{JournalError, open};

use crate::cases::{opened, options, path, segments, unit, verified};

#[test]
fn a_batch_costs_one_sync_and_no_write_but_its_own_and_the_published_end() {
    let disk = SimDisk::new();
    let mut opened = opened(&disk);
    // The first batch writes zeros ahead; the ones after it find them.
    opened.writer.commit(&[unit("a", 1, b"1")]).unwrap();
    let (writes, syncs) = (disk.writes(), disk.syncs());
    let units: Vec<_> = (2..5).map(|sequence| unit("a", sequence, b"x")).collect();
    opened.writer.commit(&units).unwrap();
    assert_eq!((disk.writes() - writes, disk.syncs() - syncs), (2, 1));
}

#[test]
fn a_failed_sync_stops_the_writer_and_is_never_tried_again() {
    let disk = SimDisk::new();
    let mut opened = opened(&disk);
    opened.writer.commit(&[unit("a", 1, b"kept")]).unwrap();
    disk.fail_sync(0);
    let failed = opened.writer.commit(&[unit("a", 2, b"lost")]).unwrap_err();
    assert!(matches!(failed, JournalError::Io { action: "sync", .. }), "{failed}");
    let (operations, end) = (disk.operations(), opened.reader.end_offset().unwrap());
    assert_eq!(end, 1, "readers are not told of it");
    let again = opened.writer.commit(&[unit("a", 2, b"lost")]).unwrap_err();
    assert!(matches!(again, JournalError::Stopped));
    assert!(matches!(opened.writer.close(), Err(JournalError::Stopped)));
    assert_eq!(disk.operations(), operations, "nothing was tried again");

    // The system has forgotten the pages that it could not write: only the first batch is durable.
    disk.power_cut(4);
    let opened = open(options(&disk)).unwrap();
    assert_eq!(opened.next_offset, 1);
    assert!(verified(&disk).findings.is_empty());
}

#[test]
fn a_failed_write_is_cut_at_the_next_open() {
    let disk = SimDisk::new();
    let mut opened = opened(&disk);
    opened.writer.commit(&[unit("a", 1, b"kept")]).unwrap();
    disk.fail_write(0);
    let failed = opened.writer.commit(&[unit("a", 2, &[7; 400])]).unwrap_err();
    assert!(matches!(failed, JournalError::Io { action: "write", .. }), "{failed}");
    drop(opened);
    disk.kill();
    assert!(verified(&disk).torn_tail.is_some());
    let mut opened = open(options(&disk)).unwrap();
    assert!(opened.report.cut.is_some());
    opened.writer.commit(&[unit("a", 2, b"again")]).unwrap();
    assert_eq!(opened.reader.end_offset().unwrap(), 2);
    assert!(verified(&disk).findings.is_empty());
}

#[test]
fn a_full_disk_is_a_clean_stop_wherever_it_strikes() {
    // From a disk that cannot even take the first batch to one that takes all of them.
    let mut stops = 0;
    for capacity in (300..20_000).step_by(97) {
        let disk = SimDisk::new();
        let mut opened = opened(&disk);
        disk.limit_bytes(Some(capacity));
        let mut acknowledged = 0;
        for sequence in 1..40 {
            match opened.writer.commit(&[unit("a", sequence, &[sequence as u8; 250])]) {
                Ok(committed) => acknowledged = committed.end_offset,
                Err(error) => {
                    assert!(matches!(error, JournalError::Full { .. }), "{capacity}: {error}");
                    assert!(error.hint().unwrap().contains("free space"));
                    stops += 1;
                    break;
                }
            }
        }
        drop(opened);
        disk.power_cut(capacity);
        let mut opened = open(options(&disk)).unwrap();
        assert_eq!(opened.next_offset, acknowledged, "{capacity}");
        opened.writer.commit(&[unit("b", 1_000, b"with space again")]).unwrap();
        assert!(verified(&disk).findings.is_empty(), "{capacity}");
    }
    assert!(stops > 100, "{stops}");
}

#[test]
fn a_sync_that_lied_is_found_when_something_later_was_durable() {
    let disk = SimDisk::new();
    let mut opened = opened(&disk);
    opened.writer.commit(&[unit("a", 1, b"kept")]).unwrap();
    // Every later sync of this file writes everything, so the lie must be the last.
    disk.lie_on_sync(0);
    opened.writer.commit(&[unit("a", 2, b"believed durable")]).unwrap();
    drop(opened);
    let name = segments(&disk).pop().unwrap();
    let mut without = disk.contents(&path(&name)).unwrap();
    let last = without.iter().rposition(|byte| *byte != 0).unwrap();
    let batch = without.len().min(last + 1);
    without[batch - 60..batch].fill(0);
    disk.replace(&path(&name), without);
    disk.kill();
    // The published end is newer than the log: a batch that was acknowledged is gone.
    let refused = open(options(&disk)).unwrap_err();
    assert!(matches!(refused, JournalError::Corrupt { .. }), "{refused}");
}
