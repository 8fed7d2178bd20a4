//! What is said on a socket, and the answers of REST, in the vendor's published shapes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use unbroken_core::record::{Origin, digest};

use super::shape;
use super::topic::{Kind, Topics};

/// An event or a value, as it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact<'a> {
    /// Where it stands in the log.
    pub(crate) offset: u64,
    /// Of what it tells.
    pub(crate) kind: Kind,
    /// The agent, or the conversation.
    pub(crate) key: &'a str,
    /// The body, as the vendor wrote it; empty if it is gone and the vendor said no more of it.
    pub(crate) payload: &'a [u8],
    /// How it came to us; `None`: it is told from state.
    pub(crate) origin: Option<Origin>,
}

impl Fact<'_> {
    /// Frames that tell it: one for each topic that does.
    pub(crate) fn frames(self, journal: &str, topics: &Topics) -> Vec<String> {
        let body = self.body();
        let telling = topics.telling(self.kind, self.key, &body);
        let cursor = format!("{journal}:{}", self.offset.saturating_add(1));
        let is_event = matches!(self.origin, Some(Origin::Live | Origin::Replay));
        let origin = if is_event { "event" } else { "state" };
        let frame = |(at, topic): (usize, &str)| {
            let id = format!("{journal}:{}:{at}", self.offset);
            let metadata = json!({
                "CorrelationId": trace(digest(id.as_bytes())),
                "unbroken": { "origin": origin, "cursor": cursor },
            });
            envelope(topic, &body, &metadata)
        };
        telling.into_iter().enumerate().map(frame).collect()
    }

    fn body(self) -> Value {
        let kept: Option<Map<String, Value>> = serde_json::from_slice(self.payload).ok();
        match (self.kind, kept) {
            (Kind::Adherence, Some(members)) => Value::Object(shape::notification(members)),
            (Kind::Adherence, None) => Value::Object(shape::gone(self.key)),
            (_, Some(members)) => Value::Object(members),
            (_, None) => json!({ "id": self.key }),
        }
    }
}

fn envelope(topic: &str, body: &Value, metadata: &Value) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Envelope<'a> {
        topic_name: &'a str,
        version: &'static str,
        event_body: &'a Value,
        metadata: &'a Value,
    }
    text(&Envelope { topic_name: topic, version: "2", event_body: body, metadata })
}

/// A trace id, in the form of a UUID.
fn trace(number: u128) -> String {
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// `channel.metadata`.
pub(crate) fn metadata(message: &str) -> String {
    format!("{{\"topicName\":\"channel.metadata\",\"eventBody\":{{\"message\":\"{message}\"}}}}")
}

/// The socket is about to be closed.
pub(crate) fn socket_closing() -> String {
    let body = json!({ "message": "Websocket closing soon. Please reconnect." });
    envelope("v2.system.socket_closing", &body, &json!({}))
}

/// What an application says on its socket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It wants to know whether somebody is there.
    Ping,
    /// These topics too; the second member comes back in the answer.
    Subscribe(Vec<String>, Option<String>),
    /// These topics not any more.
    Unsubscribe(Vec<String>, Option<String>),
    /// Not understood.
    Unknown,
}

/// Reads a message of an application.
pub(crate) fn decode(text: &[u8]) -> Said {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Message {
        message: String,
        #[serde(default)]
        topics: Vec<String>,
        correlation_id: Option<String>,
    }
    let Ok(said) = serde_json::from_slice::<Message>(text) else { return Said::Unknown };
    match said.message.as_str() {
        "ping" => Said::Ping,
        "subscribe" => Said::Subscribe(said.topics, said.correlation_id),
        "unsubscribe" => Said::Unsubscribe(said.topics, said.correlation_id),
        _ => Said::Unknown,
    }
}

/// The answer to `subscribe` or `unsubscribe` on the socket.
pub(crate) fn answered(result: u16, status: &str, correlation_id: Option<&str>) -> String {
    let mut answer = json!({ "result": result.to_string(), "status": status });
    if let Some(id) = correlation_id {
        answer["correlationId"] = Value::from(id);
    }
    answer.to_string()
}

/// The vendor's error body.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> String {
    json!({
        "message": message, "code": code, "status": status,
        "contextId": "00000000-0000-4000-a000-000000000000", "details": [], "errors": [],
    })
    .to_string()
}

/// `{"entities": […]}`.
pub(crate) fn listing(entities: Vec<Value>) -> String {
    json!({ "entities": entities }).to_string()
}

pub(super) fn text(value: &impl Serialize) -> String {
    // Texts, numbers and what was JSON before cannot fail to be written.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::topic::Topic;
    use super::*;

    const FACT: Fact<'_> = Fact {
        offset: 7,
        kind: Kind::Adherence,
        key: "u",
        payload: br#"{"user":{"id":"u"},"managementUnitId":"m"}"#,
        origin: Some(Origin::Live),
    };

    fn topics(texts: &[&str]) -> Topics {
        let mut topics = Topics::default();
        for text in texts {
            topics.insert(Topic::parse(text).unwrap(), (*text).to_owned());
        }
        topics
    }

    fn frames(fact: Fact<'_>, texts: &[&str]) -> Vec<Value> {
        let frames = fact.frames("j", &topics(texts));
        frames.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    const USER: &str = "v2.users.u.workforcemanagement.adherence";
    const UNIT: &str = "v2.workforcemanagement.managementunits.m.adherence";

    #[test]
    fn an_event_has_the_vendor_s_envelope() {
        let told = frames(FACT, &[USER, UNIT]);
        assert_eq!(told.len(), 2);
        assert_eq!((&told[0]["topicName"], &told[0]["version"]), (&json!(USER), &json!("2")));
        assert_eq!(told[0]["eventBody"], json!({"user": {"id": "u"}, "managementUnitId": "m"}));
        assert_eq!(told[0]["metadata"]["unbroken"], json!({ "origin": "event", "cursor": "j:8" }));
        let trace = |frame: &Value| frame["metadata"]["CorrelationId"].as_str().unwrap().to_owned();
        assert_eq!(trace(&told[0]).len(), 36);
        assert_ne!(trace(&told[0]), trace(&told[1]));
        assert_eq!(trace(&told[0]), trace(&frames(FACT, &[USER])[0]));
    }

    #[test]
    fn what_came_by_rest_is_told_as_a_notification() {
        let payload = br#"{"id":"u","user":{"id":"u"},"managementUnit":{"id":"m"}}"#;
        let told = frames(Fact { payload, origin: None, ..FACT }, &[UNIT]);
        assert_eq!(told[0]["eventBody"], json!({"user": {"id": "u"}, "managementUnitId": "m"}));
        assert_eq!(told[0]["metadata"]["unbroken"]["origin"], "state");
        let told = frames(Fact { payload: b"", ..FACT }, &[USER]);
        assert_eq!(told[0]["eventBody"]["removedFromManagementUnit"], true);
    }

    #[test]
    fn what_an_application_says_is_understood() {
        let subscribe = br#"{"message":"subscribe","topics":["t"],"correlationId":"c"}"#;
        let topics = vec!["t".to_owned()];
        assert_eq!(decode(subscribe), Said::Subscribe(topics, Some("c".to_owned())));
        assert_eq!(decode(br#"{"message":"unsubscribe"}"#), Said::Unsubscribe(Vec::new(), None));
        assert_eq!(decode(br#"{"message":"ping"}"#), Said::Ping);
        assert_eq!(decode(br#"{"message":"dance"}"#), Said::Unknown);
        assert_eq!(decode(b"{"), Said::Unknown);
    }

    #[test]
    fn answers_are_json() {
        let parsed = |text: String| -> Value { serde_json::from_str(&text).unwrap() };
        assert_eq!(parsed(metadata("pong"))["eventBody"]["message"], "pong");
        assert_eq!(parsed(socket_closing())["topicName"], "v2.system.socket_closing");
        let answer = parsed(answered(200, "subscribed", Some("c")));
        assert_eq!(answer, json!({"result": "200", "status": "subscribed", "correlationId": "c"}));
        assert_eq!(parsed(refusal(404, "not.found", "no"))["status"], 404);
        assert_eq!(parsed(listing(vec![json!(1)])), json!({ "entities": [1] }));
    }
}
