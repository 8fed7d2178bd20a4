//! The newest batches as they were written, for the readers of the writer's own process: each of
//! them follows the end closely, and would else take the same bytes apart again.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use unbroken_core::record::{Append, Mark, Record};
use unbroken_core::time::UnixMicros;

use crate::codec::highest_marks;
use crate::local::batch::Batch;
use crate::local::place::Place;
use crate::local::writer::Committed;

/// What is kept, in bytes of payloads and [`RECORD_BYTES`] for each record: a third of a second at
/// 100,000 records a second of usual size.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Of a record in memory, beside its payload: itself, and the names that it shares with nobody.
const RECORD_BYTES: usize = 256;

/// Of a batch, beside its records.
const BATCH_BYTES: usize = 1024;

/// A batch as it was given to the writer.
#[derive(Debug)]
pub(crate) struct Written {
    first_offset: u64,
    written_at: UnixMicros,
    records: Vec<Record>,
    marks: Vec<Mark>,
    /// Of the payloads.
    bytes: usize,
}

impl Written {
    /// Of units that have been written.
    pub(crate) fn new(committed: Committed, written_at: UnixMicros, units: Vec<Append>) -> Self {
        let marks = highest_marks(&units);
        let mut records = Vec::with_capacity(units.iter().map(|unit| unit.records.len()).sum());
        records.extend(units.into_iter().flat_map(|unit| unit.records));
        let bytes = gather_payloads(&mut records);
        Self { first_offset: committed.first_offset, written_at, records, marks, bytes }
    }

    /// One that was read from the disk.
    fn read(batch: Batch) -> Self {
        let Batch { first_offset, written_at, records, marks } = batch;
        Self { first_offset, written_at, records, marks, bytes: 0 }
    }

    fn end_offset(&self) -> u64 {
        self.first_offset + self.records.len() as u64
    }

    /// Whether a reader of what is behind an offset has read it. A batch of marks alone at the
    /// very offset is still ahead.
    pub(crate) fn is_consumed(&self, from_offset: u64) -> bool {
        let end_offset = self.end_offset();
        end_offset < from_offset || (end_offset == from_offset && !self.records.is_empty())
    }

    fn records_from(&self, offset: u64) -> &[Record] {
        self.records.get(offset.saturating_sub(self.first_offset) as usize..).unwrap_or_default()
    }

    /// As it is read from the disk, shortened to begin at an offset.
    pub(crate) fn batch(&self, from_offset: u64) -> Batch {
        Batch {
            first_offset: self.first_offset.max(from_offset),
            written_at: self.written_at,
            records: self.records_from(from_offset).to_vec(),
            marks: self.marks.clone(),
        }
    }

    fn size(&self) -> usize {
        BATCH_BYTES + self.bytes + self.records.len() * RECORD_BYTES
    }
}

/// Copies the payloads of all records into one buffer, so that none keeps the vendor's frame in
/// memory that it came in: that may be a page of which one row was new. Returns their bytes.
fn gather_payloads(records: &mut [Record]) -> usize {
    let payloads = records.iter().filter_map(|record| record.body.payload());
    let total = payloads.clone().map(Bytes::len).sum();
    let mut gathered = Vec::with_capacity(total);
    payloads.for_each(|payload| gathered.extend_from_slice(payload));
    let mut gathered = Bytes::from(gathered);
    for payload in records.iter_mut().filter_map(|record| record.body.payload_mut()) {
        *payload = gathered.split_to(payload.len());
    }
    total
}

/// The records of a batch, in memory once for all readers of a process.
#[derive(Clone, Debug)]
pub struct SharedBatch {
    written: Arc<Written>,
    first_offset: u64,
}

impl SharedBatch {
    pub(crate) fn new(written: Arc<Written>, from_offset: u64) -> Self {
        let first_offset = written.first_offset.max(from_offset);
        Self { written, first_offset }
    }

    /// The offset after the last record.
    pub fn end_offset(&self) -> u64 {
        self.written.end_offset()
    }

    /// The records from an offset on, with their offsets.
    pub fn entries_from(&self, offset: u64) -> impl Iterator<Item = (u64, &Record)> {
        let from = offset.max(self.first_offset);
        (from..).zip(self.written.records_from(from))
    }
}

impl From<Batch> for SharedBatch {
    fn from(batch: Batch) -> Self {
        let first_offset = batch.first_offset;
        Self { written: Arc::new(Written::read(batch)), first_offset }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// With the places behind them; numbers rise.
    batches: VecDeque<(Place, Arc<Written>)>,
    bytes: usize,
}

impl Recent {
    /// Keeps a batch, and gives those back for which there is no more room.
    pub(crate) fn push(&mut self, end: Place, written: Written) -> Vec<Arc<Written>> {
        self.bytes += written.size();
        self.batches.push_back((end, Arc::new(written)));
        let mut too_old = Vec::new();
        while self.bytes > BYTES_MAX
            && let Some((_, oldest)) = self.batches.pop_front()
        {
            self.bytes -= oldest.size();
            too_old.push(oldest);
        }
        too_old
    }

    /// By a batch's number.
    pub(crate) fn get(&self, number: u64) -> Option<(Place, Arc<Written>)> {
        let index = self.batches.binary_search_by_key(&(number + 1), |(end, _)| end.number).ok()?;
        self.batches.get(index).map(|(end, written)| (*end, Arc::clone(written)))
    }
}
