//! One row.

use serde_json::json;
use unbroken_core::ids::{Key, StreamId};
use unbroken_core::record::{Body, Change, GapOpened, Record};
use unbroken_core::time::UnixMicros;
use unbroken_journal::JournalId;
use unbroken_render::{fields_text, kind};

use crate::Lapse;

/// A record in columns: those of a change, or `data` for the ledger's.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// The log that it is of.
    pub log: JournalId,
    /// Its offset there.
    pub offset: u64,
    /// Which kind of record it is.
    pub record: &'static str,
    /// Its stream; nothing for what is said of the log.
    pub stream: &'a str,
    /// What it is about, if that is one thing.
    pub key: Option<&'a str>,
    /// When it was received, or noted.
    pub received_at: UnixMicros,
    /// What changed, where something did.
    pub change: Option<&'a Change>,
    /// The bracket that the change is an item of.
    pub snapshot: Option<u64>,
    /// Of every other record what it says, as JSON.
    pub data: Option<String>,
}

impl<'a> Row<'a> {
    /// Of a record of the log.
    pub fn of(log: JournalId, offset: u64, record: &'a Record) -> Self {
        let (change, snapshot) = match &record.body {
            Body::Change(change) => (Some(change), None),
            Body::SnapshotItem { snapshot, change } => (Some(change), Some(snapshot.0)),
            _ => (None, None),
        };
        Self {
            log,
            offset,
            record: kind(&record.body),
            stream: record.stream.as_str(),
            key: record.body.key().map(Key::as_str),
            received_at: record.received_at,
            change,
            snapshot,
            data: change.is_none().then(|| fields_text(&record.body)),
        }
    }

    /// Of a row of the ledger that was open when a sink began with state.
    pub(crate) fn of_open_gap(
        log: JournalId,
        offset: u64,
        stream: &'a StreamId,
        gap: &GapOpened,
    ) -> Self {
        let body = Body::GapOpened(gap.clone());
        Self {
            data: Some(fields_text(&body)),
            ..Self::noted(log, offset, kind(&body), stream.as_str(), gap.wall_from)
        }
    }

    /// Of records that a sink never had.
    pub(crate) fn of_lapse(log: JournalId, lapse: &Lapse, noted_at: UnixMicros) -> Self {
        let Lapse { from_offset, to_offset } = *lapse;
        let data = json!({ "from_offset": from_offset, "to_offset": to_offset }).to_string();
        Self { data: Some(data), ..Self::noted(log, from_offset, "lapse", "", noted_at) }
    }

    fn noted(
        log: JournalId,
        offset: u64,
        record: &'static str,
        stream: &'a str,
        received_at: UnixMicros,
    ) -> Self {
        Self {
            log,
            offset,
            record,
            stream,
            key: None,
            received_at,
            change: None,
            snapshot: None,
            data: None,
        }
    }
}
