//! Kills between the parts of one transaction: when some of its events have been received and some
//! have not, and when some of its records are on the disk and some are not.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the log's description says that a batch begins with, and where its length stands.
const MAGIC: [u8; 4] = *b"ubB1";
const LENGTH_AT: u64 = 8;
/// A segment's header; then the batches follow each other.
const HEADER_BYTES: u64 = 84;

/// The end of the log, as it lies on the disk: read without the journal's code.
pub(crate) struct Tail {
    file: File,
    at: u64,
}

impl Tail {
    /// Finds it in the newest segment of a journal to which nothing is written just now.
    pub(crate) fn find(journal: &Path) -> Self {
        let file = File::open(newest_segment(journal)).unwrap();
        let mut tail = Self { file, at: HEADER_BYTES };
        while let Some(length) = tail.length() {
            tail.at += length;
        }
        tail
    }

    /// The byte of the file at which the next batch begins.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The length of the batch that has been begun here.
    fn length(&self) -> Option<u64> {
        let mut length = [0; 4];
        let is_begun = self.is_begun();
        (is_begun && self.file.read_exact_at(&mut length, self.at + LENGTH_AT).is_ok())
            .then(|| u64::from(u32::from_le_bytes(length)))
    }

    fn is_begun(&self) -> bool {
        let mut magic = [0; 4];
        self.file.read_exact_at(&mut magic, self.at).is_ok() && magic == MAGIC
    }

    /// Looks without a pause until a batch is begun here.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        while !self.is_begun() {
            if Instant::now() > deadline {
                return false;
            }
        }
        true
    }

    /// Of the batch that was begun here: how many bytes there are of each of the fillings that
    /// the values consist of.
    pub(crate) fn written(&self, fillings: &[u8]) -> Vec<usize> {
        let length = self.length().unwrap_or(0);
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        let mut read = 0;
        // The file may end before the batch does.
        while let Ok(more @ 1..) = self.file.read_at(&mut bytes[read..], self.at + read as u64) {
            read += more;
        }
        let count = |filling: &u8| bytes[..read].iter().filter(|byte| *byte == filling).count();
        fillings.iter().map(count).collect()
    }
}

fn newest_segment(journal: &Path) -> PathBuf {
    let files = std::fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path());
    let segments = files.filter(|path| path.extension().is_some_and(|ext| ext == "segment"));
    segments.max().expect("a segment")
}
