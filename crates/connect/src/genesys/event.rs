//! What a notification means.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use unbroken_core::connector::{Decoded, Event, Item};
use unbroken_core::ids::{Key, Label};
use unbroken_core::time::UnixMicros;

use crate::generic::Generic;
use crate::genesys::adherence;
use crate::genesys::topic::{self, Kind};

/// The envelope. It has no number, no id of the event, and no time.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    topic_name: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    event_body: Option<&'a RawValue>,
}

/// Where the vendor's times are, in bodies other than adherence.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Times<'a> {
    #[serde(borrow)]
    modified_date: Option<&'a str>,
    #[serde(borrow)]
    routing_status: Option<RoutingTimes<'a>>,
    #[serde(borrow)]
    presence: Option<PresenceTimes<'a>>,
    #[serde(borrow)]
    date_active_queues_changed: Option<&'a str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RoutingTimes<'a> {
    #[serde(borrow)]
    start_time: Option<&'a str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PresenceTimes<'a> {
    #[serde(borrow)]
    modified_date: Option<&'a str>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    participants: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Participant<'a> {
    #[serde(borrow)]
    end_time: Option<&'a RawValue>,
}

impl Named<'_> {
    /// A conversation from which everybody has gone is over. Its document is told again when
    /// somebody's wrap-up ends, and is then as over as before.
    fn is_over(&self) -> bool {
        let participants = self.participants.map_or("[]", RawValue::get);
        let participants: Vec<Participant<'_>> =
            serde_json::from_str(participants).unwrap_or_default();
        let is_gone = |participant: &Participant<'_>| participant.end_time.is_some();
        !participants.is_empty() && participants.iter().all(is_gone)
    }
}

/// Reads a frame of a stream of this kind. What is no event of it, the profile's rules read:
/// heartbeats, notices, refusals.
pub(super) fn decode(
    connector: &Generic,
    kind: Kind,
    frame: &Bytes,
    is_wanted: impl Fn(&Key) -> bool,
) -> Decoded {
    let text = std::str::from_utf8(frame).unwrap_or_default();
    let envelope: Option<Envelope<'_>> = serde_json::from_str(text).ok();
    let about = envelope.as_ref().and_then(|envelope| topic::parse(&envelope.topic_name));
    let (Some(envelope), Some((told, id))) = (&envelope, about) else {
        return connector.decode_for(frame, || [].into());
    };
    if told != kind {
        return of(Item::Unknown);
    }
    match event(connector, kind, id, frame, envelope.event_body) {
        Ok(event) if !is_wanted(&event.key) => Decoded::default(),
        Ok(event) => of(Item::Event(event)),
        Err(reason) => of(connector.poison(frame, reason)),
    }
}

fn of(item: Item) -> Decoded {
    Decoded { items: vec![item], ..Decoded::default() }
}

fn event(
    connector: &Generic,
    kind: Kind,
    id: &str,
    frame: &Bytes,
    body: Option<&RawValue>,
) -> Result<Event, Label> {
    let raw = body.map(RawValue::get).ok_or_else(|| Label::from("eventBody: expected a body"))?;
    let payload = frame.slice_ref(raw.as_bytes());
    let (identity, payload) = connector
        .keep(payload)
        .map_err(|_| Label::from("eventBody: expected JSON, as fields are dropped from it"))?;
    let mut event = Event {
        key: id.into(),
        sequence: None,
        bookmark: None,
        event_id: None,
        kind: Some(kind.name().into()),
        deleted: false,
        occurred_at: None,
        digest: identity,
        identity,
        payload,
    };
    match kind {
        Kind::Adherence => {
            let expected = || Label::from("eventBody: expected an agent's adherence");
            let read = adherence::read(raw).ok_or_else(expected)?;
            event.digest = connector.digest_of(read.normal.as_bytes());
            event.deleted = read.is_removed;
            event.occurred_at = read.changed_at;
            event.key = Key::new(read.user);
        }
        Kind::Conversations => {
            let expected = |_| Label::from("eventBody/id: expected a conversation's id");
            let named: Named<'_> = serde_json::from_str(raw).map_err(expected)?;
            event.key = (&*named.id).into();
            event.deleted = named.is_over();
        }
        Kind::Presence | Kind::RoutingStatus | Kind::Activity => event.occurred_at = latest(raw),
    }
    if event.deleted {
        event.digest = 0;
    }
    Ok(event)
}

/// The latest time that a body names.
fn latest(raw: &str) -> Option<UnixMicros> {
    let times: Times<'_> = serde_json::from_str(raw).ok()?;
    let all = [
        times.modified_date,
        times.routing_status.and_then(|of| of.start_time),
        times.presence.and_then(|of| of.modified_date),
        times.date_active_queues_changed,
    ];
    let micros = |text: &str| text.parse::<jiff::Timestamp>().ok().map(|at| at.as_microsecond());
    all.into_iter().flatten().filter_map(micros).max().map(UnixMicros)
}

#[cfg(test)]
mod tests {
    use unbroken_core::connector::Class;

    use super::*;
    use crate::config::ProfileChoice;

    fn read(kind: Kind, text: &str) -> Vec<Item> {
        let connector = ProfileChoice::embedded("genesys").connector(true).unwrap();
        decode(&connector, kind, &Bytes::from(text.to_owned()), |key| key.as_str() != "stranger")
            .items
    }

    fn notification(topic: &str, body: &str) -> String {
        format!(r#"{{"topicName":"{topic}","version":"2","eventBody":{body},"metadata":{{}}}}"#)
    }

    fn only(items: Vec<Item>) -> Event {
        match <[Item; 1]>::try_from(items) {
            Ok([Item::Event(event)]) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_event_keeps_the_vendor_s_bytes_and_is_named_by_its_entity() {
        let body = r#"{ "user":{"id":"u"},"adherenceState":"InAdherence" }"#;
        for topic in [Kind::Adherence.of_user("u"), topic::of_unit("m"), topic::of_team("t")] {
            let event = only(read(Kind::Adherence, &notification(&topic, body)));
            assert_eq!((event.key.as_str(), &event.payload[..]), ("u", body.as_bytes()));
            assert_ne!(event.identity, event.digest, "a state leaves something out");
        }
        let body = r#"{"modifiedDate":"2026-11-26T01:00:00Z"}"#;
        let event = only(read(Kind::Presence, &notification("v2.users.u.presence", body)));
        assert_eq!(event.key.as_str(), "u");
        assert!(event.occurred_at.is_some());
        let event = only(read(
            Kind::Conversations,
            &notification("v2.routing.queues.q.conversations", r#"{"id":"c","participants":[]}"#),
        ));
        assert_eq!(event.key.as_str(), "c");
    }

    #[test]
    fn what_is_compared_is_the_state_and_what_is_told_again_is_the_body() {
        let of = |body: &str| {
            only(read(
                Kind::Adherence,
                &notification("v2.users.u.workforcemanagement.adherence", body),
            ))
        };
        let plain = of(r#"{"user":{"id":"u"},"impact":"Neutral"}"#);
        let reminded = of(r#"{"user":{"id":"u"},"impact":"Neutral","nextActivityReminders":[{}]}"#);
        assert_eq!(plain.digest, reminded.digest);
        assert_ne!(plain.identity, reminded.identity, "it is another event");
        let spaced = of(r#"{"impact": "Neutral","user": {"id":"u"}}"#);
        assert_eq!(plain.identity, spaced.identity);
    }

    #[test]
    fn who_left_the_unit_is_gone() {
        let body = r#"{"user":{"id":"u"},"removedFromManagementUnit":true}"#;
        let event = only(read(Kind::Adherence, &notification(&topic::of_unit("m"), body)));
        assert!(event.deleted);
        assert_eq!(event.digest, 0);
    }

    #[test]
    fn a_conversation_from_which_everybody_has_gone_is_over() {
        let of = |participants: &str| {
            let body = format!(r#"{{"id":"c","participants":{participants}}}"#);
            let topic = "v2.users.u.conversations";
            only(read(Kind::Conversations, &notification(topic, &body)))
        };
        let (here, gone) = (r#"{"id":"p"}"#, r#"{"id":"q","endTime":"2026-11-26T01:00:00.000Z"}"#);
        let null = r#"{"id":"p","endTime":null}"#;
        let going_on = [format!("[{here},{gone}]"), format!("[{gone},{null}]"), "[]".to_owned()];
        for participants in going_on.iter().map(String::as_str).chain(["null", "7"]) {
            let event = of(participants);
            assert!(!event.deleted && event.digest == event.identity, "{participants}");
        }
        let over = of(&format!("[{gone},{gone}]"));
        assert!(over.deleted && over.digest == 0 && !over.payload.is_empty());
        let again = of(&format!("[{gone},{gone},{gone}]"));
        assert!(again.deleted && again.identity != over.identity, "another event");
    }

    #[test]
    fn notices_and_refusals_are_read_by_the_profile() {
        let heartbeat = notification("channel.metadata", r#"{"message":"WebSocket Heartbeat"}"#);
        assert!(read(Kind::Presence, &heartbeat).is_empty(), "a bare sign of life");
        let closing = notification("v2.system.socket_closing", r#"{"message":"soon"}"#);
        assert!(matches!(read(Kind::Presence, &closing)[..], [Item::Closing { .. }]));
        let class = |text: &str| match &read(Kind::Presence, text)[..] {
            [Item::Refusal(failure)] => failure.class,
            other => panic!("{other:?}"),
        };
        let system = |kind: &str| {
            notification("v2.system.x", &format!(r#"{{"systemTopicType":"{kind}","reason":"r"}}"#))
        };
        assert_eq!(class(&system("token_revoked")), Class::Reauthorize);
        assert_eq!(class(&system("no_longer_subscribed")), Class::Retry { after_ms: None });
        assert_eq!(class(r#"{"result":"404","status":"error"}"#), Class::Retry { after_ms: None });
    }

    #[test]
    fn what_is_not_understood_is_kept_and_what_is_not_ours_is_not() {
        let body = r#"{"user":"u"}"#;
        let items = read(Kind::Adherence, &notification(&Kind::Adherence.of_user("u"), body));
        assert!(matches!(items[..], [Item::Poison { .. }]));
        let items = read(Kind::Adherence, &notification("v2.users.u.presence", "{}"));
        assert!(matches!(items[..], [Item::Unknown]), "nobody asked for it");
        let body = r#"{"user":{"id":"stranger"}}"#;
        assert!(read(Kind::Adherence, &notification(&topic::of_unit("m"), body)).is_empty());
        assert!(matches!(read(Kind::Adherence, "{\"topicName\"")[..], [Item::Poison { .. }]));
    }
}
