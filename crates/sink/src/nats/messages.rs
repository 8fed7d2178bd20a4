//! What a batch says, as messages.

use async_nats::HeaderMap;
use bytes::Bytes;
use unbroken_core::record::{Record, digest};
use unbroken_journal::{Cursor, JournalId};
use unbroken_render::{
    cloudevent_json, kind, lapse_cloudevent, open_gap_cloudevent, write_cloudevent,
};

use super::NatsConfig;
use super::stream::Terms;
use crate::{Batch, Parked, SinkError};

pub(super) const BATCH_ID: &str = "Nats-Batch-Id";

/// Room in a message for its headers, the reason of a dead letter included.
pub(super) const HEADER_BYTES: usize = 1_024;

/// An event without its data, in bytes (rounded up).
const EVENT_BYTES: usize = 8_192;

/// A byte of text has up to so many bytes in JSON: `\u0000`.
const ESCAPED: usize = 6;

/// Longest reason that is told.
const WHY_CHARS: usize = 400;

/// A message, but for its place in a batch.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) subject: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Names a batch among all that are on their way into a stream.
#[derive(Debug)]
pub(super) struct BatchId(String);

impl BatchId {
    pub(super) fn new(config: &NatsConfig, fence: u64, number: u64) -> Self {
        Self(format!("{}{fence:x}-{number:x}", Self::begin(config)))
    }

    /// Of a chain: whoever makes an old fence a new one by hand must not make an id an old one.
    pub(super) fn unique(config: &NatsConfig, nonce: &str, number: u64) -> Self {
        Self(format!("{}{nonce}-{number:x}", Self::begin(config)))
    }

    /// Of one of its messages.
    pub(super) fn of(&self, number: usize) -> String {
        format!("{}-{number:x}", self.0)
    }

    /// How all of a sink begin. Below its prefix there may be another sink's, with batches of its
    /// own.
    pub(super) fn begin(config: &NatsConfig) -> String {
        // The server takes 64 characters of an id.
        let whose = digest(config.prefix.as_bytes()) as u64;
        format!("unbroken-{whose:016x}-")
    }

    pub(super) fn mark(&self, headers: &mut HeaderMap, number: u64) {
        headers.insert(BATCH_ID, self.0.as_str());
        headers.insert("Nats-Batch-Sequence", number.to_string());
    }
}

/// Whether a batch has no more than the server takes at once.
pub(super) fn fits(config: &NatsConfig, batch: &Batch) -> Result<(), SinkError> {
    let others = usize::from(batch.lapse.is_some()) + batch.open_gaps.len() + batch.parked.len();
    let room = config.batch_messages_max.saturating_sub(1 + others);
    if let Some((from, _)) = batch.entries().nth(room) {
        return Err(if room == 0 { too_many(others) } else { SinkError::TooMuch { from } });
    }
    if others + 1 > config.batch_messages_max { Err(too_many(others)) } else { Ok(()) }
}

/// Whether the event of each record has room in a message, whatever has to be escaped in its data;
/// unless it has a key of that size.
pub(super) fn are_small(terms: &Terms, batch: &Batch) -> bool {
    let room = terms.body_bytes_max() / ESCAPED;
    batch.entries().all(|(_, record)| record.body.payload_len() + EVENT_BYTES < room)
}

/// The event of a record, however large it is.
pub(super) fn of_record(
    config: &NatsConfig,
    journal: JournalId,
    offset: u64,
    record: &Record,
) -> Message {
    let mut body = Vec::with_capacity(record.body.payload_len() + 512);
    write_cloudevent(journal, offset, record, &mut body);
    let subject = subject(&config.prefix, record.stream.as_str(), kind(&record.body));
    Message { subject, headers: event_headers(config), body: body.into() }
}

/// All but the checkpoint.
pub(super) fn messages(
    config: &NatsConfig,
    terms: &Terms,
    batch: &Batch,
) -> Result<Vec<Message>, SinkError> {
    let (journal, prefix) = (batch.journal(), &config.prefix);
    let body_bytes_max = terms.body_bytes_max();
    let event = |subject: String, body: Vec<u8>| Message {
        subject,
        headers: event_headers(config),
        body: body.into(),
    };
    let mut told = Vec::new();
    if let Some(lapse) = &batch.lapse {
        let body = lapse_cloudevent(journal, lapse.from_offset, lapse.to_offset);
        told.push(event(format!("{prefix}.lapse"), body.to_string().into()));
    }
    for (offset, record) in batch.entries() {
        let message = of_record(config, journal, offset, record);
        if message.body.len() > body_bytes_max {
            let why = format!(
                "its event has {} bytes, and the server takes {body_bytes_max} beside the headers",
                message.body.len(),
            );
            return Err(SinkError::Refused { offset: Some(offset), why });
        }
        told.push(message);
    }
    for (stream, gap) in &batch.open_gaps {
        let body = open_gap_cloudevent(journal, batch.next.next_offset, stream, gap);
        let subject = subject(prefix, stream.as_str(), "gap_opened");
        told.push(event(subject, body.to_string().into()));
    }
    for (parked, record) in batch.parked_entries() {
        told.push(dead_letter(config, batch, parked, record, body_bytes_max));
    }
    Ok(told)
}

fn event_headers(config: &NatsConfig) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", "application/cloudevents+json");
    if let Some(keep) = config.keep {
        headers.insert("Nats-TTL", format!("{}s", keep.as_secs().max(1)));
    }
    headers
}

/// The whole event if there is room for it, else all but its data, else only what it is called.
fn dead_letter(
    config: &NatsConfig,
    batch: &Batch,
    parked: &Parked,
    record: &Record,
    body_bytes_max: usize,
) -> Message {
    let mut body = Vec::with_capacity(record.body.payload_len() + 512);
    write_cloudevent(batch.journal(), parked.offset, record, &mut body);
    if body.len() > body_bytes_max {
        let mut event = cloudevent_json(batch.journal(), parked.offset, record);
        if let Some(event) = event.as_object_mut() {
            event.remove("data");
            event.remove("datacontenttype");
        }
        body = event.to_string().into_bytes();
    }
    if body.len() > body_bytes_max {
        body.clear();
    }
    let mut headers = event_headers(config);
    let cursor = Cursor { journal: batch.journal(), offset: parked.offset };
    headers.insert("Unbroken-Id", cursor.to_string());
    let plain = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
    let why: String = parked.why.chars().map(plain).take(WHY_CHARS).collect();
    headers.insert("Unbroken-Why", why);
    let subject = format!("{}.dead_letters", config.prefix);
    Message { subject, headers, body: body.into() }
}

/// A stream's name as tokens: what is between its slashes, with what a token may not hold, or what
/// would not be told from it, in base 16 behind a `%`.
fn subject(prefix: &str, stream: &str, kind: &str) -> String {
    let mut subject = String::with_capacity(prefix.len() + stream.len() + kind.len() + 8);
    subject.push_str(prefix);
    for token in stream.split('/') {
        subject.push('.');
        if token.is_empty() {
            subject.push('%');
        }
        for byte in token.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_~:@".contains(&byte) {
                subject.push(char::from(byte));
            } else {
                subject.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    subject.push('.');
    subject.push_str(kind);
    subject
}

fn too_many(others: usize) -> SinkError {
    let what = format!("{others} intervals are open at once: more than a batch has room for");
    let todo = "give the sink fewer sources (`where`), or begin without `start = \"state\"`";
    SinkError::blocked(what, todo)
}

#[cfg(test)]
mod tests {
    use super::subject;

    #[test]
    fn no_two_streams_have_one_subject() {
        for (stream, tokens) in [
            ("cx/agents", "p.cx.agents.change"),
            ("cx/a.b *>", "p.cx.a%2Eb%20%2A%3E.change"),
            ("cx//a%", "p.cx.%.a%25.change"),
            ("", "p.%.change"),
            ("ü", "p.%C3%BC.change"),
        ] {
            assert_eq!(subject("p", stream, "change"), tokens);
        }
    }
}
