//! The same CloudEvent as [`super::cloudevent_json`] makes, written at once. What every client of a
//! busy service is sent goes this way: the vendor's JSON is checked and taken over as it is, and
//! no tree of it is built.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use unbroken_core::record::{Body, Change, Record};
use unbroken_journal::{Cursor, JournalId};

use crate::clock::wall;
use crate::cloudevent::{cloudevent_json, reference};
use crate::record::payload_json;
use crate::words;

/// Brackets and braces in a payload that is taken over: deeper ones go the long way, which has a
/// bound.
const OPENINGS_MAX: usize = 100;

#[derive(Serialize)]
struct Event<'a> {
    cursor: String,
    data: Data<'a>,
    datacontenttype: &'static str,
    id: String,
    source: String,
    specversion: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    time: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bookmark: Option<Cow<'a, str>>,
    deleted: bool,
    effect: &'static str,
    event_id: Option<&'a str>,
    key: &'a str,
    kind: Option<&'a str>,
    occurred_at: Option<&'a str>,
    ordinal: u16,
    origin: &'static str,
    payload: Payload<'a>,
    position: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<u64>,
}

#[derive(Serialize)]
struct Place {
    epoch: u32,
    sequence: u64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Payload<'a> {
    AsItIs(&'a RawValue),
    OfItsOwn(Box<RawValue>),
    Told(Value),
}

/// Writes a record as a CloudEvent, without a line's end in it.
pub fn write_cloudevent(journal: JournalId, offset: u64, record: &Record, out: &mut Vec<u8>) {
    let (change, snapshot, kind) = match &record.body {
        Body::Change(change) => (change, None, "unbroken.change"),
        Body::SnapshotItem { snapshot, change } => {
            (change, Some(snapshot.0), "unbroken.snapshot_item")
        }
        _ => {
            // Writing JSON into a buffer cannot fail.
            let _ = serde_json::to_writer(out, &cloudevent_json(journal, offset, record));
            return;
        }
    };
    let cursor = |offset| Cursor { journal, offset }.to_string();
    let occurred_at = change.occurred_at.map(wall);
    let received_at = if occurred_at.is_none() { wall(record.received_at) } else { String::new() };
    let event = Event {
        cursor: cursor(offset + 1),
        data: data(change, snapshot, occurred_at.as_deref()),
        datacontenttype: "application/json",
        id: cursor(offset),
        source: reference(record.stream.as_str()),
        specversion: "1.0",
        subject: change.key.as_str(),
        time: occurred_at.as_deref().unwrap_or(&received_at),
        kind,
    };
    let _ = serde_json::to_writer(out, &event);
}

fn data<'a>(change: &'a Change, snapshot: Option<u64>, occurred_at: Option<&'a str>) -> Data<'a> {
    let bookmark = change.bookmark.as_ref();
    Data {
        bookmark: bookmark.map(|bookmark| String::from_utf8_lossy(bookmark.as_bytes())),
        deleted: change.deleted,
        effect: words::effect(change.effect),
        event_id: change.event_id.as_ref().map(|id| id.as_str()),
        key: change.key.as_str(),
        kind: change.kind.as_ref().map(|kind| kind.as_str()),
        occurred_at,
        ordinal: change.ordinal,
        origin: words::origin(change.origin),
        payload: payload(&change.payload),
        position: change.position.map(|p| Place { epoch: p.epoch.0, sequence: p.sequence }),
        snapshot,
    }
}

/// As it is, if it is plain JSON: escapes, line ends and depth go the long way.
fn payload(bytes: &[u8]) -> Payload<'_> {
    let mut openings = 0;
    let is_plain = bytes.iter().all(|byte| {
        openings += usize::from(matches!(byte, b'{' | b'['));
        !matches!(byte, b'\n' | b'\r' | b'\\')
    });
    let raw = (is_plain && openings <= OPENINGS_MAX).then(|| serde_json::from_slice(bytes).ok());
    raw.flatten().map_or_else(|| the_long_way(bytes), Payload::AsItIs)
}

/// What is JSON is taken over all the same, with its numbers as they are. Half a character
/// (`\ud800`) and what is too deep are none for most readers.
fn the_long_way(bytes: &[u8]) -> Payload<'_> {
    let told = payload_json(bytes);
    if matches!(told, Value::String(_)) {
        return Payload::Told(told);
    }
    // Between values alone: within a text a line's end is no JSON.
    let line: Vec<u8> =
        bytes.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
    serde_json::from_slice(&line).map_or(Payload::Told(told), Payload::OfItsOwn)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use unbroken_core::bookmark::Bookmark;
    use unbroken_core::ids::SnapshotId;
    use unbroken_core::position::{Epoch, Position};
    use unbroken_core::record::{Body, Change, Effect, Origin, Record};
    use unbroken_core::time::UnixMicros;

    use super::write_cloudevent;
    use crate::cloudevent_json;

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

    #[test]
    fn numbers_are_as_the_vendor_wrote_them() {
        let number = "98765432109876543210.10";
        for payload in [
            format!("{{\"n\":{number}}}"),
            format!("{{\"n\":{number},\"text\":\"a \\\" and \\u00e9\"}}"),
            format!("{{\r\n  \"n\" : {number}\n}}"),
            "[".repeat(101) + number + &"]".repeat(101),
        ] {
            let body = Body::Change(change(payload.as_bytes(), "anna", true));
            let record = Record { stream: "a".into(), received_at: UnixMicros(5), body };
            let mut line = Vec::new();
            write_cloudevent(ID.parse().expect("an id"), 7, &record, &mut line);
            let line = String::from_utf8(line).expect("text");
            assert!(line.contains(number) && !line.contains(['\r', '\n']), "{line}");
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
                for body in [Body::Change(change), item, Body::Forgotten { key: key.into() }] {
                    let stream = "a b/ü".into();
                    let record = Record { stream, received_at: UnixMicros(5), body };
                    let mut line = Vec::new();
                    write_cloudevent(ID.parse().expect("an id"), 7, &record, &mut line);
                    assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
                    let told: Value = serde_json::from_slice(&line).expect("JSON");
                    assert_eq!(told, cloudevent_json(ID.parse().expect("an id"), 7, &record));
                }
            }
        }
    }
}
