//! The events that are sent, and the message that carries them.

use bytes::{BufMut as _, Bytes, BytesMut};
use unbroken_core::ids::AppendId;
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Append, Body, Change, Effect, Origin, Record, digest};
use unbroken_core::time::UnixMicros;
use unbroken_journal::{Cursor, JournalId};
use unbroken_render::write_cloudevent;

/// Of each event's own JSON: about what the adherence stream sends.
const PAYLOAD_BYTES: usize = 300;

/// Keys of which there are events.
const AGENTS: u64 = 1_000;

/// So many events, beginning with this one, as one unit of the log.
pub(super) fn unit(first: u64, count: u64) -> Append {
    let records = (first..first + count).map(record).collect();
    Append { id: AppendId(first + 1), records, mark: None }
}

fn record(number: u64) -> Record {
    let state = if number.is_multiple_of(2) { "Available" } else { "InContact" };
    let mut payload = format!("{{\"number\":{number},\"state\":\"{state}\",\"note\":\"");
    while payload.len() < PAYLOAD_BYTES {
        payload.push('n');
    }
    payload.push_str("\"}");
    let payload = payload.into_bytes();
    let change = Change {
        key: format!("agent-{}", number % AGENTS).as_str().into(),
        position: Some(Position::new(Epoch(0), number + 1)),
        bookmark: None,
        ordinal: 0,
        event_id: None,
        kind: None,
        deleted: false,
        origin: Origin::Live,
        effect: Effect::State,
        occurred_at: Some(UnixMicros(1_000_000)),
        digest: digest(&payload),
        payload: payload.into(),
    };
    Record {
        stream: "bench/all".into(),
        received_at: UnixMicros(2_000_000),
        body: Body::Change(change),
    }
}

/// The message in which the relay sends a unit that begins at an offset.
pub(super) fn message(journal: JournalId, offset: u64, unit: &Append) -> Bytes {
    let end = Cursor { journal, offset: offset + unit.records.len() as u64 };
    let mut text = BytesMut::new();
    text.put_slice(format!("{{\"type\":\"events\",\"cursor\":\"{end}\",\"events\":[").as_bytes());
    let mut event = Vec::new();
    for (at, record) in (offset..).zip(&unit.records) {
        event.clear();
        write_cloudevent(journal, at, record, &mut event);
        if at > offset {
            text.put_u8(b',');
        }
        text.put_slice(&event);
    }
    text.put_slice(b"]}");
    text.freeze()
}

/// Below which offset a client has everything that has had this message; `None`: it is of another
/// type.
pub(super) fn end_of(message: &[u8]) -> Option<u64> {
    let head = std::str::from_utf8(message.get(..message.len().min(160))?).ok()?;
    let rest = head.strip_prefix("{\"type\":\"events\",\"cursor\":\"")?;
    let (cursor, _) = rest.split_once('"')?;
    cursor.rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use unbroken_journal::JournalId;

    use super::{end_of, message, unit};

    #[test]
    fn a_message_tells_how_far_it_goes() {
        let text = message(JournalId::from_bytes([7; 16]), 40, &unit(40, 3));
        assert_eq!(end_of(&text), Some(43));
        let json: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(json["events"].as_array().map(Vec::len), Some(3));
        assert_eq!(end_of(b"{\"type\":\"heartbeat\",\"cursor\":\"a:1\"}"), None);
    }
}
