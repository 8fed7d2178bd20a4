//! Records as they are sent: rendered once, for everybody.

use std::sync::OnceLock;

use bytes::Bytes;
use unbroken_core::ids::Key;
use unbroken_core::record::{Body, Record};
use unbroken_journal::JournalId;
use unbroken_render::{kind, write_cloudevent};

use super::filter::Filter;

/// Counted for a record beside its payload and its rendering, in bytes.
const ENTRY_BYTES: usize = 256;

/// One record.
#[derive(Debug)]
pub struct Entry {
    /// Its offset.
    pub offset: u64,
    /// Its kind, in one word.
    pub kind: &'static str,
    /// The record itself.
    pub record: Record,
    /// It as a CloudEvent in JSON.
    event: Bytes,
}

impl Entry {
    /// The record as a CloudEvent, one line of JSON.
    pub fn event(&self) -> &Bytes {
        &self.event
    }

    /// What it is about, if it is about a key.
    pub fn key(&self) -> Option<&Key> {
        key_of(&self.record)
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
    /// The records; of a replay those alone that its client wants.
    pub entries: Vec<Entry>,
    bytes: usize,
    frame: OnceLock<Bytes>,
    lines: OnceLock<Bytes>,
}

impl Chunk {
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
    rendered: Vec<u8>,
    entries: Vec<(u64, Record, usize)>,
    payload_bytes: usize,
    looked_at: usize,
}

impl Gathering {
    pub(super) fn new(journal: JournalId, first_offset: u64) -> Self {
        Self {
            journal,
            first_offset,
            end_offset: first_offset,
            rendered: Vec::new(),
            entries: Vec::new(),
            payload_bytes: 0,
            looked_at: 0,
        }
    }

    /// Takes the next record, if it is wanted.
    pub(super) fn take(&mut self, offset: u64, record: Record, filter: &Filter) {
        let payload_bytes = payload_bytes(&record);
        self.looked_at += ENTRY_BYTES + payload_bytes;
        self.end_offset = offset + 1;
        if !filter.accepts(&record) {
            return;
        }
        write_cloudevent(self.journal, offset, &record, &mut self.rendered);
        self.payload_bytes += payload_bytes;
        self.entries.push((offset, record, self.rendered.len()));
    }

    /// Bytes of the log that were looked at, about.
    pub(super) fn looked_at(&self) -> usize {
        self.looked_at
    }

    /// What was taken; `None` if nothing was looked at.
    pub(super) fn finish(self) -> Option<Chunk> {
        if self.end_offset == self.first_offset {
            return None;
        }
        let rendered = Bytes::from(self.rendered);
        let mut begin = 0;
        let mut entries = Vec::with_capacity(self.entries.len());
        for (offset, record, end) in self.entries {
            let event = rendered.slice(begin..end);
            begin = end;
            entries.push(Entry { offset, kind: kind(&record.body), record, event });
        }
        Some(Chunk {
            first_offset: self.first_offset,
            end_offset: self.end_offset,
            bytes: rendered.len() + self.payload_bytes + entries.len() * ENTRY_BYTES,
            entries,
            frame: OnceLock::new(),
            lines: OnceLock::new(),
        })
    }
}

fn payload_bytes(record: &Record) -> usize {
    match &record.body {
        Body::Change(change) | Body::SnapshotItem { change, .. } => change.payload.len(),
        Body::Quarantined(quarantined) => quarantined.bytes.len(),
        _ => 0,
    }
}
