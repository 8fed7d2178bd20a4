//! An agent's adherence, of which the push and the REST form name the same things differently: one
//! normalised state, by which rows and events are compared.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use unbroken_core::time::UnixMicros;

/// Both forms. What only one of them has, or what moves without a notification (reminders), is not
/// compared.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Adherence<'a> {
    #[serde(borrow)]
    user: Reference<'a>,
    #[serde(borrow)]
    management_unit_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    management_unit: Option<Reference<'a>>,
    #[serde(borrow)]
    business_unit_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    business_unit: Option<Reference<'a>>,
    #[serde(borrow)]
    team: Option<Reference<'a>>,
    #[serde(borrow)]
    scheduled_activity_category: Option<Cow<'a, str>>,
    #[serde(borrow)]
    scheduled_activity_code: Option<ActivityCode<'a>>,
    #[serde(borrow)]
    system_presence: Option<Cow<'a, str>>,
    #[serde(borrow)]
    organization_secondary_presence_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    routing_status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    actual_activity_category: Option<Cow<'a, str>>,
    is_out_of_office: Option<bool>,
    #[serde(borrow)]
    adherence_state: Option<Cow<'a, str>>,
    #[serde(borrow)]
    impact: Option<Cow<'a, str>>,
    #[serde(alias = "timeOfAdherenceChange", borrow)]
    adherence_change_time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    presence_update_time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    active_queues: Option<Vec<Reference<'a>>>,
    #[serde(borrow)]
    active_queues_modified_time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    adherence_explanation: Option<Explanation<'a>>,
    removed_from_management_unit: Option<bool>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Reference<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActivityCode<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Explanation<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
}

/// What is compared, in one writing.
#[derive(Serialize)]
struct Normal<'a> {
    user: &'a str,
    unit: Option<&'a str>,
    business_unit: Option<&'a str>,
    team: Option<&'a str>,
    scheduled: [Option<&'a str>; 2],
    presence: Option<&'a str>,
    secondary_presence: Option<&'a str>,
    routing_status: Option<&'a str>,
    actual: Option<&'a str>,
    out_of_office: bool,
    adherence: Option<&'a str>,
    impact: Option<String>,
    since: [Option<Moment<'a>>; 3],
    queues: Vec<&'a str>,
    explanation: Option<[Option<&'a str>; 2]>,
}

/// A moment, however exactly it is written.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum Moment<'a> {
    Micros(i64),
    Text(&'a str),
}

/// What is read of an agent's adherence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// The agent.
    pub(super) user: String,
    /// The latest of the vendor's times in it.
    pub(super) changed_at: Option<UnixMicros>,
    /// The agent belongs to no management unit any more.
    pub(super) is_removed: bool,
    /// The normalised state: equal for an event and a row that say the same.
    pub(super) normal: String,
}

/// Reads the body of a notification, or a row of a REST answer; `None`: it is neither.
pub(super) fn read(text: &str) -> Option<Read> {
    let said: Adherence<'_> = serde_json::from_str(text).ok()?;
    let moment = |text: &'_ Option<Cow<'_, str>>| text.as_deref().and_then(micros);
    let times = [&said.adherence_change_time, &said.presence_update_time]
        .into_iter()
        .chain([&said.active_queues_modified_time]);
    Some(Read {
        changed_at: times.filter_map(moment).max().map(UnixMicros),
        is_removed: said.removed_from_management_unit == Some(true),
        normal: said.normal(),
        user: said.user.id.into_owned(),
    })
}

impl Adherence<'_> {
    fn normal(&self) -> String {
        let id = |plain: &'_ Option<Cow<'_, str>>, reference: &'_ Option<Reference<'_>>| {
            plain.as_deref().or(reference.as_ref().map(|of| &*of.id)).map(str::to_owned)
        };
        let (unit, business_unit) = (
            id(&self.management_unit_id, &self.management_unit),
            id(&self.business_unit_id, &self.business_unit),
        );
        let code = self.scheduled_activity_code.as_ref().and_then(|code| code.id.as_deref());
        let mut queues: Vec<&str> =
            self.active_queues.iter().flatten().map(|queue| &*queue.id).collect();
        queues.sort_unstable();
        let normal = Normal {
            user: &self.user.id,
            unit: unit.as_deref(),
            business_unit: business_unit.as_deref(),
            team: self.team.as_ref().map(|team| &*team.id),
            scheduled: [self.scheduled_activity_category.as_deref(), code],
            presence: self.system_presence.as_deref(),
            secondary_presence: self.organization_secondary_presence_id.as_deref(),
            routing_status: self.routing(),
            actual: self.actual_activity_category.as_deref(),
            out_of_office: self.is_out_of_office.unwrap_or_default(),
            adherence: self.adherence_state.as_deref(),
            impact: self.impact.as_deref().map(str::to_ascii_lowercase),
            since: [
                self.adherence_change_time.as_deref().map(moment),
                self.presence_update_time.as_deref().map(moment),
                self.active_queues_modified_time.as_deref().map(moment),
            ],
            queues,
            explanation: self
                .adherence_explanation
                .as_ref()
                .map(|of| [of.id.as_deref(), of.status.as_deref()]),
        };
        // Texts, numbers and lists cannot fail to be written.
        serde_json::to_string(&normal).unwrap_or_default()
    }

    /// The push form says `OFFLINE` and `__EMPTY__` where the REST model has no such value.
    fn routing(&self) -> Option<&str> {
        let is_offline = self.system_presence.as_deref() == Some("Offline");
        let status = self.routing_status.as_deref();
        status.filter(|status| !is_offline && !matches!(*status, "OFFLINE" | "__EMPTY__"))
    }
}

fn moment(text: &str) -> Moment<'_> {
    micros(text).map_or(Moment::Text(text), Moment::Micros)
}

fn micros(text: &str) -> Option<i64> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(at.as_microsecond())
}

/// A row of a REST answer, written as the notification of the same state would be; `None`: it is no
/// object. What only rows have is left out, what is not known here stays.
pub(super) fn as_event(row: &str) -> Option<Bytes> {
    let mut row: Map<String, Value> = serde_json::from_str(row).ok()?;
    for name in ["id", "name", "selfUri"] {
        row.remove(name);
    }
    for (from, to) in [("managementUnit", "managementUnitId"), ("businessUnit", "businessUnitId")] {
        if let Some(Value::Object(mut reference)) = row.remove(from)
            && let Some(id) = reference.remove("id")
        {
            row.insert(to.to_owned(), id);
        }
    }
    if let Some(at) = row.remove("timeOfAdherenceChange") {
        row.insert("adherenceChangeTime".to_owned(), at);
    }
    if let Some(Value::Object(code)) = row.get_mut("scheduledActivityCode") {
        code.remove("name");
    }
    if let Some(Value::Object(user)) = row.get_mut("user") {
        user.remove("name");
    }
    row.values_mut().for_each(without_addresses);
    serde_json::to_vec(&row).ok().map(Bytes::from)
}

/// Rows name the addresses of what they refer to.
fn without_addresses(value: &mut Value) {
    match value {
        Value::Object(of) => {
            of.remove("selfUri");
        }
        Value::Array(all) => all.iter_mut().for_each(without_addresses),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"user":{"id":"u"},"managementUnitId":"m","businessUnitId":"b",
        "team":{"id":"t","name":"T"},"scheduledActivityCategory":"OnQueueWork",
        "scheduledActivityCode":{"id":"1","secondaryPresences":[]},"systemPresence":"OnQueue",
        "organizationSecondaryPresenceId":"p","routingStatus":"INTERACTING",
        "actualActivityCategory":"OnQueueWork","isOutOfOffice":false,
        "adherenceState":"InAdherence","impact":"NEUTRAL",
        "adherenceChangeTime":"2026-11-26T01:00:00.250Z",
        "presenceUpdateTime":"2026-11-26T00:59:00Z",
        "activeQueues":[{"id":"q1"},{"id":"q2"}],
        "activeQueuesModifiedTime":"2026-11-26T00:00:00Z"}"#;

    const ROW: &str = r#"{"id":"u","name":"Una","selfUri":"/x","user":{"id":"u","name":"Una",
        "selfUri":"/u"},"managementUnit":{"id":"m","selfUri":"/m"},"businessUnit":{"id":"b"},
        "team":{"id":"t","selfUri":"/t"},"scheduledActivityCategory":"OnQueueWork",
        "scheduledActivityCode":{"id":"1","name":"On Queue","secondaryPresences":[]},
        "systemPresence":"OnQueue","organizationSecondaryPresenceId":"p",
        "routingStatus":"INTERACTING","actualActivityCategory":"OnQueueWork",
        "adherenceState":"InAdherence","impact":"Neutral",
        "timeOfAdherenceChange":"2026-11-26T01:00:00.25Z",
        "presenceUpdateTime":"2026-11-26T00:59:00.000Z",
        "activeQueues":[{"id":"q2","selfUri":"/q2"},{"id":"q1","selfUri":"/q1"}],
        "activeQueuesModifiedTime":"2026-11-26T00:00:00Z",
        "nextActivityReminders":[{"activityCategory":"Break"}],"removedFromManagementUnit":false}"#;

    #[test]
    fn an_event_and_a_row_that_say_the_same_are_the_same() {
        let (event, row) = (read(EVENT).unwrap(), read(ROW).unwrap());
        assert_eq!(event, row);
        assert_eq!(event.user, "u");
        let at: jiff::Timestamp = "2026-11-26T01:00:00.250Z".parse().unwrap();
        assert_eq!(event.changed_at, Some(UnixMicros(at.as_microsecond())));
    }

    #[test]
    fn every_change_of_what_is_compared_shows() {
        let before = read(EVENT).unwrap().normal;
        for (from, to) in [
            ("\"m\"", "\"m2\""),
            ("\"t\"", "\"t2\""),
            ("\"id\":\"1\"", "\"id\":\"2\""),
            ("\"p\"", "\"p2\""),
            ("\"INTERACTING\"", "\"IDLE\""),
            ("\"InAdherence\"", "\"OutOfAdherence\""),
            ("\"NEUTRAL\"", "\"NEGATIVE\""),
            (":00.250Z", ":00.251Z"),
            ("{\"id\":\"q1\"},", ""),
            ("\"isOutOfOffice\":false", "\"isOutOfOffice\":true"),
        ] {
            let changed = EVENT.replace(from, to);
            assert_ne!(changed, EVENT, "{from}");
            assert_ne!(read(&changed).unwrap().normal, before, "{from}");
        }
    }

    #[test]
    fn who_is_offline_has_no_routing_status_in_either_form() {
        let offline = |status: &str| {
            let text =
                EVENT.replace("\"systemPresence\":\"OnQueue\"", "\"systemPresence\":\"Offline\"");
            read(&text.replace("INTERACTING", status)).unwrap().normal
        };
        assert_eq!(offline("OFFLINE"), offline("OFF_QUEUE"));
        let empty = read(&EVENT.replace("INTERACTING", "__EMPTY__")).unwrap().normal;
        let without = EVENT.replace("\"routingStatus\":\"INTERACTING\",", "");
        assert_eq!(empty, read(&without).unwrap().normal);
    }

    #[test]
    fn a_row_is_written_as_its_event() {
        let written = as_event(ROW).unwrap();
        let written: Value = serde_json::from_slice(&written).unwrap();
        let mut event: Value = serde_json::from_str(EVENT).unwrap();
        for (name, value) in [
            ("impact", Value::from("Neutral")),
            ("adherenceChangeTime", Value::from("2026-11-26T01:00:00.25Z")),
            ("presenceUpdateTime", Value::from("2026-11-26T00:59:00.000Z")),
            ("activeQueues", serde_json::json!([{"id": "q2"}, {"id": "q1"}])),
            ("nextActivityReminders", serde_json::json!([{"activityCategory": "Break"}])),
            ("removedFromManagementUnit", Value::from(false)),
            ("team", serde_json::json!({"id": "t"})),
        ] {
            event[name] = value;
        }
        event.as_object_mut().unwrap().remove("isOutOfOffice");
        assert_eq!(written, event);
    }

    #[test]
    fn what_is_no_adherence_is_not_read() {
        for text in ["", "[]", "{}", r#"{"user":"u"}"#, r#"{"user":{"id":1}}"#] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(as_event("[]").is_none());
    }
}
