//! What is said on the stream, in the shapes of the vendor's that are reported.

use serde::Serialize;
use serde_json::value::RawValue;
use unbroken_core::position::Position;
use unbroken_core::record::Origin;
use unbroken_core::time::UnixMicros;

use crate::dialect::beginning::Why;
use crate::dialect::sequence::Numbers;
use crate::dialect::staging::Told;

/// A key's value, from a record or from state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact<'a> {
    /// Where it stands in the log.
    pub(crate) offset: u64,
    /// The agent.
    pub(crate) key: &'a str,
    /// The agent is gone.
    pub(crate) is_deleted: bool,
    /// The vendor's time of it, else ours.
    pub(crate) at: UnixMicros,
    /// The adherence object, as the vendor wrote it.
    pub(crate) payload: &'a [u8],
    /// How it came to us; `None`: it is told from state.
    pub(crate) origin: Option<Origin>,
    /// The vendor's own position of it.
    pub(crate) position: Option<Position>,
}

impl<'a> From<&'a Told> for Fact<'a> {
    fn from(told: &'a Told) -> Self {
        let change = &told.change;
        Self {
            offset: told.offset,
            key: change.key.as_str(),
            is_deleted: change.deleted,
            at: change.occurred_at.unwrap_or(told.received_at),
            payload: &change.payload,
            origin: Some(change.origin),
            position: change.position,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    r#type: &'static str,
    subscription_id: &'a str,
    epoch: &'a str,
    sequence_id: u64,
    resource: &'a str,
    timestamp: String,
    adherence: Adherence<'a>,
    unbroken: Provenance,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Adherence<'a> {
    Payload(&'a RawValue),
    #[serde(rename_all = "camelCase")]
    Gone {
        agent_id: &'a str,
    },
}

/// The one member that the vendor does not have: where an event comes from.
#[derive(Serialize)]
struct Provenance {
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
}

/// The word for an event that is no event of the vendor's: it tells what is current.
pub(crate) const STATE: &str = "state";

fn origin_word(origin: Option<Origin>) -> &'static str {
    match origin {
        Some(Origin::Live) => "live",
        Some(Origin::Replay) => "replay",
        Some(Origin::Backfill) => "backfill",
        Some(Origin::Snapshot | Origin::Synthetic) | None => STATE,
    }
}

/// What goes into each frame of a subscription.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The subscription.
    pub(crate) subscription: &'a str,
    /// The log.
    pub(crate) epoch: &'a str,
    /// Its numbers.
    pub(crate) numbers: Numbers,
    /// The resource that is subscribed to.
    pub(crate) resource: &'a str,
}

/// The adherence object of an agent. Of one whose payload is no JSON, or who is gone without a word
/// of the vendor's, there is the id alone.
pub(super) fn adherence<'a>(key: &'a str, payload: &'a [u8]) -> Adherence<'a> {
    match serde_json::from_slice::<&RawValue>(payload) {
        Ok(payload) => Adherence::Payload(payload),
        Err(_) => Adherence::Gone { agent_id: key },
    }
}

/// `event`, or `removed`.
pub(crate) fn event(subject: Subject<'_>, fact: Fact<'_>) -> String {
    text(&Event {
        r#type: if fact.is_deleted { "removed" } else { "event" },
        subscription_id: subject.subscription,
        epoch: subject.epoch,
        sequence_id: subject.numbers.of_offset(fact.offset),
        resource: subject.resource,
        timestamp: moment(fact.at),
        adherence: adherence(fact.key, fact.payload),
        unbroken: Provenance { origin: origin_word(fact.origin), position: fact.position },
    })
}

/// `subscribed`: with the number after which events begin, or why they begin with what is current.
pub(crate) fn subscribed(id: &str, epoch: &str, begins: Result<u64, Why>) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Subscribed<'a> {
        r#type: &'static str,
        subscription_id: &'a str,
        epoch: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        sequence_id: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        unbroken: Option<Answered>,
    }
    #[derive(Serialize)]
    struct Answered {
        origin: &'static str,
        reason: &'static str,
    }
    text(&Subscribed {
        r#type: "subscribed",
        subscription_id: id,
        epoch,
        sequence_id: begins.ok(),
        unbroken: begins.err().map(|why| Answered { origin: STATE, reason: why.word() }),
    })
}

/// `unsubscribed`.
pub(crate) fn unsubscribed(id: Option<&str>) -> String {
    match id {
        Some(id) => format!("{{\"type\":\"unsubscribed\",\"subscriptionId\":\"{id}\"}}"),
        None => error("not_subscribed"),
    }
}

/// `error`.
pub(crate) fn error(code: &str) -> String {
    format!("{{\"type\":\"error\",\"code\":\"{code}\"}}")
}

/// `pong`.
pub(crate) fn pong() -> String {
    "{\"type\":\"pong\"}".to_owned()
}

/// `heartbeat`: everything up to a number was sent, of a subscription.
pub(crate) fn heartbeat(number: Option<u64>) -> String {
    match number {
        Some(number) => format!("{{\"type\":\"heartbeat\",\"sequenceId\":{number}}}"),
        None => "{\"type\":\"heartbeat\"}".to_owned(),
    }
}

/// `closing`: this socket ends now, another one may be opened.
pub(crate) fn closing() -> String {
    "{\"type\":\"closing\",\"inSeconds\":0}".to_owned()
}

/// A moment as RFC 3339.
pub(super) fn moment(at: UnixMicros) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| String::new(), |at| at.to_string())
}

pub(super) fn text(value: &impl Serialize) -> String {
    // Texts, numbers and what was JSON before cannot fail to be written.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use unbroken_core::position::Epoch;

    use super::*;

    fn subject() -> Subject<'static> {
        let numbers = Numbers::of("j1");
        Subject { subscription: "sub-1", epoch: "j1", numbers, resource: "adherence" }
    }

    const FACT: Fact<'_> = Fact {
        offset: 7,
        key: "anna",
        is_deleted: false,
        at: UnixMicros(1_500_000),
        payload: br#"{"agentId":"anna", "state":"Busy"}"#,
        origin: Some(Origin::Live),
        position: Some(Position { epoch: Epoch(2), sequence: 99 }),
    };

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_event_has_the_vendor_s_shape_and_our_number() {
        let text = event(subject(), FACT);
        assert!(text.contains(r#""adherence":{"agentId":"anna", "state":"Busy"}"#), "{text}");
        assert_eq!(
            parsed(&text),
            json!({
                "type": "event", "subscriptionId": "sub-1", "epoch": "j1",
                "sequenceId": Numbers::of("j1").of_offset(7), "resource": "adherence",
                "timestamp": "1970-01-01T00:00:01.5Z",
                "adherence": { "agentId": "anna", "state": "Busy" },
                "unbroken": { "origin": "live", "position": { "epoch": 2, "sequence": 99 } },
            })
        );
    }

    #[test]
    fn what_is_current_has_the_shape_of_an_event() {
        let fact = Fact { origin: None, position: None, ..FACT };
        assert_eq!(parsed(&event(subject(), fact))["unbroken"], json!({ "origin": "state" }));
        let fact = Fact { is_deleted: true, payload: b"", ..FACT };
        let gone = parsed(&event(subject(), fact));
        assert_eq!(
            (&gone["type"], &gone["adherence"]),
            (&json!("removed"), &json!({"agentId": "anna"}))
        );
        let fact = Fact { payload: b"\xff no json", ..FACT };
        assert_eq!(parsed(&event(subject(), fact))["adherence"], json!({ "agentId": "anna" }));
    }

    #[test]
    fn a_confirmation_names_the_number_or_says_why_not() {
        assert_eq!(
            parsed(&subscribed("s", "j", Ok(8))),
            json!({"type": "subscribed", "subscriptionId": "s", "epoch": "j",
                "sequenceId": 8})
        );
        assert_eq!(
            parsed(&subscribed("s", "j", Err(Why::Expired))),
            json!({"type": "subscribed", "subscriptionId": "s", "epoch": "j",
                "unbroken": {"origin": "state", "reason": "stale_sequence"}})
        );
    }

    #[test]
    fn the_others_are_json_of_their_type() {
        for (text, kind) in [
            (unsubscribed(Some("s")), "unsubscribed"),
            (unsubscribed(None), "error"),
            (error("bad_request"), "error"),
            (pong(), "pong"),
            (heartbeat(Some(1)), "heartbeat"),
            (heartbeat(None), "heartbeat"),
            (closing(), "closing"),
        ] {
            assert_eq!(parsed(&text)["type"], kind);
        }
        assert_eq!(parsed(&heartbeat(Some(1)))["sequenceId"], 1);
    }
}
