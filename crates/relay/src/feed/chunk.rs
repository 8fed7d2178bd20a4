//! Records as they are sent: rendered when the first client wants them, once for everybody.

use std::sync::OnceLock;

use bytes::Bytes;
use unbroken_core::record::Record;
use unbroken_journal::{JournalId, SharedBatch};
use unbroken_render::{Filter, kind, write_cloudevent};

/// Counted for a record beside its payload, in bytes.
const ENTRY_BYTES: usize = 256;

/// Counted for its rendering beside its payload, in bytes: what the attributes of a CloudEvent and
/// the fields of a record come to.
const RENDERING_BYTES: usize = 512;

/// One record.
#[derive(Debug)]
pub struct Entry {
    /// Its offset.
    pub offset: u64,
    /// Its kind, in one word.
    pub kind: &'static str,
    /// The record itself.
    pub record: Record,
    journal: JournalId,
    /// It as a CloudEvent in JSON. Most records are wanted by nobody while they are new.
    event: OnceLock<Bytes>,
}

impl Entry {
    fn new(journal: JournalId, offset: u64, record: Record) -> Self {
        Self { offset, kind: kind(&record.body), record, journal, event: OnceLock::new() }
    }

    /// The record as a CloudEvent, one line of JSON, made by the first who asks.
    pub fn event(&self) -> &Bytes {
        self.event.get_or_init(|| {
            let mut event = Vec::with_capacity(RENDERING_BYTES + self.record.body.payload_len());
            write_cloudevent(self.journal, self.offset, &self.record, &mut event);
            Bytes::from(event)
        })
    }

    /// Its size in memory, in bytes, about.
    pub(super) fn bytes(&self) -> usize {
        bytes_of(&self.record)
    }
}

/// Neighbouring records.
#[derive(Debug)]
pub struct Chunk {
    /// The first offset it stands for.
    pub first_offset: u64,
    /// The offset after the last one it stands for.
    pub end_offset: u64,
    journal: JournalId,
    content: Content,
    entries: OnceLock<Vec<Entry>>,
    bytes: usize,
    frame: OnceLock<Bytes>,
    lines: OnceLock<Bytes>,
}

#[derive(Debug)]
enum Content {
    /// All records of an interval, as the log has them.
    All(Vec<SharedBatch>),
    /// Those alone that one client wants.
    Wanted,
}

impl Chunk {
    /// The records; of a replay those alone that its client wants.
    pub fn entries(&self) -> &[Entry] {
        self.entries.get_or_init(|| {
            let all = self.records();
            all.map(|(offset, record)| Entry::new(self.journal, offset, record.clone())).collect()
        })
    }

    /// All records of a chunk of the ring: most are looked at and wanted by nobody.
    pub(super) fn records(&self) -> impl Iterator<Item = (u64, &Record)> {
        let Self { first_offset, end_offset, .. } = *self;
        let batches = match &self.content {
            Content::All(batches) => batches.as_slice(),
            Content::Wanted => &[],
        };
        let all = batches.iter().flat_map(move |batch| batch.entries_from(first_offset));
        all.take_while(move |(offset, _)| *offset < end_offset)
    }

    /// One of its records, for who is given that one alone: it does not keep the batch of the log
    /// in memory that it came in.
    pub(super) fn detached(&self, offset: u64, record: &Record) -> Entry {
        let mut record = record.clone();
        if let Some(payload) = record.body.payload_mut() {
            *payload = Bytes::copy_from_slice(payload);
        }
        Entry::new(self.journal, offset, record)
    }

    /// Its size in memory, in bytes, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of it as one message of a WebSocket, made by the first who asks.
    pub(crate) fn frame(&self, make: impl FnOnce() -> Bytes) -> Bytes {
        self.frame.get_or_init(make).clone()
    }

    /// All of it as Server-Sent Events, likewise.
    pub(crate) fn lines(&self, make: impl FnOnce() -> Bytes) -> Bytes {
        self.lines.get_or_init(make).clone()
    }
}

/// Gathers records into a chunk.
#[derive(Debug)]
pub(super) struct Gathering<'f> {
    journal: JournalId,
    first_offset: u64,
    end_offset: u64,
    taken: Taken<'f>,
    bytes: usize,
    looked_at: usize,
}

#[derive(Debug)]
enum Taken<'f> {
    All(Vec<SharedBatch>),
    Wanted(&'f Filter, Vec<Entry>),
}

impl<'f> Gathering<'f> {
    /// Of all records.
    pub(super) fn of_all(journal: JournalId, first_offset: u64) -> Self {
        Self::new(journal, first_offset, Taken::All(Vec::new()))
    }

    /// Of those that pass.
    pub(super) fn of_wanted(filter: &'f Filter, journal: JournalId, first_offset: u64) -> Self {
        Self::new(journal, first_offset, Taken::Wanted(filter, Vec::new()))
    }

    fn new(journal: JournalId, first_offset: u64, taken: Taken<'f>) -> Self {
        Self { journal, first_offset, end_offset: first_offset, taken, bytes: 0, looked_at: 0 }
    }

    /// Takes records of a batch, from where it has come to, until it has looked at so many bytes.
    pub(super) fn take(&mut self, batch: &SharedBatch, bytes_max: usize) {
        if let Taken::All(batches) = &mut self.taken {
            batches.push(batch.clone());
        }
        for (offset, record) in batch.entries_from(self.end_offset) {
            if self.looked_at >= bytes_max {
                return;
            }
            self.looked_at += ENTRY_BYTES + record.body.payload_len();
            self.end_offset = offset + 1;
            match &mut self.taken {
                Taken::Wanted(filter, _) if !filter.accepts(record) => continue,
                Taken::Wanted(_, entries) => {
                    entries.push(Entry::new(self.journal, offset, record.clone()));
                }
                Taken::All(_) => {}
            }
            self.bytes += bytes_of(record);
        }
    }

    /// Bytes of the log that were looked at, about.
    pub(super) fn looked_at(&self) -> usize {
        self.looked_at
    }

    /// The offset of the next record.
    pub(super) fn end_offset(&self) -> u64 {
        self.end_offset
    }

    /// What was taken; `None` if nothing was looked at.
    pub(super) fn finish(self) -> Option<Chunk> {
        if self.end_offset == self.first_offset {
            return None;
        }
        let (content, entries) = match self.taken {
            Taken::Wanted(_, entries) => (Content::Wanted, OnceLock::from(entries)),
            Taken::All(batches) => (Content::All(batches), OnceLock::new()),
        };
        Some(Chunk {
            first_offset: self.first_offset,
            end_offset: self.end_offset,
            journal: self.journal,
            content,
            entries,
            bytes: self.bytes,
            frame: OnceLock::new(),
            lines: OnceLock::new(),
        })
    }
}

/// A record's size in memory when it is rendered, in bytes, about.
fn bytes_of(record: &Record) -> usize {
    ENTRY_BYTES + RENDERING_BYTES + 2 * record.body.payload_len()
}

/// A chunk of one record, for the tests of this folder.
#[cfg(test)]
pub(super) fn chunk_of(journal: JournalId, first_offset: u64, record: Record) -> Option<Chunk> {
    let (written_at, marks) = (record.received_at, Vec::new());
    let records = vec![record];
    let batch = unbroken_journal::Batch { first_offset, written_at, records, marks };
    let mut gathering = Gathering::of_all(journal, first_offset);
    gathering.take(&SharedBatch::from(batch), usize::MAX);
    gathering.finish()
}
