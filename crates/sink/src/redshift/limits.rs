//! What its columns have a place for. The sink looks before it asks: a row that COPY refuses is not
//! named, and everything that was loaded with it is gone.

use unbroken_core::ids::{Key, Label, StreamId};
use unbroken_core::record::{Body, Change, Record};

use super::literal::instant;
use crate::{Batch, SinkError};

/// The longest text of a column, in bytes: no column of Redshift holds more.
pub(super) const TEXT_MAX: usize = 65_535;

/// The same of names, as `schema.sql` has them.
const STREAM_MAX: usize = 256;
const KEY_MAX: usize = 512;
const EVENT_ID_MAX: usize = 512;
const KIND_MAX: usize = 256;

/// Refuses the first record of a batch for which there is no place.
pub(super) fn look(batch: &Batch) -> Result<(), SinkError> {
    let refused = batch.entries().find_map(|(offset, record)| {
        fault(record).map(|why| SinkError::Refused { offset: Some(offset), why })
    });
    refused.map_or(Ok(()), Err)
}

/// Why a record has no place, without anything of it.
fn fault(record: &Record) -> Option<String> {
    let name = |what, text: Option<&str>, max| text.and_then(|text| name_fault(what, text, max));
    let change = match &record.body {
        Body::Change(change) | Body::SnapshotItem { change, .. } => Some(change),
        _ => None,
    };
    name("stream", Some(StreamId::as_str(&record.stream)), STREAM_MAX)
        .or_else(|| name("key", record.body.key().map(Key::as_str), KEY_MAX))
        .or_else(|| change.and_then(change_fault))
        .or_else(|| instant(record.received_at).is_none().then(|| outside("received_at")))
}

fn change_fault(change: &Change) -> Option<String> {
    let name = |what, text: Option<&Label>, max| {
        text.and_then(|text| name_fault(what, Label::as_str(text), max))
    };
    name("event_id", change.event_id.as_ref(), EVENT_ID_MAX)
        .or_else(|| name("kind", change.kind.as_ref(), KIND_MAX))
        .or_else(|| {
            let is_outside = change.occurred_at.is_some_and(|at| instant(at).is_none());
            is_outside.then(|| outside("occurred_at"))
        })
}

fn name_fault(what: &str, text: &str, max: usize) -> Option<String> {
    if text.contains('\0') {
        return Some(format!("{what} holds the character U+0000"));
    }
    (text.len() > max).then(|| format!("{what} has {} bytes, and its column {max}", text.len()))
}

fn outside(what: &str) -> String {
    format!("{what} is outside of the years 1 to 9999")
}
