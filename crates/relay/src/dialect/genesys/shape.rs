//! An agent's adherence in the vendor's two shapes: by notification and by REST the same things
//! have other names. The record holds whichever came last; a client gets the one that it asks for.

use serde_json::{Map, Value, json};

type Members = Map<String, Value>;

/// The body of a notification.
pub(crate) fn notification(mut members: Members) -> Members {
    if !is_row(&members) {
        return members;
    }
    for name in ["id", "name", "selfUri"] {
        members.remove(name);
    }
    reduce(&mut members, "user", "user", |id| json!({ "id": id }));
    reduce(&mut members, "managementUnit", "managementUnitId", Value::String);
    reduce(&mut members, "businessUnit", "businessUnitId", Value::String);
    rename(&mut members, "timeOfAdherenceChange", "adherenceChangeTime");
    members
}

/// A row of a REST answer.
pub(crate) fn row(mut members: Members) -> Members {
    if is_row(&members) {
        return members;
    }
    let user = members.get("user").and_then(|user| user.get("id")).cloned();
    if let Some(Value::String(id)) = user {
        let uri = format!("/api/v2/workforcemanagement/adherence?userId={id}");
        members.insert("selfUri".to_owned(), Value::String(uri));
        members.insert("id".to_owned(), Value::String(id));
    }
    for (from, to) in [("managementUnitId", "managementUnit"), ("businessUnitId", "businessUnit")] {
        if let Some(id) = members.remove(from) {
            members.insert(to.to_owned(), json!({ "id": id }));
        }
    }
    rename(&mut members, "adherenceChangeTime", "timeOfAdherenceChange");
    // Two values that the model of REST does not have.
    match members.get("routingStatus").and_then(Value::as_str) {
        Some("OFFLINE") => drop(members.insert("routingStatus".to_owned(), json!("OFF_QUEUE"))),
        Some("__EMPTY__") => drop(members.remove("routingStatus")),
        _ => {}
    }
    members
}

/// What is told of an agent who has left, where nothing else is known.
pub(crate) fn gone(user: &str) -> Members {
    let members = json!({ "user": { "id": user }, "removedFromManagementUnit": true });
    match members {
        Value::Object(members) => members,
        _ => Members::new(),
    }
}

fn is_row(members: &Members) -> bool {
    ["managementUnit", "businessUnit", "timeOfAdherenceChange", "selfUri"]
        .iter()
        .any(|name| members.contains_key(*name))
}

/// Puts the id of something that was named in full in its place.
fn reduce(members: &mut Members, from: &str, to: &str, form: impl Fn(String) -> Value) {
    let Some(named) = members.remove(from) else { return };
    if let Some(id) = named.get("id").and_then(Value::as_str) {
        members.insert(to.to_owned(), form(id.to_owned()));
    }
}

fn rename(members: &mut Members, from: &str, to: &str) {
    if let Some(value) = members.remove(from) {
        members.insert(to.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(value: Value) -> Members {
        match value {
            Value::Object(members) => members,
            other => panic!("{other}"),
        }
    }

    fn by_rest() -> Members {
        members(json!({
            "id": "u", "name": "Anna", "selfUri": "/x",
            "user": { "id": "u", "selfUri": "/y" },
            "managementUnit": { "id": "m" }, "businessUnit": { "id": "b" },
            "team": { "id": "t", "name": "T" },
            "timeOfAdherenceChange": "2026-01-05T08:00:00Z",
            "routingStatus": "IDLE", "adherenceState": "InAdherence",
        }))
    }

    fn told() -> Members {
        members(json!({
            "user": { "id": "u" }, "managementUnitId": "m", "businessUnitId": "b",
            "team": { "id": "t", "name": "T" },
            "adherenceChangeTime": "2026-01-05T08:00:00Z",
            "routingStatus": "IDLE", "adherenceState": "InAdherence",
        }))
    }

    #[test]
    fn a_row_becomes_what_a_notification_would_say() {
        assert_eq!(notification(by_rest()), told());
        assert_eq!(notification(told()), told());
    }

    #[test]
    fn a_notification_becomes_a_row() {
        let row = row(told());
        assert_eq!(row["id"], "u");
        assert_eq!(row["managementUnit"], json!({ "id": "m" }));
        assert_eq!(row["timeOfAdherenceChange"], "2026-01-05T08:00:00Z");
        assert!(!row.contains_key("adherenceChangeTime") && !row.contains_key("managementUnitId"));
        assert_eq!(notification(row), told());
        assert_eq!(super::row(by_rest()), by_rest());
    }

    #[test]
    fn values_that_rest_has_not_are_not_shown_by_it() {
        let of = |status: &str| {
            let mut members = told();
            members.insert("routingStatus".to_owned(), json!(status));
            row(members).get("routingStatus").cloned()
        };
        assert_eq!(of("OFFLINE"), Some(json!("OFF_QUEUE")));
        assert_eq!(of("__EMPTY__"), None);
        assert_eq!(of("INTERACTING"), Some(json!("INTERACTING")));
    }

    #[test]
    fn who_has_left_is_said_to_have() {
        assert_eq!(gone("u")["removedFromManagementUnit"], true);
        assert_eq!(gone("u")["user"]["id"], "u");
    }
}
