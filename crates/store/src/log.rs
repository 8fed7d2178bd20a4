//! What the store needs of the log.

use std::error::Error;
use std::time::Duration;

use unbroken_core::fold::Fold;
use unbroken_core::record::{Mark, Record};

use crate::StoreError;

/// Most records that one transaction takes. Of a key that changes often only the last value is
/// written, so when the store is behind, a large group is cheaper for each record.
const GROUP_RECORDS_MAX: usize = 64 * 1024;

/// A group is closed when its payloads have come to this, in bytes: it is in memory until it is
/// written.
const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// One batch of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBatch {
    /// Offset of the first record.
    pub first_offset: u64,
    /// The records, at consecutive offsets.
    pub records: Vec<Record>,
    /// Where resumes may start once the records are in.
    pub marks: Vec<Mark>,
}

impl LogBatch {
    /// The offset after the last record.
    pub fn next_offset(&self) -> u64 {
        self.first_offset + self.records.len() as u64
    }

    fn payload_bytes(&self) -> usize {
        self.records.iter().map(|record| record.body.payload_len()).sum()
    }

    /// Whether a store at this checkpoint has seen it. Of a batch of marks alone that stands right
    /// at the checkpoint nobody can tell; to see it twice does no harm.
    pub(crate) fn lies_before(&self, checkpoint: u64) -> bool {
        let next_offset = self.next_offset();
        next_offset < checkpoint || (next_offset == checkpoint && !self.records.is_empty())
    }
}

/// Which log a store is to be fed from, and how far that reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogExtent {
    /// The journal's identity, as text.
    pub journal_id: String,
    /// The first offset that it still holds.
    pub oldest_offset: u64,
    /// The offset after its durable end.
    pub end_offset: u64,
}

/// Why the log could not be read, in the words of whichever log it is.
pub type LogError = Box<dyn Error + Send + Sync>;

/// The batches from some offset to the durable tail, in order.
pub type LogBatches<'a> = Box<dyn Iterator<Item = Result<LogBatch, LogError>> + 'a>;

/// The reading side of a log. The store knows no more of it, so that a log kept elsewhere can feed
/// it, and a test can make one of any shape.
pub trait Log {
    /// Which log it is and how far it reaches now.
    ///
    /// # Errors
    /// If it cannot be read.
    fn extent(&self) -> Result<LogExtent, LogError>;

    /// The batches from the one that holds `from`, up to the durable tail.
    ///
    /// # Errors
    /// If it cannot be read. A batch that is damaged is an error of the iterator.
    fn batches(&self, from: u64) -> Result<LogBatches<'_>, LogError>;

    /// Waits until a record at or after `from` is durable, at most so long.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn wait(&self, from: u64, timeout: Duration) -> Result<(), LogError>;

    /// The newest state image with payloads, and the first offset that is not in it.
    ///
    /// # Errors
    /// If it cannot be read.
    fn newest_image(&self) -> Result<Option<(u64, Fold)>, LogError>;
}

/// The log's batches from an offset on, in groups of a transaction's size.
pub(crate) struct Groups<'a> {
    batches: LogBatches<'a>,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(log: &'a impl Log, from: u64) -> Result<Self, StoreError> {
        Ok(Self { batches: log.batches(from).map_err(StoreError::Log)? })
    }

    pub(crate) fn next_group(&mut self) -> Result<Option<Vec<LogBatch>>, StoreError> {
        let (mut group, mut records, mut bytes) = (Vec::new(), 0, 0);
        while records < GROUP_RECORDS_MAX && bytes < GROUP_BYTES {
            let Some(batch) = self.batches.next() else { break };
            let batch = batch.map_err(StoreError::Log)?;
            records += batch.records.len();
            bytes += batch.payload_bytes();
            group.push(batch);
        }
        Ok((!group.is_empty()).then_some(group))
    }
}
