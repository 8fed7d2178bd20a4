//! One fault at each operation of a scripted course, each in turn: a death, a power cut, an error,
//! a full disk, a look that fails. Nothing acknowledged is lost, and the journal can be opened
//! again and used, also if the power goes after that.

use std::io::ErrorKind;
use std::sync::Arc;

use unbroken_journal::simdisk::SimDisk;
use unbroken_journal::{ImagePolicy, JournalError, Options, Retention, open};

use crate::cases::{options, unit, verified_to};

/// Batches of one life: they fill some segments, so that images are written and both are deleted.
const BATCHES: u64 = 14;

fn small(disk: &SimDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        segment_bytes: 1_024,
        preallocated_bytes: 512,
        images: ImagePolicy::SealAndClose,
        retention: Retention { bytes_max: Some(3_072), ..Retention::default() },
        ..options(disk)
    }
}

/// What a course has come to when it ends or is ended.
#[derive(Debug, Default)]
struct Course {
    /// The end of what was acknowledged.
    acknowledged: u64,
    /// A batch of one record more may be there: nobody was told.
    in_flight: bool,
}

impl Course {
    /// One life: opened, written, closed in order.
    fn live(&mut self, disk: &SimDisk) -> Result<(), JournalError> {
        let mut opened = open(small(disk))?;
        assert!(opened.next_offset == self.acknowledged, "{self:?}");
        for _ in 0..BATCHES {
            let sequence = self.acknowledged + 1;
            let payload = [sequence as u8; 180];
            self.in_flight = true;
            let committed = opened.writer.commit(&[unit("a", sequence, &payload)])?;
            (self.acknowledged, self.in_flight) = (committed.end_offset, false);
        }
        opened.writer.close().map(drop)
    }

    /// Two lives.
    fn run(disk: &SimDisk) -> (Self, Option<JournalError>) {
        let mut course = Self::default();
        let error = course.live(disk).and_then(|()| course.live(disk)).err();
        (course, error)
    }

    /// Everything acknowledged is there, the record is right, and it goes on.
    fn check(mut self, disk: &SimDisk, what: &str) -> Self {
        let mut opened = open(small(disk)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let next = opened.next_offset;
        let is_whole = next == self.acknowledged + u64::from(self.in_flight);
        assert!(next == self.acknowledged || is_whole, "{what}: {self:?}, found {next}");
        let report = verified_to(disk, Some(next));
        assert!(report.findings.is_empty(), "{what}: {:?}", report.findings);
        let stream = opened.restored.streams.values().next();
        let position = stream.and_then(|stream| stream.position).map_or(0, |at| at.sequence);
        assert_eq!(position, next, "{what}: the position is that of the last record");
        opened.writer.commit(&[unit("b", next + 1, b"goes on")]).unwrap();
        self.acknowledged = next + 1;
        self.in_flight = false;
        self
    }
}

/// Operations and looks of the whole course.
fn extent() -> (u64, u64) {
    let disk = SimDisk::new();
    let (course, error) = Course::run(&disk);
    assert!(error.is_none() && course.acknowledged == 2 * BATCHES);
    let extent = (disk.operations(), disk.reads());
    let oldest = verified_to(&disk, None).oldest_offset;
    assert!(oldest > 0, "retention had work to do");
    extent
}

#[test]
fn a_death_or_a_power_cut_at_any_operation_loses_nothing_acknowledged() {
    let (operations, _) = extent();
    assert!(operations > 150, "{operations}");
    for at in 0..operations {
        for seed in 0..4 {
            let what = format!("operation {at}, seed {seed}");
            let disk = SimDisk::new();
            disk.cut_power_at(at);
            let (course, error) = Course::run(&disk);
            assert!(error.is_some(), "{what}");
            // Dead, with all that it had asked for under way; or without power.
            if seed == 0 {
                disk.kill()
            } else {
                disk.power_cut(seed + at * 10)
            }
            let course = course.check(&disk, &what);
            disk.power_cut(seed);
            course.check(&disk, &format!("{what}, and once more"));
        }
    }
}

#[test]
fn an_error_at_any_operation_stops_the_writer_and_loses_nothing_acknowledged() {
    let (operations, _) = extent();
    let kinds = [ErrorKind::Other, ErrorKind::StorageFull, ErrorKind::QuotaExceeded];
    let mut errors = 0;
    for at in 0..operations {
        for (seed, kind) in (0..).zip(kinds) {
            let what = format!("operation {at}: {kind}");
            let disk = SimDisk::new();
            disk.fail_operation(at, kind);
            let (course, error) = Course::run(&disk);
            let Some(error) = error else { panic!("{what}: nobody noticed") };
            let is_full = matches!(error, JournalError::Full { .. });
            assert_eq!(is_full, kind != ErrorKind::Other, "{what}: {error}");
            assert!(is_full || matches!(error, JournalError::Io { .. }), "{what}: {error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("start again")), "{what}");
            errors += 1;
            // The process ends; the machine goes on. What a failed sync has left in memory looks
            // like what is on disk until the power goes.
            disk.kill();
            let course = course.check(&disk, &what);
            disk.power_cut(at * 10 + seed);
            course.check(&disk, &format!("{what}, then a power cut"));
        }
    }
    assert!(errors > 450, "{errors}");
}

#[test]
fn a_look_that_fails_is_told_and_harms_nothing() {
    let (_, reads) = extent();
    assert!(reads > 100, "{reads}");
    for at in 0..reads {
        let what = format!("look {at}");
        let disk = SimDisk::new();
        disk.fail_read(at);
        let (course, error) = Course::run(&disk);
        let error = error.unwrap_or_else(|| panic!("{what}: nobody noticed"));
        assert!(matches!(error, JournalError::Io { .. }), "{what}: {error}");
        disk.kill();
        let course = course.check(&disk, &what);
        disk.power_cut(at);
        course.check(&disk, &format!("{what}, then a power cut"));
    }
}
