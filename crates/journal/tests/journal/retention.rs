//! What is deleted, what is not, and who is told.

use std::sync::atomic::{AtomicI64, Ordering};

use unbroken_core::time::UnixMicros;
use unbroken_journal::simdisk::SimDisk;
use unbroken_journal::{JournalError, Opened, Options, Retention, open};

use crate::cases::{images, options, path, segments, unit, verified};

fn opened_with(disk: &SimDisk, retention: Retention) -> Opened {
    open(Options { retention, ..options(disk) }).unwrap()
}

fn fill(opened: &mut Opened, sequences: std::ops::Range<u64>) {
    for sequence in sequences {
        let key = format!("agent-{}", sequence % 5);
        opened.writer.commit(&[unit(&key, sequence, &[9; 300])]).unwrap();
    }
}

fn bytes_of_segments(disk: &SimDisk) -> usize {
    segments(disk).iter().map(|name| disk.contents(&path(name)).unwrap().len()).sum()
}

#[test]
fn without_limits_everything_is_kept() {
    let disk = SimDisk::new();
    let mut opened = opened_with(&disk, Retention::default());
    fill(&mut opened, 1..100);
    assert_eq!(opened.reader.oldest_offset().unwrap(), 0);
    assert_eq!(images(&disk).len(), 2, "of the images only the newest two");
}

#[test]
fn size_deletes_the_oldest_segments_but_never_what_the_images_need() {
    let disk = SimDisk::new();
    let max = 16 * 1024;
    let retention = Retention { bytes_max: Some(max), ..Retention::default() };
    let mut opened = opened_with(&disk, retention);
    fill(&mut opened, 1..200);
    assert!(opened.reader.oldest_offset().unwrap() > 100);
    assert!(bytes_of_segments(&disk) as u64 <= max + 4_096);
    // The writer remembers places before it, in segments that are gone.
    let oldest = opened.reader.oldest_offset().unwrap();
    let first = opened.reader.batches(oldest).unwrap().next_batch().unwrap().unwrap();
    assert_eq!(first.first_offset, oldest);
    let report = verified(&disk);
    assert!(report.findings.is_empty(), "{:?}", report.findings);

    // A limit that nothing could meet leaves what two images need.
    let disk = SimDisk::new();
    let retention = Retention { bytes_max: Some(1), ..Retention::default() };
    let mut opened = opened_with(&disk, retention);
    fill(&mut opened, 1..100);
    assert_eq!((images(&disk).len(), segments(&disk).len()), (2, 2));
}

#[test]
fn age_deletes_what_was_sealed_long_ago_and_nobody_needs() {
    static NOW: AtomicI64 = AtomicI64::new(1_000_000);
    fn clock() -> UnixMicros {
        UnixMicros(NOW.load(Ordering::Relaxed))
    }
    let disk = SimDisk::new();
    let retention = Retention { age_ms: Some(60_000), ..Retention::default() };
    let options = Options { retention, wall_clock: clock, ..options(&disk) };
    let mut opened = open(options).unwrap();
    opened.consumers.checkpoint("store", 0);
    fill(&mut opened, 1..60);
    assert_eq!(opened.reader.oldest_offset().unwrap(), 0, "all is young");

    NOW.fetch_add(61_000_000, Ordering::Relaxed);
    fill(&mut opened, 60..80);
    assert_eq!(opened.reader.oldest_offset().unwrap(), 0, "a consumer needs it");

    opened.consumers.checkpoint("store", 30);
    fill(&mut opened, 80..100);
    let oldest = opened.reader.oldest_offset().unwrap();
    assert!(oldest > 0 && oldest <= 30, "{oldest}");
    assert!(opened.consumers.lapsed().is_empty());

    opened.consumers.forget("store");
    fill(&mut opened, 100..120);
    let oldest = opened.reader.oldest_offset().unwrap();
    assert!(oldest > 30 && oldest < 80, "the young ones stay: {oldest}");
}

#[test]
fn size_wins_over_a_lagging_consumer_which_is_told() {
    let disk = SimDisk::new();
    let retention = Retention { bytes_max: Some(16 * 1024), ..Retention::default() };
    let mut opened = opened_with(&disk, retention);
    opened.consumers.checkpoint("prompt", 0);
    opened.consumers.checkpoint("lagging", 3);
    for sequence in 1..200 {
        opened.writer.commit(&[unit("a", sequence, &[9; 300])]).unwrap();
        opened.consumers.checkpoint("prompt", sequence);
    }
    let oldest = opened.reader.oldest_offset().unwrap();
    let lapsed = opened.consumers.lapsed();
    assert_eq!(lapsed.len(), 1);
    assert_eq!((lapsed[0].name.as_str(), lapsed[0].offset), ("lagging", 3));
    assert_eq!(lapsed[0].oldest, oldest);
    let refused = opened.reader.batches(3).unwrap_err();
    let JournalError::PastRetention { oldest: named, .. } = refused else { panic!("{refused}") };
    assert_eq!(named, oldest);

    // It began again from an image.
    let (offset, fold) = opened.reader.newest_image().unwrap().unwrap();
    assert!(offset >= oldest && !fold.streams.is_empty());
    opened.consumers.checkpoint("lagging", offset);
    assert!(opened.consumers.lapsed().is_empty());
}

#[test]
fn nothing_is_deleted_behind_an_image_that_is_damaged() {
    let disk = SimDisk::new();
    let retention = Retention { bytes_max: Some(1), ..Retention::default() };
    let mut opened = opened_with(&disk, retention);
    fill(&mut opened, 1..30);
    let before = opened.reader.oldest_offset().unwrap();
    let newest = images(&disk).pop().unwrap();
    crate::cases::flip(&disk, &newest, 120);
    // The next seal makes a new image, behind which the damaged one would be the older.
    let count = segments(&disk).len();
    let mut sequence = 30;
    while segments(&disk).len() == count {
        fill(&mut opened, sequence..sequence + 1);
        sequence += 1;
    }
    assert_eq!(opened.reader.oldest_offset().unwrap(), before);
}

#[test]
fn many_segments_deleted_at_once_leave_no_hole_when_the_power_goes() {
    let retention = Retention { age_ms: Some(60_000), ..Retention::default() };
    let disk = SimDisk::new();
    let mut held = opened_with(&disk, retention);
    held.consumers.checkpoint("store", 0);
    fill(&mut held, 1..150);
    drop(held);
    disk.kill();
    let before = segments(&disk).len();
    let mut cut_while_deleting = 0;
    for at in 0..90 {
        let disk = disk.copy();
        let mut opened = opened_with(&disk, retention);
        disk.cut_power_at(at);
        for sequence in 150..170 {
            if opened.writer.commit(&[unit("a", sequence, &[9; 300])]).is_err() {
                break;
            }
        }
        drop(opened);
        disk.power_cut(at);
        cut_while_deleting += u64::from((3..before).contains(&segments(&disk).len()));
        let opened = open(options(&disk)).unwrap_or_else(|error| panic!("cut at {at}: {error}"));
        assert!(opened.next_offset >= 149);
        let report = verified(&disk);
        assert!(report.findings.is_empty(), "cut at {at}: {:?}", report.findings);
    }
    assert!(cut_while_deleting > 5, "{cut_while_deleting}");
}
