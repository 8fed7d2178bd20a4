//! One line of a client's stdout.

use serde_json::Value;

use super::Kind;
use crate::verdict::Outcome;

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// An event was accepted.
    Event(Event),
    /// This is what the client holds of a key (`None`: it is gone), and whether it says itself that
    /// it may be old.
    State { key: String, value: Option<Value>, is_stale: bool },
    /// Whether what it holds is current.
    Live(bool),
    /// A hole it knows of.
    Gap(Gap),
}

/// A line that was understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) said: Said,
    /// Which of the client's feeds it is about.
    pub(super) stream: String,
    pub(super) cursor: Option<String>,
}

/// The vendor's event object, as the client has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) key: String,
    pub(super) epoch: Option<String>,
    pub(super) sequence: Option<u64>,
    pub(super) is_removal: bool,
    pub(super) object: Value,
}

/// A row of the client's ledger.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gap {
    pub(super) id: String,
    pub(super) outcome: Outcome,
    pub(super) from_us: i64,
    pub(super) to_us: Option<i64>,
    pub(super) after: Option<(Option<String>, u64)>,
    pub(super) through: Option<(Option<String>, u64)>,
    pub(super) cause: String,
}

/// Reads a line. The error says what is wrong with it.
pub(super) fn read(kind: Kind, text: &str) -> Result<Line, String> {
    let value: Value = serde_json::from_str(text).map_err(|_| "not one JSON object".to_owned())?;
    let said = if let Some(event) = value.get("event") {
        Said::Event(event_of(kind, event)?)
    } else if let Some(state) = value.get("state") {
        state_of(kind, state)?
    } else if let Some(live) = value.get("live") {
        Said::Live(live.as_bool().ok_or("`live` is neither true nor false")?)
    } else if let Some(gap) = value.get("gap") {
        Said::Gap(gap_of(gap)?)
    } else {
        return Err("none of `event`, `state`, `live`, `gap`".to_owned());
    };
    Ok(Line {
        said,
        stream: value.get("stream").and_then(Value::as_str).unwrap_or_default().to_owned(),
        cursor: value.get("cursor").and_then(word),
    })
}

/// A text, or a number as it is written.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn text_at(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn event_of(kind: Kind, object: &Value) -> Result<Event, String> {
    match kind {
        Kind::Cxone => Ok(Event {
            key: text_at(object, "/adherence/agentId")
                .ok_or("an event without `adherence.agentId`")?,
            epoch: text_at(object, "/epoch"),
            sequence: object.get("sequenceId").and_then(Value::as_u64),
            is_removal: object.get("type").is_some_and(|kind| kind == "removed"),
            object: object.clone(),
        }),
        Kind::Genesys => {
            let topic = object.get("topicName").and_then(Value::as_str);
            let body = object.get("eventBody").ok_or("an event without `eventBody`")?;
            let topic = topic.ok_or("an event without `topicName`")?;
            let gone = body.get("removedFromManagementUnit");
            Ok(Event {
                key: key_of_topic(topic, body).ok_or("an event of a topic that there is not")?,
                epoch: None,
                sequence: None,
                is_removal: gone.is_some_and(|gone| gone == true) || is_over(body),
                object: object.clone(),
            })
        }
    }
}

/// Whether it is a conversation in which nobody takes part any more.
fn is_over(body: &Value) -> bool {
    let all = body.get("participants").and_then(Value::as_array);
    all.is_some_and(|all| all.iter().all(|one| one.get("endTime").is_some_and(Value::is_string)))
}

/// What the ledger calls the subject of an event.
fn key_of_topic(topic: &str, body: &Value) -> Option<String> {
    if topic.starts_with("v2.workforcemanagement.") {
        return Some(format!("adherence/{}", text_at(body, "/user/id")?));
    }
    if topic.starts_with("v2.routing.queues.") {
        return Some(format!("conversation/{}", text_at(body, "/id")?));
    }
    let (user, kind) = topic.strip_prefix("v2.users.")?.split_once('.')?;
    match kind {
        "workforcemanagement.adherence" => Some(format!("adherence/{user}")),
        "presence" => Some(format!("presence/{user}")),
        "routingStatus" => Some(format!("routing/{user}")),
        "activity" => Some(format!("activity/{user}")),
        "conversations" => Some(format!("conversation/{}", text_at(body, "/id")?)),
        _ => None,
    }
}

fn state_of(kind: Kind, state: &Value) -> Result<Said, String> {
    let key = text_at(state, "/key").ok_or("a state without `key`")?;
    let key = match kind {
        Kind::Genesys if !key.contains('/') => format!("adherence/{key}"),
        Kind::Genesys | Kind::Cxone => key,
    };
    match state.get("value") {
        None => Err("a state without `value`".to_owned()),
        Some(value) => Ok(Said::State {
            key,
            // Who keeps a conversation that is over as it ended says as well that it is.
            value: Some(value.clone()).filter(|value| {
                !value.is_null() && !is_over(value.get("eventBody").unwrap_or(value))
            }),
            is_stale: state.get("stale").is_some_and(|stale| stale == true),
        }),
    }
}

fn gap_of(gap: &Value) -> Result<Gap, String> {
    let outcome = match gap.get("outcome").and_then(Value::as_str) {
        Some("open") => Outcome::Open,
        Some("repaired") => Outcome::Repaired,
        Some("summarised") => Outcome::Summarised,
        Some("unproven") => Outcome::Unproven,
        Some("unrecoverable") => Outcome::Unrecoverable,
        Some("drift") => Outcome::Drift,
        _ => return Err("a gap with an `outcome` that there is not".to_owned()),
    };
    // The whole of the last millisecond: most clocks of clients cut off what is behind it.
    let to_us = moment(gap.get("to")).map(|to_us| to_us.div_euclid(1_000) * 1_000 + 999);
    if to_us.is_none() && outcome != Outcome::Open {
        return Err("a gap that is over and has no `to`".to_owned());
    }
    let epoch = text_at(gap, "/epoch");
    Ok(Gap {
        id: gap.get("id").and_then(word).ok_or("a gap without `id`")?,
        outcome,
        from_us: moment(gap.get("from")).ok_or("a gap without `from`")?,
        to_us: to_us.filter(|_| outcome != Outcome::Open),
        after: place(gap.get("after"), epoch.as_ref()),
        through: place(gap.get("through"), epoch.as_ref()),
        cause: text_at(gap, "/cause").unwrap_or_default(),
    })
}

/// Milliseconds since 1970, as microseconds.
fn moment(value: Option<&Value>) -> Option<i64> {
    let ms = value?.as_f64()?;
    ms.is_finite().then_some((ms * 1_000.0) as i64)
}

fn place(value: Option<&Value>, epoch: Option<&String>) -> Option<(Option<String>, u64)> {
    match value? {
        Value::Number(number) => Some((epoch.cloned(), number.as_u64()?)),
        place => {
            let own = text_at(place, "/epoch").or_else(|| epoch.cloned());
            Some((own, place.get("sequenceId")?.as_u64()?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cxone(text: &str) -> Result<Line, String> {
        read(Kind::Cxone, text)
    }

    fn key(topic: &str, body: &str) -> Option<String> {
        let text = format!(r#"{{"event":{{"topicName":"{topic}","eventBody":{body}}}}}"#);
        match read(Kind::Genesys, &text).ok()?.said {
            Said::Event(event) => Some(event.key),
            _ => None,
        }
    }

    #[test]
    fn an_event_is_known_by_what_the_vendor_wrote_into_it() {
        let line = cxone(
            r#"{"event":{"type":"removed","epoch":"e1","sequenceId":7,
                "adherence":{"agentId":"a"}},"cursor":12,"stream":"x"}"#,
        );
        let line = line.unwrap();
        assert_eq!((line.cursor.as_deref(), &*line.stream), (Some("12"), "x"));
        let Said::Event(event) = line.said else { panic!("no event") };
        assert_eq!((&*event.key, event.sequence, event.is_removal), ("a", Some(7), true));
        assert_eq!(event.epoch.as_deref(), Some("e1"));
    }

    #[test]
    fn every_topic_of_an_agent_has_its_key() {
        let own = |kind: &str| key(&format!("v2.users.u1.{kind}"), r#"{"id":"c1"}"#);
        assert_eq!(own("workforcemanagement.adherence").unwrap(), "adherence/u1");
        assert_eq!(own("presence").unwrap(), "presence/u1");
        assert_eq!(own("routingStatus").unwrap(), "routing/u1");
        assert_eq!(own("activity").unwrap(), "activity/u1");
        assert_eq!(own("conversations").unwrap(), "conversation/c1");
        assert_eq!(own("moods"), None);
        let of_team = key("v2.workforcemanagement.teams.t.adherence", r#"{"user":{"id":"u2"}}"#);
        assert_eq!(of_team.unwrap(), "adherence/u2");
        let of_queue = key("v2.routing.queues.q.conversations", r#"{"id":"c2"}"#);
        assert_eq!(of_queue.unwrap(), "conversation/c2");
    }

    #[test]
    fn a_conversation_is_gone_when_its_last_participant_is() {
        let said = |left: &str| {
            let of = |member: &str, value: String| {
                let line = read(Kind::Genesys, &format!("{{\"{member}\":{value}}}"));
                line.unwrap().said
            };
            let ended = r#"{"endTime":"2026-01-05T08:00:40Z"}"#;
            let body = format!(r#"{{"id":"c","participants":[{ended},{left}]}}"#);
            let topic = "v2.users.u.conversations";
            let event = format!(r#"{{"topicName":"{topic}","eventBody":{body}}}"#);
            let Said::Event(told) = of("event", event.clone()) else { panic!("no event") };
            let state = |value: &str| {
                let state = format!(r#"{{"key":"conversation/c","value":{value}}}"#);
                let Said::State { value, .. } = of("state", state) else { panic!("no state") };
                value.is_none()
            };
            (told.is_removal, state(&body), state(&event))
        };
        assert_eq!(said("{}"), (false, false, false));
        assert_eq!(said(r#"{"endTime":null}"#), (false, false, false));
        assert_eq!(said(r#"{"endTime":"2026-01-05T08:00:41Z"}"#), (true, true, true));
    }

    #[test]
    fn a_gap_has_times_and_where_there_are_any_positions() {
        let line = cxone(
            r#"{"gap":{"id":1,"outcome":"unrecoverable","from":1000,"to":1500.5,"epoch":"e1",
                "after":5,"through":{"epoch":"e2","sequenceId":9}}}"#,
        );
        let Said::Gap(gap) = line.unwrap().said else { panic!("no gap") };
        assert_eq!((gap.from_us, gap.to_us), (1_000_000, Some(1_500_999)));
        assert_eq!(gap.after, Some((Some("e1".to_owned()), 5)));
        assert_eq!(gap.through, Some((Some("e2".to_owned()), 9)));
        let open = cxone(r#"{"gap":{"id":1,"outcome":"open","from":1000,"to":null}}"#);
        assert!(matches!(open.unwrap().said, Said::Gap(Gap { to_us: None, .. })));
    }

    #[test]
    fn what_is_none_of_it_is_told_why() {
        for (text, why) in [
            ("hello", "not one JSON object"),
            ("[1]", "none of `event`, `state`, `live`, `gap`"),
            (r#"{"event":{"sequenceId":1}}"#, "an event without `adherence.agentId`"),
            (r#"{"live":"yes"}"#, "`live` is neither true nor false"),
            (r#"{"state":{"key":"a"}}"#, "a state without `value`"),
            (r#"{"gap":{"id":1,"outcome":"gone"}}"#, "a gap with an `outcome` that there is not"),
            (
                r#"{"gap":{"id":1,"outcome":"unproven","from":1}}"#,
                "a gap that is over and has no `to`",
            ),
        ] {
            assert_eq!(cxone(text).unwrap_err(), why, "{text}");
        }
    }
}
