//! The journal, as a driver sees it: units go in at once, what they meant is noted until they are
//! durable.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use unbroken_connect::Log;
use unbroken_core::ids::AppendId;
use unbroken_core::record::{Append, Body, Origin, Record};
use unbroken_journal::{CommitHandle, Refused, SourceTag};

use crate::board::Durable;

/// Counted for a record beside its payload: its fields in memory and its header in the log.
const RECORD_BYTES: u64 = 256;

/// What a unit will have changed once it is durable.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) append: AppendId,
    pub(super) durable: Durable,
    /// Rows of the ledger in it.
    pub(super) rows: Vec<Record>,
}

/// Notes of units that are not durable yet, oldest first. As many as the driver lets be in flight.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<VecDeque<Note>>);

impl Notes {
    /// Takes the notes of every unit up to this one.
    pub(super) fn take_through(&self, append: AppendId) -> Vec<Note> {
        let mut notes = self.lock();
        let durable = notes.partition_point(|note| note.append <= append);
        notes.drain(..durable).collect()
    }

    /// Bytes and events that are not durable yet.
    pub(super) fn in_flight(&self) -> (u64, u64) {
        let notes = self.lock();
        let of = |of: fn(&Durable) -> u64| notes.iter().map(|note| of(&note.durable)).sum();
        (of(|durable| durable.bytes), of(|durable| durable.events))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct JournalSink {
    tag: SourceTag,
    journal: CommitHandle,
    notes: Arc<Notes>,
}

impl JournalSink {
    pub(super) fn new(tag: SourceTag, journal: CommitHandle, notes: Arc<Notes>) -> Self {
        Self { tag, journal, notes }
    }
}

impl Log for JournalSink {
    /// Waits for the committer only if more small units are in flight than its queue holds; the
    /// driver's own bound in bytes is there to keep that from happening. A committer that has
    /// stopped has told every source so.
    fn submit(&self, append: Append) {
        self.notes.lock().push_back(note(&append));
        if let Err(Refused::Full(append)) = self.journal.try_submit(self.tag, append) {
            let _ = self.journal.submit(self.tag, append);
        }
    }
}

fn note(append: &Append) -> Note {
    let mark = append.mark.clone();
    let stream = append.records.first().map(|record| record.stream.clone());
    let mut durable = Durable { stream, mark, ..Durable::default() };
    let mut rows = Vec::new();
    for record in &append.records {
        durable.bytes += RECORD_BYTES + record.body.payload_len() as u64;
        if matches!(record.body, Body::GapOpened(_) | Body::GapClosed(_)) {
            rows.push(record.clone());
        }
        if matches!(record.body, Body::Quarantined(_)) {
            durable.quarantined += 1;
        }
        if let Body::Change(change) = &record.body
            && matches!(change.origin, Origin::Live | Origin::Replay)
        {
            durable.events += 1;
            let at = change.occurred_at.unwrap_or(record.received_at);
            durable.event_at = durable.event_at.max(Some(at));
        }
    }
    Note { append: append.id, durable, rows }
}
