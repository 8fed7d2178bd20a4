//! Records as they are sent: rendered when the first client wants them, once for everybody.

use std::sync::OnceLock;

use bytes::Bytes;
use unbroken_core::ids::Key;
use unbroken_core::record::{Body, Record};
use unbroken_journal::{JournalId, SharedBatch};
use unbroken_render::{kind, write_cloudevent};

use super::filter::Filter;

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
            let mut event = Vec::with_capacity(RENDERING_BYTES + payload_bytes(&self.record));
            write_cloudevent(self.journal, self.offset, &self.record, &mut event);
            Bytes::from(event)
        })
    }

    /// Its size in memory, in bytes, about.
    pub(super) fn bytes(&self) -> usize {
        bytes_of(&self.record)
    }
}

/// The key that a record is about.
pub(super) fn key_of(record: &Record) -> Option<&Key> {
    match &record.body {
        Body::Change(change) | Body::SnapshotItem { change, .. } => Some(&change.key),
        Body::Forgotten { key } => Some(key),
        _ => None,
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
        match &mut record.body {
            Body::Change(change) | Body::SnapshotItem { change, .. } => {
                change.payload = Bytes::copy_from_slice(&change.payload);
            }
            Body::Quarantined(quarantined) => {
                quarantined.bytes = Bytes::copy_from_slice(&quarantined.bytes);
            }
            _ => {}
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
pub(super) struct Gathering {
    journal: JournalId,
    first_offset: u64,
    end_offset: u64,
    batches: Vec<SharedBatch>,
    wanted: Option<Vec<Entry>>,
    bytes: usize,
    looked_at: usize,
}

impl Gathering {
    /// Of all records.
    pub(super) fn of_all(journal: JournalId, first_offset: u64) -> Self {
        Self {
            journal,
            first_offset,
            end_offset: first_offset,
            batches: Vec::new(),
            wanted: None,
            bytes: 0,
            looked_at: 0,
        }
    }

    /// Of those that one client wants.
    pub(super) fn of_wanted(journal: JournalId, first_offset: u64) -> Self {
        Self { wanted: Some(Vec::new()), ..Self::of_all(journal, first_offset) }
    }

    /// Takes records of a batch, from where it has come to, until it has looked at so many bytes.
    pub(super) fn take(&mut self, batch: &SharedBatch, filter: &Filter, bytes_max: usize) {
        if self.wanted.is_none() {
            self.batches.push(batch.clone());
        }
        for (offset, record) in batch.entries_from(self.end_offset) {
            if self.looked_at >= bytes_max {
                return;
            }
            self.looked_at += ENTRY_BYTES + payload_bytes(record);
            self.end_offset = offset + 1;
            let Some(wanted) = &mut self.wanted else {
                self.bytes += bytes_of(record);
                continue;
            };
            if filter.accepts(record) {
                self.bytes += bytes_of(record);
                wanted.push(Entry::new(self.journal, offset, record.clone()));
            }
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
        let (content, entries) = match self.wanted {
            Some(wanted) => (Content::Wanted, OnceLock::from(wanted)),
            None => (Content::All(self.batches), OnceLock::new()),
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
    ENTRY_BYTES + RENDERING_BYTES + 2 * payload_bytes(record)
}

fn payload_bytes(record: &Record) -> usize {
    match &record.body {
        Body::Change(change) | Body::SnapshotItem { change, .. } => change.payload.len(),
        Body::Quarantined(quarantined) => quarantined.bytes.len(),
        _ => 0,
    }
}

/// A chunk of one record, for the tests of this folder.
#[cfg(test)]
pub(super) fn chunk_of(journal: JournalId, first_offset: u64, record: Record) -> Option<Chunk> {
    let (written_at, marks) = (record.received_at, Vec::new());
    let records = vec![record];
    let batch = unbroken_journal::Batch { first_offset, written_at, records, marks };
    let mut gathering = Gathering::of_all(journal, first_offset);
    gathering.take(&SharedBatch::from(batch), &Filter::default(), usize::MAX);
    gathering.finish()
}
