//! The log's batches, taken a bounded piece at a time: replay and tail read by this alone.

use std::time::Duration;

use unbroken_journal::{Batches, JournalError, JournalId, Reader, SharedBatch};
use unbroken_render::Filter;

use super::chunk::{Chunk, Gathering};

/// A place in the log.
#[derive(Debug)]
pub(super) struct Reading {
    journal: JournalId,
    batches: Batches,
    /// A batch that was too large for one piece, and the offset of its next record.
    rest: Option<(SharedBatch, u64)>,
}

impl Reading {
    /// From an offset on.
    pub(super) fn new(reader: &Reader, from: u64) -> Result<Self, JournalError> {
        Ok(Self { journal: reader.journal(), batches: reader.batches(from)?, rest: None })
    }

    /// The offset of the next record.
    pub(super) fn next_offset(&self) -> u64 {
        self.rest.as_ref().map_or_else(|| self.batches.next_offset(), |(_, offset)| *offset)
    }

    /// The next piece of at most so many bytes of the log, about; `None` at the durable end.
    pub(super) fn next_piece(&mut self, bytes_max: usize) -> Result<Option<Chunk>, JournalError> {
        self.gather(Gathering::of_all(self.journal, self.next_offset()), bytes_max)
    }

    /// The same, of records that pass; of the others only the place is in it.
    pub(super) fn next_wanted(
        &mut self,
        filter: &Filter,
        bytes_max: usize,
    ) -> Result<Option<Chunk>, JournalError> {
        self.gather(Gathering::of_wanted(filter, self.journal, self.next_offset()), bytes_max)
    }

    fn gather(
        &mut self,
        mut gathering: Gathering<'_>,
        bytes_max: usize,
    ) -> Result<Option<Chunk>, JournalError> {
        while gathering.looked_at() < bytes_max {
            let batch = match self.rest.take() {
                Some((batch, _)) => batch,
                None => match self.batches.next_shared()? {
                    Some(batch) => batch,
                    None => break,
                },
            };
            gathering.take(&batch, bytes_max);
            let next = gathering.end_offset();
            if next < batch.end_offset() {
                self.rest = Some((batch, next));
            }
        }
        Ok(gathering.finish())
    }

    /// Waits until there is more, or the time is up.
    pub(super) fn wait(&self, time: Duration) -> Result<(), JournalError> {
        self.batches.wait(time).map(drop)
    }
}
