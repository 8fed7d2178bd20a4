use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use unbroken_core::fold::Fold;
use unbroken_core::record::{Mark, Record};
use unbroken_store::{Log, LogBatch, LogBatches, LogError, LogExtent};

/// A log whose beginning, end and image a test puts where it likes.
#[derive(Clone)]
pub(crate) struct MemoryLog {
    held: Arc<(Mutex<Held>, Condvar)>,
}

pub(crate) struct Held {
    pub(crate) journal_id: String,
    pub(crate) oldest_offset: u64,
    pub(crate) batches: Vec<LogBatch>,
    pub(crate) image: Option<(u64, Fold)>,
}

impl MemoryLog {
    pub(crate) fn new(journal_id: &str) -> Self {
        let held = Held {
            journal_id: journal_id.to_owned(),
            oldest_offset: 0,
            batches: Vec::new(),
            image: None,
        };
        Self { held: Arc::new((Mutex::new(held), Condvar::new())) }
    }

    pub(crate) fn of(batches: &[LogBatch]) -> Self {
        let log = Self::new("copy");
        log.held().batches = batches.to_vec();
        log
    }

    pub(crate) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.0.lock().unwrap()
    }

    pub(crate) fn append(&self, records: Vec<Record>, marks: Vec<Mark>) {
        let mut held = self.held();
        let first_offset = held.end_offset();
        held.batches.push(LogBatch { first_offset, records, marks });
        drop(held);
        self.held.1.notify_all();
    }

    /// The fold of everything before an offset.
    pub(crate) fn fold(&self, until: u64) -> Fold {
        let mut fold = Fold::new(true);
        for batch in &self.held().batches {
            for (offset, record) in (batch.first_offset..until).zip(&batch.records) {
                fold.apply(offset, record);
            }
            for mark in batch.marks.iter().filter(|_| batch.next_offset() <= until) {
                fold.mark(mark);
            }
        }
        fold
    }

    /// Retention: the batches before `oldest` go; the image stands at `image`.
    pub(crate) fn retain(&self, oldest: u64, image: u64) {
        let fold = self.fold(image);
        let mut held = self.held();
        held.image = Some((image, fold));
        held.oldest_offset = oldest;
        held.batches.retain(|batch| batch.first_offset >= oldest);
    }
}

impl Held {
    pub(crate) fn end_offset(&self) -> u64 {
        self.batches.last().map_or(self.oldest_offset, LogBatch::next_offset)
    }
}

impl Log for MemoryLog {
    fn extent(&self) -> Result<LogExtent, LogError> {
        let held = self.held();
        Ok(LogExtent {
            journal_id: held.journal_id.clone(),
            oldest_offset: held.oldest_offset,
            end_offset: held.end_offset(),
        })
    }

    fn batches(&self, from: u64) -> Result<LogBatches<'_>, LogError> {
        let held = self.held();
        let end = held.end_offset();
        let batches: Vec<LogBatch> = held
            .batches
            .iter()
            .filter(|batch| batch.next_offset() > from || batch.first_offset == end)
            .cloned()
            .collect();
        Ok(Box::new(batches.into_iter().map(Ok)))
    }

    fn wait(&self, from: u64, timeout: Duration) -> Result<(), LogError> {
        let held = self.held();
        let behind = |held: &mut Held| held.end_offset() <= from;
        drop(self.held.1.wait_timeout_while(held, timeout, behind).unwrap());
        Ok(())
    }

    fn newest_image(&self) -> Result<Option<(u64, Fold)>, LogError> {
        Ok(self.held().image.clone())
    }
}
