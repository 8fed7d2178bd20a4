//! Without a backup: the log is cut before the damage, and says so by a new id.

use std::sync::Arc;

use unbroken_journal::simdisk::{Dice, SimDisk};
use unbroken_journal::{JournalError, Reader, open, plan_repair, repair};

use crate::cases::{DIR, crashed_with, dir, flip, opened, options, path, segments, unit, verified};

#[test]
fn a_damaged_log_can_be_cut_and_used_again() {
    let disk = SimDisk::new();
    crashed_with(&disk, 12);
    let id = Reader::open_on(Arc::new(disk.clone()), DIR).unwrap().journal();
    let name = segments(&disk).pop().unwrap();
    let damaged = disk.contents(&path(&name)).unwrap();
    flip(&disk, &name, 700);
    assert!(open(options(&disk)).is_err());
    let flipped = disk.contents(&path(&name));
    let planned = plan_repair(Arc::new(disk.clone()), dir(), &[]).unwrap().unwrap();
    assert_eq!(disk.contents(&path(&name)), flipped, "a plan changes nothing");
    assert!(open(options(&disk)).is_err());
    let repaired = repair(Arc::new(disk.clone()), dir(), &[]).unwrap().unwrap();
    assert_eq!(repaired.repair, planned, "it does what it said");
    assert!(planned.damage.contains(&name), "{}", planned.damage);
    assert_eq!(planned.told_offset, Some(12));
    assert_ne!(repaired.journal, id);
    let kept = disk.contents(&path(&format!("{name}.damaged"))).unwrap();
    assert!(planned.kept.contains(&format!("{name}.damaged")));
    assert_eq!(kept[200..], damaged[damaged.len() - kept.len() + 200..], "nothing is thrown away");

    let mut opened = opened(&disk);
    assert_eq!(opened.next_offset, repaired.repair.end_offset);
    assert_eq!(opened.journal, repaired.journal);
    opened.writer.commit(&[unit("a", 100, b"on")]).unwrap();
    let report = verified(&disk);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn whatever_open_refuses_after_a_flipped_byte_repair_makes_usable_again() {
    let disk = SimDisk::new();
    crashed_with(&disk, 40);
    let mut dice = Dice::new(8);
    let mut repairs = 0;
    for round in 0..600 {
        let copy = disk.copy();
        let segments = segments(&copy);
        let name = &segments[dice.below(segments.len() as u64) as usize];
        let len = copy.contents(&path(name)).unwrap().len();
        flip(&copy, name, 84 + dice.below(len as u64 - 84) as usize);
        if !matches!(open(options(&copy)), Err(JournalError::Corrupt { .. })) {
            continue;
        }
        copy.kill();
        let repaired = repair(Arc::new(copy.clone()), dir(), &[]).unwrap().unwrap();
        let opened = open(options(&copy)).unwrap_or_else(|error| panic!("{round}: {error}"));
        assert_eq!(opened.next_offset, repaired.repair.end_offset, "round {round}");
        repairs += 1;
    }
    assert!(repairs > 30, "{repairs}");
}

#[test]
fn an_interrupted_repair_can_be_done_again() {
    let disk = SimDisk::new();
    crashed_with(&disk, 40);
    for name in segments(&disk).iter().rev().take(2) {
        flip(&disk, name, 600);
    }
    let mut interrupted = 0;
    for at in 0..200 {
        let copy = disk.copy();
        copy.cut_power_at(at);
        let first = repair(Arc::new(copy.clone()), dir(), &[]);
        copy.power_cut(at);
        if first.is_err() {
            interrupted += 1;
            repair(Arc::new(copy.clone()), dir(), &[]).unwrap();
        }
        let opened = open(options(&copy)).unwrap_or_else(|error| panic!("cut at {at}: {error}"));
        assert!(opened.next_offset > 0);
    }
    assert!(interrupted > 10, "{interrupted}");
}

#[test]
fn a_log_that_can_be_opened_is_left_alone() {
    let disk = SimDisk::new();
    crashed_with(&disk, 12);
    let id = Reader::open_on(Arc::new(disk.clone()), DIR).unwrap().journal();
    assert_eq!(plan_repair(Arc::new(disk.clone()), dir(), &[12]).unwrap(), None);
    assert_eq!(repair(Arc::new(disk.clone()), dir(), &[12]).unwrap(), None);
    let opened = opened(&disk);
    assert_eq!((opened.journal, opened.next_offset), (id, 12));
}

#[test]
fn a_log_that_ends_before_a_checkpoint_is_cut_where_it_ends_and_renamed() {
    let disk = SimDisk::new();
    crashed_with(&disk, 12);
    let id = Reader::open_on(Arc::new(disk.clone()), DIR).unwrap().journal();
    let repaired = repair(Arc::new(disk.clone()), dir(), &[15]).unwrap().unwrap();
    assert_ne!(repaired.journal, id, "the store that is ahead of it belongs to another log now");
    assert_eq!((repaired.repair.end_offset, repaired.repair.told_offset), (12, Some(15)));
    assert_eq!(opened(&disk).next_offset, 12);
}
