//! What a client says on the stream, in every shape that is reported.

use std::collections::BTreeSet;

use serde::Deserialize;
use unbroken_core::record::digest;

/// A message of a client's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// It wants to be served.
    Subscribe(Wish),
    /// It does not want to be served any more.
    Unsubscribe,
    /// It wants to know whether somebody is there.
    Ping,
    /// It was not understood; the code of the answer.
    Refused(&'static str),
}

/// How a client wants to be served.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// After this number.
    pub(crate) sequence: Option<u64>,
    /// The numbering that the client believes to be in.
    pub(crate) epoch: Option<String>,
    /// These agents only.
    pub(crate) agents: Option<BTreeSet<String>>,
}

impl Wish {
    /// Whether it is about an agent.
    pub(crate) fn covers(&self, agent: &str) -> bool {
        self.agents.as_ref().is_none_or(|agents| agents.contains(agent))
    }

    /// What it is about, as a number: wishes for the same agents have the same.
    pub(crate) fn scope(&self) -> u128 {
        let Some(agents) = &self.agents else { return 0 };
        let lines: Vec<String> = agents.iter().map(|agent| format!("{agent}\n")).collect();
        digest(lines.concat().as_bytes())
    }
}

#[derive(Deserialize)]
struct Envelope {
    action: String,
    #[serde(default)]
    resource: Option<String>,
    #[serde(default)]
    payload: Option<Payload>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Payload {
    sequence_id: Option<SequenceId>,
    epoch: Option<String>,
    resources: Option<Vec<String>>,
    agent_ids: Option<BTreeSet<AgentId>>,
}

/// Clients send it as a number or as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum SequenceId {
    Number(u64),
    Text(String),
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(untagged)]
enum AgentId {
    Number(u64),
    Text(String),
}

/// Reads a message. `resource` is the one that there is.
pub(crate) fn decode(text: &[u8], resource: &str) -> Message {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(text) else {
        return Message::Refused("bad_request");
    };
    match envelope.action.as_str() {
        "subscribe" => decode_subscribe(envelope, resource),
        "unsubscribe" => Message::Unsubscribe,
        "ping" => Message::Ping,
        _ => Message::Refused("unknown_action"),
    }
}

fn decode_subscribe(envelope: Envelope, resource: &str) -> Message {
    let payload = envelope.payload.unwrap_or_default();
    let named = envelope.resource.iter().chain(payload.resources.iter().flatten());
    if named.into_iter().any(|name| name != resource) {
        return Message::Refused("unknown_resource");
    }
    let sequence = match payload.sequence_id {
        Some(SequenceId::Number(number)) => Some(number),
        Some(SequenceId::Text(text)) => match text.parse() {
            Ok(number) => Some(number),
            Err(_) => return Message::Refused("bad_request"),
        },
        None => None,
    };
    let text = |agent: AgentId| match agent {
        AgentId::Number(number) => number.to_string(),
        AgentId::Text(text) => text,
    };
    let agents = payload.agent_ids.map(|agents| agents.into_iter().map(text).collect());
    Message::Subscribe(Wish { sequence, epoch: payload.epoch, agents })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(text: &str) -> Wish {
        match decode(text.as_bytes(), "adherence") {
            Message::Subscribe(wish) => wish,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn agents(names: &[&str]) -> Option<BTreeSet<String>> {
        Some(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn every_reported_shape_is_understood() {
        let full = r#"{"action":"subscribe","resource":"adherence","payload":{"sequenceId":7,
            "resources":["adherence"],"agentIds":["a","b"]}}"#;
        let expected = Wish { sequence: Some(7), epoch: None, agents: agents(&["a", "b"]) };
        assert_eq!(wish(full), expected);
        let agents_only =
            r#"{"action":"subscribe","resource":"adherence","payload":{"agentIds":["a"]}}"#;
        assert_eq!(wish(agents_only), Wish { agents: agents(&["a"]), ..Wish::default() });
        let resources = r#"{"action":"subscribe","payload":{"sequenceId":7,
            "resources":["adherence"]}}"#;
        assert_eq!(wish(resources), Wish { sequence: Some(7), ..Wish::default() });
        for bare in [
            r#"{"action":"subscribe"}"#,
            r#"{"action":"subscribe","resource":"adherence"}"#,
            r#"{"action":"subscribe","payload":{}}"#,
            r#"{"action":"subscribe","payload":null}"#,
            r#"{"action":"subscribe","payload":{"resources":["adherence"],"sequenceId":null}}"#,
        ] {
            assert_eq!(wish(bare), Wish::default(), "{bare}");
        }
    }

    #[test]
    fn wishes_for_the_same_agents_have_the_same_scope() {
        let scope = |ids: &str| {
            let text = format!(r#"{{"action":"subscribe","payload":{{"agentIds":{ids}}}}}"#);
            wish(&text).scope()
        };
        assert_eq!(scope(r#"["a","b"]"#), scope(r#"["b","a","b"]"#));
        for (one, other) in
            [(r#"["a"]"#, r#"["b"]"#), ("[]", "null"), (r#"["ab"]"#, r#"["a","b"]"#)]
        {
            assert_ne!(scope(one), scope(other), "{one} {other}");
        }
    }

    #[test]
    fn numbers_come_as_numbers_and_as_texts() {
        let text = r#"{"action":"subscribe","payload":{"sequenceId":"4503599627370497"}}"#;
        assert_eq!(wish(text).sequence, Some((1 << 52) + 1));
        let ids = r#"{"action":"subscribe","payload":{"agentIds":[17,"18"]}}"#;
        assert_eq!(wish(ids).agents, agents(&["17", "18"]));
        let epoch = r#"{"action":"subscribe","payload":{"epoch":"e","sequenceId":1}}"#;
        assert_eq!(wish(epoch).epoch.as_deref(), Some("e"));
        let nobody = r#"{"action":"subscribe","payload":{"agentIds":[]}}"#;
        assert_eq!(wish(nobody).agents, agents(&[]));
    }

    #[test]
    fn the_others_are_understood() {
        for (text, message) in [
            (r#"{"action":"unsubscribe"}"#, Message::Unsubscribe),
            (
                r#"{"action":"unsubscribe","resource":"adherence","payload":{"subscriptionId":1}}"#,
                Message::Unsubscribe,
            ),
            (r#"{"action":"ping"}"#, Message::Ping),
        ] {
            assert_eq!(decode(text.as_bytes(), "adherence"), message);
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (text, code) in [
            ("{", "bad_request"),
            ("[]", "bad_request"),
            (r#"{"action":"dance"}"#, "unknown_action"),
            (r#"{"action":"subscribe","resource":"queues"}"#, "unknown_resource"),
            (r#"{"action":"subscribe","payload":{"resources":["x"]}}"#, "unknown_resource"),
            (r#"{"action":"subscribe","payload":{"sequenceId":"x"}}"#, "bad_request"),
            (r#"{"action":"subscribe","payload":{"sequenceId":-1}}"#, "bad_request"),
            (r#"{"action":"subscribe","payload":{"sequenceId":1.5}}"#, "bad_request"),
        ] {
            assert_eq!(decode(text.as_bytes(), "adherence"), Message::Refused(code), "{text}");
        }
    }
}
