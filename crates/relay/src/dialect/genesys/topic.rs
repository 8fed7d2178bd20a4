//! What an application can subscribe to, and which topics tell of an event.

use std::collections::BTreeMap;

use serde_json::Value;

/// Longest topic id that is taken, as the vendor's documentation has it.
const TOPIC_BYTES_MAX: usize = 200;

/// A kind of event, as the streams of the record have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Of an agent: keeps to the schedule or not.
    Adherence,
    /// Of an agent.
    Presence,
    /// Of an agent.
    RoutingStatus,
    /// Of an agent: presence, routing and queues together.
    Activity,
    /// A conversation, with all who take part.
    Conversations,
}

impl Kind {
    /// Of a stream of a source: `source/adherence`, and `source/adherence-2` where there are
    /// several.
    pub(crate) fn of_stream(stream: &str, source: &str) -> Option<Self> {
        let name = stream.strip_prefix(source)?.strip_prefix('/')?;
        let plain = name.rsplit_once('-').filter(|(_, at)| at.bytes().all(|b| b.is_ascii_digit()));
        Some(match plain.map_or(name, |(plain, _)| plain) {
            "adherence" => Self::Adherence,
            "presence" => Self::Presence,
            "routing_status" => Self::RoutingStatus,
            "activity" => Self::Activity,
            "conversations" => Self::Conversations,
            _ => return None,
        })
    }
}

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// `v2.users.{id}.…`
    User(String, Kind),
    /// `v2.workforcemanagement.managementunits.{id}.adherence`
    Unit(String),
    /// `v2.workforcemanagement.teams.{id}.adherence`
    Team(String),
    /// `v2.routing.queues.{id}.conversations`
    Queue(String),
}

impl Topic {
    /// Reads a topic's id; `None`: the record has nothing of that kind.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > TOPIC_BYTES_MAX {
            return None;
        }
        let rest = text.strip_prefix("v2.")?;
        if let Some(rest) = rest.strip_prefix("users.") {
            let (id, kind) = rest.split_once('.')?;
            let kind = match kind {
                "workforcemanagement.adherence" => Kind::Adherence,
                "presence" => Kind::Presence,
                "routingStatus" => Kind::RoutingStatus,
                "activity" => Kind::Activity,
                "conversations" => Kind::Conversations,
                _ => return None,
            };
            return Some(Self::User(own(id)?, kind));
        }
        if let Some(rest) = rest.strip_prefix("routing.queues.") {
            return Some(Self::Queue(own(rest.strip_suffix(".conversations")?)?));
        }
        let rest = rest.strip_prefix("workforcemanagement.")?.strip_suffix(".adherence")?;
        match rest.split_once('.')? {
            ("managementunits", id) => Some(Self::Unit(own(id)?)),
            ("teams", id) => Some(Self::Team(own(id)?)),
            _ => None,
        }
    }
}

fn own(id: &str) -> Option<String> {
    (!id.is_empty() && !id.contains('.')).then(|| id.to_owned())
}

/// Topics, each with the text by which it was asked for: several may mean the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topics(BTreeMap<Topic, String>);

impl Topics {
    /// Adds one.
    pub(crate) fn insert(&mut self, topic: Topic, text: String) {
        self.0.insert(topic, text);
    }

    /// Takes one away.
    pub(crate) fn remove(&mut self, topic: &Topic) {
        self.0.remove(topic);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Their texts, in order.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// Those that tell of an event: it is sent once for each.
    pub(crate) fn telling<'a>(&'a self, kind: Kind, key: &str, body: &Value) -> Vec<&'a str> {
        let mut wanted = Vec::new();
        match kind {
            Kind::Adherence => {
                wanted.push(Topic::User(key.to_owned(), kind));
                wanted.extend(id_at(body, "/managementUnitId").map(Topic::Unit));
                wanted.extend(id_at(body, "/team/id").map(Topic::Team));
            }
            Kind::Presence | Kind::RoutingStatus | Kind::Activity => {
                wanted.push(Topic::User(key.to_owned(), kind));
            }
            Kind::Conversations => {
                let participants = body.get("participants").and_then(Value::as_array);
                for participant in participants.into_iter().flatten() {
                    wanted.extend(id_at(participant, "/userId").map(|id| Topic::User(id, kind)));
                    wanted.extend(id_at(participant, "/queueId").map(Topic::Queue));
                }
                wanted.sort_unstable();
                wanted.dedup();
            }
        }
        wanted.iter().filter_map(|topic| self.0.get(topic)).map(String::as_str).collect()
    }
}

fn id_at(body: &Value, pointer: &str) -> Option<String> {
    body.pointer(pointer)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn topics(texts: &[&str]) -> Topics {
        let mut topics = Topics::default();
        for text in texts {
            topics.insert(Topic::parse(text).unwrap(), (*text).to_owned());
        }
        topics
    }

    #[test]
    fn every_topic_of_the_record_is_read_and_no_other() {
        let user = |kind| Some(Topic::User("u1".to_owned(), kind));
        for (text, topic) in [
            ("v2.users.u1.workforcemanagement.adherence", user(Kind::Adherence)),
            ("v2.users.u1.presence", user(Kind::Presence)),
            ("v2.users.u1.routingStatus", user(Kind::RoutingStatus)),
            ("v2.users.u1.activity", user(Kind::Activity)),
            ("v2.users.u1.conversations", user(Kind::Conversations)),
            ("v2.routing.queues.q.conversations", Some(Topic::Queue("q".to_owned()))),
            (
                "v2.workforcemanagement.managementunits.m.adherence",
                Some(Topic::Unit("m".to_owned())),
            ),
            ("v2.workforcemanagement.teams.t.adherence", Some(Topic::Team("t".to_owned()))),
            ("v2.users.u1.moods", None),
            ("v2.users..presence", None),
            ("v2.workforcemanagement.moods.t.adherence", None),
            ("v1.users.u1.presence", None),
            ("", None),
        ] {
            assert_eq!(Topic::parse(text), topic, "{text}");
        }
        assert_eq!(Topic::parse(&format!("v2.users.{}.presence", "x".repeat(200))), None);
    }

    #[test]
    fn a_stream_s_name_tells_its_kind() {
        let of = |stream| Kind::of_stream(stream, "gen");
        assert_eq!(of("gen/adherence"), Some(Kind::Adherence));
        assert_eq!(of("gen/routing_status-12"), Some(Kind::RoutingStatus));
        assert_eq!(of("gen/conversations"), Some(Kind::Conversations));
        for stream in ["gen/other", "other/adherence", "gen", "general/adherence", "gen/a-b"] {
            assert_eq!(of(stream), None, "{stream}");
        }
    }

    #[test]
    fn an_event_is_told_once_for_each_topic_that_is_subscribed_to() {
        let own = topics(&[
            "v2.users.u1.workforcemanagement.adherence",
            "v2.workforcemanagement.managementunits.m.adherence",
            "v2.users.u1.presence",
            "v2.users.u1.conversations",
            "v2.routing.queues.q.conversations",
        ]);
        let body = json!({ "managementUnitId": "m", "team": { "id": "t" } });
        assert_eq!(own.telling(Kind::Adherence, "u1", &body).len(), 2);
        assert_eq!(
            own.telling(Kind::Adherence, "u2", &body),
            ["v2.workforcemanagement.managementunits.m.adherence"]
        );
        assert_eq!(own.telling(Kind::Presence, "u1", &json!({})), ["v2.users.u1.presence"]);
        assert_eq!(own.telling(Kind::Activity, "u1", &json!({})), [] as [&str; 0]);
        let parties = json!({ "participants": [
            { "queueId": "q" }, { "userId": "u1", "queueId": "q" }, { "userId": "u2" },
        ]});
        assert_eq!(own.telling(Kind::Conversations, "c", &parties).len(), 2);
    }
}
