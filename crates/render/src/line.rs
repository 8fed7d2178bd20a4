//! Records as they are written, each on one line. What every client of a busy service is sent goes
//! this way.

use std::borrow::Cow;

use serde::Serialize;
use unbroken_core::ids::Key;
use unbroken_core::record::{Body, Record};
use unbroken_journal::{Cursor, JournalId};

use crate::clock::wall;
use crate::cloudevent::reference;
use crate::fields::{Fields, occurred_at};
use crate::record::kind;

#[derive(Serialize)]
struct Event<'a> {
    cursor: String,
    data: Fields<'a>,
    datacontenttype: &'static str,
    id: String,
    source: String,
    specversion: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    time: &'a str,
    #[serde(rename = "type")]
    kind: Cow<'static, str>,
}

#[derive(Serialize)]
struct Line<'a> {
    cursor: String,
    offset: u64,
    received_at: String,
    record: &'static str,
    stream: &'a str,
    #[serde(flatten)]
    fields: Fields<'a>,
}

/// Writes a record as a CloudEvent, on one line: version 1.0, in JSON
/// (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>). `source`
/// and `id` together name the record for ever: the stream, and `journal_id:offset`. `cursor` (an
/// extension) is that of a reader who has read it.
pub fn write_cloudevent(journal: JournalId, offset: u64, record: &Record, out: &mut Vec<u8>) {
    let cursor = |offset| Cursor { journal, offset }.to_string();
    let occurred_at = occurred_at(&record.body);
    let received_at = if occurred_at.is_none() { wall(record.received_at) } else { String::new() };
    let event = Event {
        cursor: cursor(offset + 1),
        data: Fields::of(&record.body, occurred_at.as_deref()),
        datacontenttype: "application/json",
        id: cursor(offset),
        source: reference(record.stream.as_str()),
        specversion: "1.0",
        subject: record.body.key().map_or("", Key::as_str),
        time: occurred_at.as_deref().unwrap_or(&received_at),
        kind: event_type(&record.body),
    };
    // Writing JSON into a buffer cannot fail.
    let _ = serde_json::to_writer(out, &event);
}

/// The same as a text.
pub fn cloudevent(journal: JournalId, offset: u64, record: &Record) -> String {
    let mut event = Vec::with_capacity(record.body.payload_len() + 512);
    write_cloudevent(journal, offset, record, &mut event);
    // What was written is JSON, and so is text.
    String::from_utf8(event).unwrap_or_default()
}

/// One JSON object: `cursor`, `offset`, `stream`, `record` (its kind), `received_at` and the fields
/// of its kind. The cursor is that of a reader who has read this record: to be given to `--after`.
/// The vendor's payload is JSON if it is JSON, else text, else base 16.
pub fn record_line(journal: JournalId, offset: u64, record: &Record) -> String {
    let occurred_at = occurred_at(&record.body);
    let line = Line {
        cursor: Cursor { journal, offset: offset + 1 }.to_string(),
        offset,
        received_at: wall(record.received_at),
        record: kind(&record.body),
        stream: record.stream.as_str(),
        fields: Fields::of(&record.body, occurred_at.as_deref()),
    };
    // Writing JSON into a buffer cannot fail.
    serde_json::to_string(&line).unwrap_or_default()
}

fn event_type(body: &Body) -> Cow<'static, str> {
    match body {
        Body::Change(_) => Cow::Borrowed("unbroken.change"),
        Body::SnapshotItem { .. } => Cow::Borrowed("unbroken.snapshot_item"),
        _ => Cow::Owned(format!("unbroken.{}", kind(body))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use unbroken_core::bookmark::Bookmark;
    use unbroken_core::ids::{ConnId, SnapshotId};
    use unbroken_core::position::{Epoch, Position};
    use unbroken_core::record::{
        Body, Change, Closer, ConnectionTurn, Effect, Origin, Quarantined, Record, Turn,
    };
    use unbroken_core::time::UnixMicros;

    use super::{cloudevent, record_line};
    use crate::fields::fields_text;
    use crate::{cloudevent_json, record_fields};

    const ID: &str = "0190000000007000800000000000abcd";

    fn change(payload: &[u8], key: &str, full: bool) -> Change {
        Change {
            key: key.into(),
            position: full.then_some(Position::new(Epoch(3), u64::MAX)),
            bookmark: full.then(|| Bookmark::new(b"a \"place\"").expect("short")),
            ordinal: 2,
            event_id: full.then(|| "id \"1\"".into()),
            kind: full.then(|| "kind".into()),
            deleted: !full,
            origin: if full { Origin::Replay } else { Origin::Live },
            effect: if full { Effect::State } else { Effect::History },
            occurred_at: full.then_some(UnixMicros(1_795_478_400_123_456)),
            digest: 0,
            payload: payload.to_vec().into(),
        }
    }

    fn quarantined(bytes: &[u8]) -> Body {
        Body::Quarantined(Quarantined {
            conn: Some(ConnId(4)),
            reason: "no key".into(),
            length: bytes.len() as u64,
            digest: 7,
            bytes: bytes.to_vec().into(),
        })
    }

    fn read(line: &str) -> Value {
        serde_json::from_str(line).expect("JSON")
    }

    #[test]
    fn numbers_are_as_the_vendor_wrote_them() {
        let number = "98765432109876543210.10";
        for payload in [
            format!("{{\"n\":{number}}}"),
            format!("{{\"n\":{number},\"text\":\"a \\\" and \\u00e9\"}}"),
            format!("{{\r\n  \"n\" : {number}\n}}"),
            "[".repeat(101) + number + &"]".repeat(101),
        ] {
            let change = change(payload.as_bytes(), "anna", true);
            for body in [quarantined(payload.as_bytes()), Body::Change(change)] {
                let record = Record { stream: "a".into(), received_at: UnixMicros(5), body };
                let id = ID.parse().expect("an id");
                let lines = [cloudevent(id, 7, &record), record_line(id, 7, &record)];
                for line in lines.into_iter().chain([fields_text(&record.body)]) {
                    assert!(line.contains(number) && !line.contains(['\r', '\n']), "{line}");
                }
            }
        }
    }

    /// Both ways tell the same of any record, and on one line.
    #[test]
    fn both_ways_tell_the_same() {
        let deep = "[".repeat(101) + &"]".repeat(101);
        let payloads: [&[u8]; 12] = [
            b"",
            br#"{"a":1,"b":[true,null,-1.5e3],"c":"\u00fc"}"#,
            b" {\"a\" : 1 } ",
            b"{\n \"a\": \"x\r\"\n}",
            br#"{"quote":"\"","u":"\u00e9\n"}"#,
            b"plain text",
            &[0xff, 0x01],
            b"18446744073709551615",
            b"{\"a\":1,}",
            b"\"text\"",
            deep.as_bytes(),
            br#"{"lone":"\ud800"}"#,
        ];
        for payload in payloads {
            for (key, full) in [("anna", true), ("", false), ("ü \" \n", true)] {
                let change = change(payload, key, full);
                let item = Body::SnapshotItem { snapshot: SnapshotId(7), change: change.clone() };
                let forgotten = Body::Forgotten { key: key.into() };
                for body in [Body::Change(change), item, quarantined(payload), forgotten] {
                    let stream = "a b/ü".into();
                    let record = Record { stream, received_at: UnixMicros(5), body };
                    let id = ID.parse().expect("an id");
                    let line = cloudevent(id, 7, &record);
                    assert!(!line.contains(['\n', '\r']));
                    assert_eq!(read(&line), cloudevent_json(id, 7, &record));
                    let fields = record_fields(&record.body);
                    assert_eq!(read(&fields_text(&record.body)), fields);
                    let line = read(&record_line(id, 7, &record));
                    let fields = fields.as_object().expect("an object");
                    assert!(fields.iter().all(|(name, value)| line[name] == *value), "{line}");
                }
            }
        }
    }

    #[test]
    fn a_record_names_its_cursor_and_kind() {
        let turn = ConnectionTurn {
            conn: ConnId(3),
            turn: Turn::Live,
            by: Closer::Us,
            why: "proved".into(),
        };
        let body = Body::Connection(turn);
        let record = Record { stream: "a/s".into(), received_at: UnixMicros(0), body };
        let expected = json!({
            "cursor": format!("{ID}:8"), "offset": 7, "stream": "a/s", "record": "connection",
            "received_at": "1970-01-01T00:00:00.000Z",
            "conn": 3, "turn": "live", "by": "us", "why": "proved",
        });
        assert_eq!(read(&record_line(ID.parse().expect("an id"), 7, &record)), expected);
    }
}
