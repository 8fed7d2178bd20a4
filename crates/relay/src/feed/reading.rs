//! The log's batches, taken a bounded piece at a time: replay and tail read by this alone.

use std::time::Duration;

use unbroken_core::record::Record;
use unbroken_journal::{Batches, JournalError, JournalId, Reader};

use super::chunk::{Chunk, Gathering};
use super::filter::Filter;

/// A place in the log.
#[derive(Debug)]
pub(super) struct Reading {
    journal: JournalId,
    batches: Batches,
    /// Offset of the next record of a batch that was too large for one piece, and its rest.
    rest: Option<(u64, std::vec::IntoIter<Record>)>,
}

impl Reading {
    /// From an offset on.
    pub(super) fn new(reader: &Reader, from: u64) -> Result<Self, JournalError> {
        Ok(Self { journal: reader.journal(), batches: reader.batches(from)?, rest: None })
    }

    /// The offset of the next record.
    pub(super) fn next_offset(&self) -> u64 {
        self.rest.as_ref().map_or_else(|| self.batches.next_offset(), |(offset, _)| *offset)
    }

    /// The next piece of at most so many bytes of the log, about; `None` at the durable end. Of
    /// records that do not pass, only the place is in it.
    pub(super) fn next_piece(
        &mut self,
        filter: &Filter,
        bytes_max: usize,
    ) -> Result<Option<Chunk>, JournalError> {
        let mut gathering = Gathering::new(self.journal, self.next_offset());
        while gathering.looked_at() < bytes_max {
            let Some((offset, records)) = self.rest.as_mut() else {
                let Some(batch) = self.batches.next_batch()? else { break };
                self.rest = Some((batch.first_offset, batch.records.into_iter()));
                continue;
            };
            match records.next() {
                Some(record) => {
                    gathering.take(*offset, record, filter);
                    *offset += 1;
                }
                None => self.rest = None,
            }
        }
        Ok(gathering.finish())
    }

    /// Waits until there is more, or the time is up.
    pub(super) fn wait(&self, time: Duration) -> Result<(), JournalError> {
        self.batches.wait(time).map(drop)
    }
}
