//! A record as a CloudEvent, version 1.0 of the JSON event format
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>).

use serde_json::{Map, Value, json};
use unbroken_core::ids::StreamId;
use unbroken_core::record::{Body, GapOpened, Record};
use unbroken_journal::{Cursor, JournalId};

use crate::clock::wall;
use crate::record::{kind, record_fields};

/// The same as [`super::write_cloudevent`] writes, as a tree for programs within, with what
/// [`record_fields`] says of numbers.
pub fn cloudevent_json(journal: JournalId, offset: u64, record: &Record) -> Value {
    let cursor = |offset| Cursor { journal, offset }.to_string();
    let data = record_fields(&record.body);
    let (subject, occurred_at) = match &record.body {
        Body::Change(change) | Body::SnapshotItem { change, .. } => {
            (Some(change.key.as_str()), change.occurred_at)
        }
        Body::Forgotten { key } => (Some(key.as_str()), None),
        _ => (None, None),
    };
    let mut event = Map::new();
    let mut put = |name: &str, value: Value| event.insert(name.to_owned(), value);
    put("specversion", json!("1.0"));
    put("id", json!(cursor(offset)));
    put("source", json!(reference(record.stream.as_str())));
    put("type", json!(format!("unbroken.{}", kind(&record.body))));
    // An empty subject is none: the specification asks for a non-empty text.
    if let Some(subject) = subject.filter(|subject| !subject.is_empty()) {
        put("subject", json!(subject));
    }
    put("time", json!(wall(occurred_at.unwrap_or(record.received_at))));
    put("datacontenttype", json!("application/json"));
    put("cursor", json!(cursor(offset + 1)));
    put("data", data);
    Value::Object(event)
}

/// What a reader never had, since retention had deleted it before: the records from an offset up
/// to, and without, another one.
pub fn lapse_cloudevent(journal: JournalId, from_offset: u64, to_offset: u64) -> Value {
    let from = Cursor { journal, offset: from_offset };
    json!({
        "specversion": "1.0", "id": format!("{from}:lapse:{to_offset}"), "source": "/",
        "type": "unbroken.lapse", "datacontenttype": "application/json",
        "cursor": Cursor { journal, offset: to_offset }.to_string(),
        "data": { "from_offset": from_offset, "to_offset": to_offset },
    })
}

/// A row of the ledger that was open when a reader began, at an offset, with state.
pub fn open_gap_cloudevent(
    journal: JournalId,
    offset: u64,
    stream: &StreamId,
    gap: &GapOpened,
) -> Value {
    let cursor = Cursor { journal, offset }.to_string();
    json!({
        "specversion": "1.0", "id": format!("{cursor}:gap:{}", gap.gap),
        "source": reference(stream.as_str()), "type": "unbroken.gap_opened",
        "time": wall(gap.wall_from), "datacontenttype": "application/json", "cursor": cursor,
        "data": record_fields(&Body::GapOpened(gap.clone())),
    })
}

/// A stream's name as a URI reference (RFC 3986, 4.1): a path, with everything else encoded. It
/// begins with a slash, so that no colon in it is taken for the end of a scheme.
pub(crate) fn reference(stream: &str) -> String {
    let mut text = String::from("/");
    for byte in stream.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use unbroken_core::record::{Body, Record};
    use unbroken_core::time::UnixMicros;

    use super::{cloudevent_json, reference};

    const ID: &str = "0190000000007000800000000000abcd";

    #[test]
    fn a_record_has_every_attribute_that_the_specification_asks_for() {
        let body = Body::Forgotten { key: "anna".into() };
        let record = Record { stream: "a/s".into(), received_at: UnixMicros(0), body };
        let expected = json!({
            "specversion": "1.0", "id": format!("{ID}:7"), "source": "/a/s",
            "type": "unbroken.forgotten", "subject": "anna", "time": "1970-01-01T00:00:00.000Z",
            "datacontenttype": "application/json", "cursor": format!("{ID}:8"),
            "data": { "key": "anna" },
        });
        assert_eq!(cloudevent_json(ID.parse().expect("an id"), 7, &record), expected);
        let body = Body::Forgotten { key: "".into() };
        let record = Record { body, ..record };
        let event = cloudevent_json(ID.parse().expect("an id"), 7, &record);
        assert_eq!(event.get("subject"), None);
    }

    #[test]
    fn a_stream_s_name_is_a_path_whatever_it_holds() {
        assert_eq!(reference("cx/adherence"), "/cx/adherence");
        assert_eq!(reference("a:b c/ü?#"), "/a%3Ab%20c/%C3%BC%3F%23");
    }
}
