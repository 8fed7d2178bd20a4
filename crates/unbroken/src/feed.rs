//! The journal as the log that the store is fed from.

use std::path::Path;
use std::time::Duration;

use unbroken_core::fold::Fold;
use unbroken_journal::{Batch, Reader};
use unbroken_store::{Log, LogBatch, LogBatches, LogError, LogExtent, StoreReader};

use crate::place;

/// A journal's reader, seen by the store.
#[derive(Clone, Debug)]
pub struct JournalLog(pub Reader);

impl Log for JournalLog {
    fn extent(&self) -> Result<LogExtent, LogError> {
        Ok(LogExtent {
            journal_id: self.0.journal().to_string(),
            oldest_offset: self.0.oldest_offset()?,
            end_offset: self.0.end_offset()?,
        })
    }

    fn batches(&self, from: u64) -> Result<LogBatches<'_>, LogError> {
        let batches = self.0.batches(from)?;
        Ok(Box::new(batches.map(|batch| batch.map(log_batch).map_err(LogError::from))))
    }

    fn wait(&self, from: u64, timeout: Duration) -> Result<(), LogError> {
        self.0.wait(from, timeout)?;
        Ok(())
    }

    fn newest_image(&self) -> Result<Option<(u64, Fold)>, LogError> {
        Ok(self.0.newest_image()?)
    }
}

fn log_batch(batch: Batch) -> LogBatch {
    LogBatch { first_offset: batch.first_offset, records: batch.records, marks: batch.marks }
}

/// Up to which offset the store in a data directory holds its log: a log that ends before it has
/// lost something. A store that cannot be read says nothing about the log; its keeper will tell of
/// it.
pub fn store_checkpoint(data_dir: &Path) -> Option<u64> {
    let store = StoreReader::open(&place::store_path(data_dir)).ok()?;
    let checkpoint = store.checkpoint().ok()?;
    let nameplate = unbroken_journal::Reader::open(place::journal_dir(data_dir)).ok()?;
    (nameplate.journal().to_string() == checkpoint.journal_id).then_some(checkpoint.next_offset)
}
