//! Goal: no guard of the log can be taken out without a check noticing. Each mutant is killed by a
//! story on the simulated disk; `make mutants` writes them into `docs/reference/mutants.md`, the
//! tests kill them again.

use std::fmt::Write;
use std::path::PathBuf;

use crate::cases::{crashed_with, flip, images, options, path, segments, unit};
use unbroken_core::fold::Fold;
use unbroken_journal::simdisk::SimDisk;
use unbroken_journal::{ImagePolicy, Mutant, Options, Retention, open};

/// The name of the promise that was broken, if one was.
type Verdict = Result<(), &'static str>;

const LOST: Verdict = Err("NothingAcknowledgedIsLost");
const ACCEPTED: Verdict = Err("DamageIsRefused");

/// The guard, the story that notices when it is out, and how the story goes.
fn story_of(mutant: Mutant) -> (&'static str, &'static str, fn() -> Verdict) {
    match mutant {
        Mutant::ToldBeforeSync => ("a batch is told of when it is synced", "the power goes", power),
        Mutant::DamageCut => {
            ("damage is no torn tail", "a byte of a batch before others is flipped", flipped)
        }
        Mutant::PublishedIgnored => {
            ("what readers were told is there", "the last batch is gone", shortened)
        }
        Mutant::ImageNameIgnored => {
            ("an image's name proves the log", "a bad image and no last batch", named)
        }
        Mutant::AnchorUnchecked => {
            ("an image stands on its log", "a whole image and no last batch", anchored)
        }
        Mutant::ImageHashUnchecked => {
            ("an image has a hash", "a byte of an image is flipped", flipped_image)
        }
        Mutant::CheckpointIgnored => {
            ("a consumer is not beyond the log", "a consumer has more than there is", beyond)
        }
        Mutant::BackupKeepsId => ("a backup has a new id", "a backup is restored", backup),
        Mutant::ConsumerPassed => {
            ("age waits for consumers", "a consumer stands still for long", consumed)
        }
        Mutant::ImagesPassed => {
            ("two images keep their log", "the newest image of a small log is bad", one_image)
        }
    }
}

fn close_with_image(disk: &SimDisk) -> (Options, Fold) {
    let options = Options { images: ImagePolicy::SealAndClose, ..options(disk) };
    let mut opened = open(options.clone()).unwrap();
    for sequence in 1..=5 {
        opened.writer.commit(&[unit("a", sequence, &[sequence as u8; 300])]).unwrap();
    }
    let state = opened.writer.state().clone();
    opened.writer.close().unwrap();
    (options, state)
}

/// The last batch becomes zeros.
fn lose_last_batch(disk: &SimDisk) {
    let name = segments(disk).pop().unwrap();
    let mut bytes = disk.contents(&path(&name)).unwrap();
    let begin = bytes.windows(4).rposition(|window| window == b"ubB1").unwrap();
    bytes[begin..].fill(0);
    disk.replace(&path(&name), bytes);
}

fn power() -> Verdict {
    for seed in 0..20 {
        let disk = SimDisk::new();
        let mut opened = open(options(&disk)).unwrap();
        for sequence in 1..=5 {
            opened.writer.commit(&[unit("a", sequence, &[7; 300])]).unwrap();
        }
        drop(opened);
        disk.power_cut(seed);
        match open(options(&disk)) {
            Ok(opened) if opened.next_offset == 5 => {}
            _ => return LOST,
        }
    }
    Ok(())
}

fn flipped() -> Verdict {
    let disk = SimDisk::new();
    crashed_with(&disk, 5);
    // Nothing but a later batch knows.
    disk.delete(&path("published"));
    flip(&disk, &segments(&disk)[0], 700);
    if open(options(&disk)).is_ok() { ACCEPTED } else { Ok(()) }
}

fn shortened() -> Verdict {
    let disk = SimDisk::new();
    crashed_with(&disk, 5);
    lose_last_batch(&disk);
    if open(options(&disk)).is_ok() { ACCEPTED } else { Ok(()) }
}

fn named() -> Verdict {
    let disk = SimDisk::new();
    let (options, _) = close_with_image(&disk);
    disk.delete(&path("published"));
    lose_last_batch(&disk);
    flip(&disk, &images(&disk)[0], 200);
    if open(options).is_ok() { ACCEPTED } else { Ok(()) }
}

fn anchored() -> Verdict {
    let disk = SimDisk::new();
    let (options, _) = close_with_image(&disk);
    lose_last_batch(&disk);
    if open(options).is_ok() { ACCEPTED } else { Ok(()) }
}

fn flipped_image() -> Verdict {
    let disk = SimDisk::new();
    let (options, state) = close_with_image(&disk);
    let name = images(&disk).pop().unwrap();
    let length = disk.contents(&path(&name)).unwrap().len();
    for at in (100..length).step_by(31) {
        let copy = disk.copy();
        flip(&copy, &name, at);
        let options = Options { disk: std::sync::Arc::new(copy), ..options.clone() };
        if open(options).is_ok_and(|opened| opened.restored != state) {
            return Err("StateIsFold");
        }
    }
    Ok(())
}

fn beyond() -> Verdict {
    let disk = SimDisk::new();
    crashed_with(&disk, 5);
    let ahead = Options { checkpoints: vec![2, 6], ..options(&disk) };
    if open(ahead).is_ok() { ACCEPTED } else { Ok(()) }
}

fn backup() -> Verdict {
    let disk = SimDisk::new();
    crashed_with(&disk, 5);
    let known = open(options(&disk.copy())).unwrap().journal;
    let restored = Options { restored_from_backup: true, ..options(&disk) };
    match open(restored).unwrap().journal == known {
        true => Err("CursorsAreNotMisread"),
        false => Ok(()),
    }
}

fn consumed() -> Verdict {
    let disk = SimDisk::new();
    let retention = Retention { age_ms: Some(1), ..Retention::default() };
    let mut opened = open(Options { retention, ..options(&disk) }).unwrap();
    opened.consumers.checkpoint("store", 0);
    for sequence in 1..100 {
        opened.writer.commit(&[unit("a", sequence, &[9; 300])]).unwrap();
    }
    match opened.reader.oldest_offset().unwrap() {
        0 => Ok(()),
        _ => Err("RetentionKeeps"),
    }
}

fn one_image() -> Verdict {
    let disk = SimDisk::new();
    let retention = Retention { bytes_max: Some(1), ..Retention::default() };
    let mut opened = open(Options { retention, ..options(&disk) }).unwrap();
    for sequence in 1..60 {
        opened.writer.commit(&[unit("a", sequence, &[1; 300])]).unwrap();
    }
    let state = opened.writer.state().clone();
    drop(opened);
    disk.kill();
    flip(&disk, &images(&disk).pop().unwrap(), 200);
    match open(options(&disk)) {
        Ok(opened) if opened.restored == state => Ok(()),
        _ => Err("OneBadImageIsSurvived"),
    }
}

fn document() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/mutants.md")
}

fn play(mutant: Option<Mutant>, story: fn() -> Verdict) -> Verdict {
    Mutant::take_out(mutant);
    let verdict = story();
    Mutant::take_out(None);
    verdict
}

/// This crate's part of the document: from its heading to the end.
fn section() -> String {
    let mut text = String::from(HEAD);
    for mutant in Mutant::ALL {
        let (guard, name, story) = story_of(*mutant);
        let broken = play(Some(*mutant), story).err();
        let broken = broken.unwrap_or("**none: it lives**");
        let _ = writeln!(text, "| `{mutant:?}` | {guard} | story: {name} | {broken} |");
    }
    text
}

const HEAD: &str = "\
## The log

The same for guards of the log (`--features proof` of `unbroken-journal`), on the simulated disk
(`crates/journal/tests/journal/mutants.rs`).

| mutant | guard | killed by | promise |
| --- | --- | --- | --- |
";

#[test]
fn every_story_ends_well_with_every_guard_in_its_place() {
    for mutant in Mutant::ALL {
        let (_, name, story) = story_of(*mutant);
        assert_eq!(play(None, story), Ok(()), "{name}");
    }
}

/// With `UNBROKEN_MUTANTS=full` the document is written anew, else it is compared.
#[test]
fn no_mutant_lives_and_each_dies_as_the_document_says() {
    let section = section();
    assert!(!section.contains("it lives"), "{section}");
    let text = std::fs::read_to_string(document()).unwrap();
    let others = text.split("## The log").next().unwrap();
    let whole = format!("{others}{section}");
    if std::env::var_os("UNBROKEN_MUTANTS").is_some_and(|size| size == "full") {
        std::fs::write(document(), whole).unwrap();
    } else {
        assert_eq!(text, whole, "make mutants writes it anew");
    }
}
