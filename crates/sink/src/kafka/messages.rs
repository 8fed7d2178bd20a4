//! What a batch says, as messages.

use std::collections::BTreeMap;

use rdkafka::message::{Header, OwnedHeaders};
use serde_json::value::RawValue;
use unbroken_core::record::Record;
use unbroken_journal::Cursor;
use unbroken_render::{cloudevent_json, lapse_cloudevent, open_gap_cloudevent, write_cloudevent};

use super::{KafkaConfig, KafkaEvents};
use crate::{Batch, Parked, SinkError};

/// Room in a message for what is not its key or its body: headers, the reason of a dead letter, and
/// what the protocol adds.
const FRAME_BYTES: usize = 4_096;

/// Longest reason that is told.
const WHY_CHARS: usize = 400;

/// A message of a batch.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) topic: Topic,
    pub(super) key: String,
    pub(super) headers: OwnedHeaders,
    pub(super) body: Vec<u8>,
    /// The entry that it is of.
    pub(super) offset: Option<u64>,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Events,
    DeadLetters,
}

/// All but the checkpoint, of up to so many bytes each.
pub(super) fn messages(
    config: &KafkaConfig,
    bytes_max: usize,
    batch: &Batch,
) -> Result<Vec<Message>, SinkError> {
    let journal = batch.journal();
    let mut told = Vec::new();
    if let Some(lapse) = &batch.lapse {
        let event = lapse_cloudevent(journal, lapse.from_offset, lapse.to_offset);
        told.push(event_of(config, String::new(), event.to_string().into(), None));
    }
    for (offset, record) in batch.entries() {
        let mut event = Vec::with_capacity(record.body.payload_len() + 512);
        write_cloudevent(journal, offset, record, &mut event);
        let key = key_of(record);
        let bytes = event.len() + key.len();
        if bytes + FRAME_BYTES > bytes_max {
            let room = bytes_max.saturating_sub(FRAME_BYTES);
            let why =
                format!("its event has {bytes} bytes, and the topic takes {room} beside headers");
            return Err(SinkError::Refused { offset: Some(offset), why });
        }
        told.push(event_of(config, key, event, Some(offset)));
    }
    for (stream, gap) in &batch.open_gaps {
        let event = open_gap_cloudevent(journal, batch.next.next_offset, stream, gap);
        told.push(event_of(config, stream.to_string(), event.to_string().into(), None));
    }
    for (parked, record) in batch.parked_entries() {
        told.push(dead_letter(batch, parked, record, bytes_max));
    }
    Ok(told)
}

/// What is about no key belongs to a stream: in order among what else is of it.
fn key_of(record: &Record) -> String {
    let key = record.body.key().map(|key| key.as_str());
    key.unwrap_or(record.stream.as_str()).to_owned()
}

fn event_of(config: &KafkaConfig, key: String, event: Vec<u8>, offset: Option<u64>) -> Message {
    let parts = match config.events {
        KafkaEvents::Binary => in_parts(&event),
        KafkaEvents::Structured => None,
    };
    let (headers, body) = parts.unwrap_or_else(|| (whole_event(), event));
    Message { topic: Topic::Events, key, headers, body, offset }
}

fn whole_event() -> OwnedHeaders {
    header(OwnedHeaders::new(), "content-type", "application/cloudevents+json; charset=UTF-8")
}

/// The attributes as headers, and the data as it stands in the event.
fn in_parts(event: &[u8]) -> Option<(OwnedHeaders, Vec<u8>)> {
    let parts: BTreeMap<&str, &RawValue> = serde_json::from_slice(event).ok()?;
    let mut headers = OwnedHeaders::new_with_capacity(parts.len());
    let mut data = Vec::new();
    for (name, value) in parts {
        if name == "data" {
            data = value.get().as_bytes().to_vec();
            continue;
        }
        let text: String = serde_json::from_str(value.get()).ok()?;
        headers = match name {
            "datacontenttype" => header(headers, "content-type", &text),
            name => header(headers, &format!("ce_{name}"), &text),
        };
    }
    Some((headers, data))
}

fn header(headers: OwnedHeaders, key: &str, value: &str) -> OwnedHeaders {
    headers.insert(Header { key, value: Some(value) })
}

/// The whole event if there is room for it, else all but its data, else only what it is called.
fn dead_letter(batch: &Batch, parked: &Parked, record: &Record, bytes_max: usize) -> Message {
    let room = bytes_max.saturating_sub(FRAME_BYTES);
    let mut key = key_of(record);
    let mut body = Vec::with_capacity(record.body.payload_len() + 512);
    write_cloudevent(batch.journal(), parked.offset, record, &mut body);
    if body.len() + key.len() > room {
        let mut event = cloudevent_json(batch.journal(), parked.offset, record);
        if let Some(event) = event.as_object_mut() {
            event.remove("data");
            event.remove("datacontenttype");
        }
        body = event.to_string().into_bytes();
    }
    if body.len() + key.len() > room {
        body.clear();
        key = record.stream.to_string();
    }
    let cursor = Cursor { journal: batch.journal(), offset: parked.offset };
    let plain = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
    let why: String = parked.why.chars().map(plain).take(WHY_CHARS).collect();
    let headers = header(whole_event(), "unbroken-id", &cursor.to_string());
    let headers = header(headers, "unbroken-why", &why);
    Message { topic: Topic::DeadLetters, key, headers, body, offset: None }
}
