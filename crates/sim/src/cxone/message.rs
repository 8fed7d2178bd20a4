//! The messages of the stream, as the rules have them.

use std::collections::HashSet;
use std::fmt::Write;

use bytes::{BufMut, BytesMut};
use serde::Deserialize;

use crate::server::websocket::{Opcode, put_header};
use crate::world::Event;

/// What a client says on the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ClientMessage {
    Subscribe(Subscribe),
    Unsubscribe,
    Ping,
    /// Not understood; the code for the answer.
    Refused(&'static str),
}

/// A wish to be served.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Subscribe {
    pub(crate) sequence: Option<u64>,
    pub(crate) epoch: Option<String>,
    pub(crate) agents: Option<HashSet<String>>,
}

#[derive(Deserialize)]
struct Envelope {
    action: String,
    resource: Option<String>,
    #[serde(default)]
    payload: Payload,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    sequence_id: Option<SequenceId>,
    epoch: Option<String>,
    resources: Option<Vec<String>>,
    agent_ids: Option<HashSet<String>>,
}

/// Clients send the number as a number or as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum SequenceId {
    Number(u64),
    Text(String),
}

/// Reads a client's message.
pub(crate) fn decode(text: &[u8]) -> ClientMessage {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(text) else {
        return ClientMessage::Refused("bad_request");
    };
    match envelope.action.as_str() {
        "subscribe" => decode_subscribe(envelope),
        "unsubscribe" => ClientMessage::Unsubscribe,
        "ping" => ClientMessage::Ping,
        _ => ClientMessage::Refused("unknown_action"),
    }
}

fn decode_subscribe(envelope: Envelope) -> ClientMessage {
    let Envelope { resource, payload, .. } = envelope;
    let named = resource.iter().chain(payload.resources.iter().flatten());
    if named.into_iter().any(|name| name != "adherence") {
        return ClientMessage::Refused("unknown_resource");
    }
    let sequence = match payload.sequence_id {
        Some(SequenceId::Number(number)) => Some(number),
        Some(SequenceId::Text(text)) => match text.parse() {
            Ok(number) => Some(number),
            Err(_) => return ClientMessage::Refused("bad_request"),
        },
        None => None,
    };
    ClientMessage::Subscribe(Subscribe {
        sequence,
        epoch: payload.epoch,
        agents: payload.agent_ids,
    })
}

/// What is said of a position, `None` on a vendor without numbering.
pub(crate) type Place<'a> = Option<(&'a str, Option<u64>)>;

/// `subscribed`, with the epoch, and the position if it is to be named.
pub(crate) fn subscribed(id: &str, place: Place<'_>) -> String {
    let mut text = format!("{{\"type\":\"subscribed\",\"subscriptionId\":\"{id}\"");
    if let Some((epoch, sequence)) = place {
        let _ = write!(text, ",\"epoch\":\"{epoch}\"");
        if let Some(sequence) = sequence {
            let _ = write!(text, ",\"sequenceId\":{sequence}");
        }
    }
    text.push('}');
    text
}

/// `unsubscribed`.
pub(crate) fn unsubscribed(id: Option<&str>) -> String {
    match id {
        Some(id) => format!("{{\"type\":\"unsubscribed\",\"subscriptionId\":\"{id}\"}}"),
        None => error("not_subscribed", None),
    }
}

/// `error`.
pub(crate) fn error(code: &str, floor: Option<u64>) -> String {
    match floor {
        Some(floor) => format!("{{\"type\":\"error\",\"code\":\"{code}\",\"floor\":{floor}}}"),
        None => format!("{{\"type\":\"error\",\"code\":\"{code}\"}}"),
    }
}

/// `heartbeat`.
pub(crate) fn heartbeat(sequence: Option<u64>) -> String {
    match sequence {
        Some(sequence) => format!("{{\"type\":\"heartbeat\",\"sequenceId\":{sequence}}}"),
        None => "{\"type\":\"heartbeat\"}".to_owned(),
    }
}

/// `closing`.
pub(crate) fn closing(notice_ms: u64) -> String {
    format!("{{\"type\":\"closing\",\"inSeconds\":{}}}", notice_ms as f64 / 1_000.0)
}

fn event_parts<'a>(subscription: &'a str, event: &'a Event) -> [&'a [u8]; 6] {
    let (kind, tail) = event.frame_parts();
    [
        b"{\"type\":\"",
        kind.as_bytes(),
        b"\",\"subscriptionId\":\"",
        subscription.as_bytes(),
        b"\",",
        tail,
    ]
}

/// An event's text for one subscription.
pub(crate) fn event_text(subscription: &str, event: &Event) -> Vec<u8> {
    event_parts(subscription, event).concat()
}

/// Writes an event's frame for one subscription: the only part that differs between subscribers
/// stands first.
pub(crate) fn put_event(subscription: &str, event: &Event, out: &mut BytesMut) {
    let parts = event_parts(subscription, event);
    put_header(Opcode::Text, parts.iter().map(|part| part.len()).sum(), out);
    for part in parts {
        out.put_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscribe(text: &str) -> Subscribe {
        match decode(text.as_bytes()) {
            ClientMessage::Subscribe(subscribe) => subscribe,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_reported_shapes_are_understood() {
        let full = subscribe(
            r#"{"action":"subscribe","resource":"adherence","payload":{"sequenceId":7,
                "resources":["adherence"],"agentIds":["a","b"]}}"#,
        );
        assert_eq!((full.sequence, full.agents.unwrap().len()), (Some(7), 2));
        let short = subscribe(
            r#"{"action":"subscribe","payload":{"sequenceId":"7","resources":["adherence"]}}"#,
        );
        assert_eq!((short.sequence, short.agents), (Some(7), None));
        let bare =
            subscribe(r#"{"action":"subscribe","resource":"adherence","payload":{"agentIds":[]}}"#);
        assert_eq!((bare.sequence, bare.agents.unwrap().len()), (None, 0));
        assert_eq!(subscribe(r#"{"action":"subscribe"}"#), Subscribe::default());
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let refused = |text: &str| match decode(text.as_bytes()) {
            ClientMessage::Refused(code) => code,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused("{"), "bad_request");
        assert_eq!(refused(r#"{"action":"dance"}"#), "unknown_action");
        assert_eq!(refused(r#"{"action":"subscribe","resource":"queues"}"#), "unknown_resource");
        assert_eq!(
            refused(r#"{"action":"subscribe","payload":{"sequenceId":"x"}}"#),
            "bad_request"
        );
    }
}
