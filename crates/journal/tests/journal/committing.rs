//! The committer: one batch of whatever has arrived, an answer to everybody.

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar};
use std::time::Duration;

use unbroken_core::ids::AppendId;
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Append, Body, Record};
use unbroken_journal::simdisk::SimDisk;
use unbroken_journal::{Ack, Committer, Gathering, ImagePolicy, Options, Refused, SourceTag, open};

use crate::cases::{change, images, opened, options, unit, verified};

const NORTH: SourceTag = SourceTag(1);
const SOUTH: SourceTag = SourceTag(2);

fn acks() -> (impl Fn(Ack) + Send + 'static, Receiver<Ack>) {
    let (sender, receiver) = mpsc::channel();
    let ack = move |ack| {
        let _ = sender.send(ack);
    };
    (ack, receiver)
}

#[test]
fn every_source_is_answered_and_a_stop_closes_the_writer() {
    let disk = SimDisk::new();
    let close = Options { images: ImagePolicy::SealAndClose, ..options(&disk) };
    let opened = open(close).unwrap();
    let (ack, answers) = acks();
    let (handle, thread) = Committer::spawn(opened.writer, Gathering::default(), ack).unwrap();
    let other = handle.clone();
    let south = std::thread::spawn(move || {
        for sequence in 1..=200 {
            let mut unit = unit("south", 1_000 + sequence, b"s");
            unit.id = AppendId(sequence);
            other.submit(SOUTH, unit).unwrap();
        }
    });
    for sequence in 1..=200 {
        handle.submit(NORTH, unit("north", sequence, b"n")).unwrap();
    }
    south.join().unwrap();
    handle.stop();
    let closed = thread.join().unwrap().unwrap();
    assert_eq!(closed.end_offset, 400);
    let (mut north, mut south) = (AppendId(0), AppendId(0));
    for answer in answers {
        let Ack::Appended { tag, append, .. } = answer else { panic!("{answer:?}") };
        let highest = if tag == NORTH { &mut north } else { &mut south };
        assert!(append > *highest, "answers only go forward");
        *highest = append;
    }
    assert_eq!((north, south), (AppendId(200), AppendId(200)));
    assert!(!images(&disk).is_empty(), "a clean stop leaves an image");
    assert!(matches!(handle.submit(NORTH, unit("n", 999, b"")), Err(Refused::Stopped)));
}

#[test]
fn what_arrives_while_a_batch_is_written_becomes_the_next_batch() {
    let disk = SimDisk::new();
    let opened = opened(&disk);
    let reader = opened.reader.clone();
    // The first answer holds the thread, as a slow sync would, until the rest has been submitted.
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let held = Arc::clone(&gate);
    let (sender, first) = mpsc::channel();
    let ack = move |_| {
        let _ = sender.send(());
        let (open, changed) = &*held;
        let open = open.lock().unwrap();
        drop(changed.wait_while(open, |open| !*open).unwrap());
    };
    let (handle, thread) = Committer::spawn(opened.writer, Gathering::default(), ack).unwrap();
    handle.submit(NORTH, unit("a", 1, b"1")).unwrap();
    first.recv().unwrap();
    for sequence in 2..=100 {
        handle.submit(NORTH, unit("a", sequence, b"x")).unwrap();
    }
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    handle.stop();
    thread.join().unwrap().unwrap();
    let sizes: Vec<usize> =
        reader.batches(0).unwrap().map(|batch| batch.unwrap().records.len()).collect();
    assert_eq!(sizes, [1, 99]);
}

#[test]
fn a_failure_is_told_to_every_source_and_ends_the_committer() {
    let disk = SimDisk::new();
    let opened = opened(&disk);
    let (ack, answers) = acks();
    let slow = Gathering { linger: Duration::from_secs(30), units_max: 2, ..Gathering::default() };
    disk.fail_sync(0);
    let (handle, thread) = Committer::spawn(opened.writer, slow, ack).unwrap();
    handle.submit(NORTH, unit("a", 1, b"1")).unwrap();
    handle.submit(SOUTH, unit("b", 7, b"2")).unwrap();
    handle.stop();
    assert!(thread.join().unwrap().is_err());
    let mut failed: Vec<(SourceTag, AppendId)> = answers
        .iter()
        .map(|answer| match answer {
            Ack::Failed { tag, append, .. } => (tag, append),
            Ack::Appended { .. } => panic!("{answer:?}"),
        })
        .collect();
    failed.sort();
    assert_eq!(failed, [(NORTH, AppendId(1)), (SOUTH, AppendId(7))]);
    assert!(matches!(handle.try_submit(NORTH, unit("a", 2, b"")), Err(Refused::Stopped)));
}

#[test]
fn a_full_queue_gives_the_unit_back() {
    let disk = SimDisk::new();
    let opened = opened(&disk);
    let (sender, hold) = mpsc::channel::<()>();
    let (told, entered) = mpsc::channel();
    let hold = Mutex::new(hold);
    let ack = move |_| {
        let _ = told.send(());
        let _ = hold.lock().unwrap().recv();
    };
    let narrow = Gathering { waiting_max: 1, ..Gathering::default() };
    let (handle, thread) = Committer::spawn(opened.writer, narrow, ack).unwrap();
    handle.submit(NORTH, unit("a", 1, b"1")).unwrap();
    entered.recv().unwrap();
    handle.try_submit(NORTH, unit("a", 2, b"2")).unwrap();
    let refused = handle.try_submit(NORTH, unit("a", 3, b"3")).unwrap_err();
    assert!(matches!(refused, Refused::Full(Append { id: AppendId(3), .. })));
    drop(sender);
    drop(handle);
    assert_eq!(thread.join().unwrap().unwrap().end_offset, 2);
}

#[test]
fn progress_alone_forces_no_sync_but_joins_the_next_batch() {
    let disk = SimDisk::new();
    let opened = opened(&disk);
    let reader = opened.reader.clone();
    let (ack, _answers) = acks();
    let patient = Gathering { progress_linger: Duration::from_secs(30), ..Gathering::default() };
    let (handle, thread) = Committer::spawn(opened.writer, patient, ack).unwrap();
    let progress = Body::Progress { position: Position::new(Epoch(0), 5), bookmark: None };
    let record = Record { body: progress, ..change("a", 1, b"1") };
    let append = Append { id: AppendId(1), records: vec![record], mark: None };
    handle.submit(NORTH, append).unwrap();
    handle.submit(NORTH, unit("a", 6, b"6")).unwrap();
    handle.stop();
    thread.join().unwrap().unwrap();
    let batches: Vec<_> = reader.batches(0).unwrap().collect();
    assert_eq!(batches.len(), 1, "one sync for both");
    assert!(verified(&disk).findings.is_empty());
}
