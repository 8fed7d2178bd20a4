//! The shapes of requests and answers, as JSON Schema.

use serde_json::{Value, json};
use unbroken_render::RECORD_KINDS;

/// All of them, by name.
pub(super) fn schemas() -> Value {
    json!({
        "Cursor": text("Where a reading has come to: opaque, `journal_id:offset`."),
        "Event": event(),
        "Events": object(&[
            ("cursor", reference("Cursor")),
            ("events", list(reference("Event"))),
            ("state", list(reference("StateRow"))),
        ], &["cursor", "events"]),
        "EventStream": text("Server-Sent Events: `unbroken.KIND` with a CloudEvent as data and its \
                             cursor as id; `unbroken.heartbeat`, `unbroken.state`, \
                             `unbroken.synced`, `unbroken.end`."),
        "State": object(&[
            ("cursor", reference("Cursor")),
            ("rows", list(reference("StateRow"))),
        ], &["cursor", "rows"]),
        "StateRow": state_row(),
        "Gaps": object(&[("gaps", list(reference("Gap")))], &["gaps"]),
        "Gap": gap(),
        "Sources": object(&[("sources", list(json!({ "type": "object" })))], &["sources"]),
        "Resync": closed(object(&[("keys", json!({
            "type": ["array", "null"],
            "items": { "type": "string", "minLength": 1 },
            "description": "Only these keys; default: all.",
        }))], &[])),
        "Resyncing": object(&[("streams", list(json!({ "type": "string" })))], &["streams"]),
        "Login": closed(object(&[("token", json!({ "type": "string" }))], &["token"])),
        "Health": object(&[("alive", json!({ "type": "boolean" }))], &["alive"]),
        "Ready": object(&[
            ("ready", json!({ "type": "boolean" })),
            ("streams", json!({ "type": "integer" })),
        ], &["ready"]),
        "ProblemKind": problem(&["type", "title", "status", "hint"]),
        "Problem": problem(&["type", "title", "status", "detail", "hint"]),
        "Description": json!({ "type": "object" }),
        "Text": json!({ "type": "string" }),
    })
}

/// A reference to a shape.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn event() -> Value {
    let kinds: Vec<String> = RECORD_KINDS.iter().map(|kind| format!("unbroken.{kind}")).collect();
    let mut event = object(
        &[
            ("specversion", json!({ "const": "1.0" })),
            ("id", text("The record's name for ever: `journal_id:offset`.")),
            ("source", text("The stream, as a path.")),
            ("type", json!({ "type": "string", "enum": kinds })),
            ("subject", text("The key that it is about.")),
            ("time", json!({ "type": "string", "format": "date-time" })),
            ("datacontenttype", json!({ "const": "application/json" })),
            ("cursor", reference("Cursor")),
            ("data", json!({ "type": "object" })),
        ],
        &["specversion", "id", "source", "type", "time", "datacontenttype", "cursor", "data"],
    );
    event["description"] = json!("A record as a CloudEvent 1.0.");
    event
}

fn state_row() -> Value {
    object(
        &[
            ("stream", json!({ "type": "string" })),
            ("key", json!({ "type": "string" })),
            ("present", json!({ "type": "boolean" })),
            ("version", maybe("The vendor's position of the value.")),
            ("offset", json!({ "type": "integer" })),
            ("occurred_at", maybe("The vendor's time.")),
            ("received_at", json!({ "type": "string" })),
            ("stale_since", maybe("The value may be out of date, since then; null: current.")),
            ("payload", json!({ "description": "The vendor's own." })),
        ],
        &["stream", "key", "present", "offset", "received_at", "payload"],
    )
}

fn gap() -> Value {
    object(
        &[
            ("stream", json!({ "type": "string" })),
            ("gap", json!({ "type": "integer" })),
            ("cause", json!({ "type": "string" })),
            ("outcome", maybe("How it ended; null while it is open.")),
            ("after", maybe("Everything up to this position is in the record.")),
            ("through", maybe("The last position of the interval.")),
            ("from", json!({ "type": "string" })),
            ("to", maybe("When the stream was covered again.")),
            ("closed_by_snapshot", json!({ "type": ["integer", "null"] })),
            ("reconciled", json!({ "type": ["boolean", "null"] })),
        ],
        &["stream", "gap", "cause", "from"],
    )
}

fn problem(required: &[&str]) -> Value {
    object(
        &[
            ("type", json!({ "type": "string", "format": "uri-reference" })),
            ("title", json!({ "type": "string" })),
            ("status", json!({ "type": "integer" })),
            ("detail", json!({ "type": "string" })),
            ("hint", text("What to do.")),
            ("oldest", text("The oldest cursor that is good.")),
            ("latest", text("The cursor of the end.")),
            ("cursor", text("The cursor to go on from.")),
        ],
        required,
    )
}

fn object(properties: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> =
        properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// Without anything else in it: what a client misspells must not be passed over.
fn closed(mut object: Value) -> Value {
    object["additionalProperties"] = json!(false);
    object
}

fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn maybe(about: &str) -> Value {
    json!({ "type": ["string", "null"], "description": about })
}
