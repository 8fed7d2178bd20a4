//! What the writer keeps in memory for the readers of its own process.

use std::sync::Arc;
use std::time::Duration;

use unbroken_core::ids::AppendId;
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::Mark;
use unbroken_journal::simdisk::SimDisk;
use unbroken_journal::{
    Batch, CommitHandle, Committer, Gathering, JournalError, Options, Reader, Retention, SourceTag,
    open,
};

use crate::cases::{DIR, flip, options, segments, stream, unit};

/// A log that is written as the service writes it.
struct Log {
    handle: CommitHandle,
    reader: Reader,
    units: u64,
}

impl Log {
    fn new(options: Options) -> Self {
        let opened = open(options).unwrap();
        let gathering = Gathering { units_max: 3, ..Gathering::default() };
        let (handle, _) = Committer::spawn(opened.writer, gathering, |_| {}).unwrap();
        Self { handle, reader: opened.reader, units: 0 }
    }

    fn commit(&mut self, units: u64, payload_bytes: usize) {
        for sequence in self.units + 1..=self.units + units {
            let key = format!("agent-{}", sequence % 7);
            let mut unit = unit(&key, sequence, &vec![sequence as u8; payload_bytes]);
            unit.id = AppendId(sequence);
            if sequence % 5 == 0 {
                // Of another numbering: a batch may hold several marks of a stream.
                let position = Position::new(Epoch(1), sequence);
                unit.mark = Some(Mark { stream: stream(), position });
            }
            self.handle.submit(SourceTag(0), unit).unwrap();
        }
        self.units += units;
        let end = self.reader.wait(self.units - 1, Duration::from_secs(30)).unwrap();
        assert_eq!(end, self.units);
    }
}

#[test]
fn a_reader_of_the_same_process_reads_what_others_read_from_the_disk() {
    let disk = SimDisk::new();
    let mut log = Log::new(options(&disk));
    log.commit(100, 100);
    assert!(segments(&disk).len() > 3);
    let alone = Reader::open_on(Arc::new(disk.clone()), DIR).unwrap();
    let begun = |reader: &Reader| (0..=100).map(|from| reader.batches(from).unwrap()).collect();
    let from_disk: Vec<Vec<Batch>> = Vec::into_iter(begun(&alone))
        .map(|batches| batches.map(Result::unwrap).collect())
        .collect();
    let from_memory = begun(&log.reader);
    // So that it is not from the disk.
    for segment in segments(&disk) {
        flip(&disk, &segment, 200);
    }
    let damaged = alone.batches(0).unwrap().find(Result::is_err);
    assert!(matches!(damaged, Some(Err(JournalError::Corrupt { .. }))), "{damaged:?}");
    for (from, (batches, expected)) in from_memory.into_iter().zip(from_disk).enumerate() {
        assert_eq!(batches.map(Result::unwrap).collect::<Vec<_>>(), expected, "from {from}");
    }
}

#[test]
fn a_reader_goes_from_memory_to_the_disk_and_back() {
    let disk = SimDisk::new();
    let mut log = Log::new(Options { segment_bytes: 1024 * 1024, ..options(&disk) });
    let mut batches = log.reader.batches(0).unwrap();
    let mut read = Vec::new();
    // What is kept is overtaken twice: 16 MiB are less than what is written in each round.
    for take in [20, 100, usize::MAX] {
        log.commit(200, 100_000);
        for _ in 0..take {
            let Some(batch) = batches.next_batch().unwrap() else { break };
            assert_eq!(batch.first_offset, read.len() as u64);
            read.extend(batch.records);
        }
    }
    let alone = Reader::open_on(Arc::new(disk), DIR).unwrap();
    let all = crate::cases::records(&alone);
    assert_eq!(read.len(), 600);
    assert!(read == all);
}

/// They have read in memory what lay in segments that retention deletes: wherever they stand, what
/// is still there is read on from, and of what is not they are told.
#[test]
fn readers_that_have_not_seen_the_files_are_told_when_retention_has_overtaken_them() {
    let disk = SimDisk::new();
    let retention = Retention { bytes_max: Some(20_000_000), ..Retention::default() };
    let segment_bytes = 1024 * 1024;
    let mut log = Log::new(Options { retention, segment_bytes, ..options(&disk) });
    let readers: Vec<_> = (0..70).map(|_| log.reader.batches(0).unwrap()).collect();
    log.commit(70, 100_000);
    let read = |(to, mut reader): (u64, unbroken_journal::Batches)| {
        while reader.next_offset() < to {
            reader.next_batch().unwrap().unwrap();
        }
        reader
    };
    let readers: Vec<_> = (0..).zip(readers).map(read).collect();
    // All but the newest 20 MB are deleted; in memory are 16 MiB.
    log.commit(170, 100_000);
    let oldest = log.reader.oldest_offset().unwrap();
    assert!((30..60).contains(&oldest), "{oldest}");
    let (mut told, mut went_on) = (0, 0);
    for mut reader in readers {
        let mut at = reader.next_offset();
        loop {
            match reader.next_batch() {
                Ok(Some(batch)) => {
                    assert_eq!(batch.first_offset, at);
                    at = batch.end_offset();
                }
                Ok(None) => break,
                Err(JournalError::PastRetention { .. }) if at < oldest => break,
                Err(error) => panic!("at {at} of {oldest}: {error}"),
            }
        }
        if at < oldest {
            told += 1
        } else {
            went_on += 1
        }
        assert!(at < oldest || at == 240, "{at}");
    }
    assert!(told > 5 && went_on > 5, "{told} {went_on}");
}
