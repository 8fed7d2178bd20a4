//! What goes wrong, as RFC 9457 has it: a kind with an address that explains it, and the details of
//! this time.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

/// A kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) status: u16,
    pub(crate) title: &'static str,
    /// What a client should do.
    pub(crate) hint: &'static str,
}

macro_rules! kinds {
    ($($name:ident: $text:literal, $status:literal, $title:literal, $hint:literal;)*) => {
        $(pub(crate) static $name: Kind =
            Kind { name: $text, status: $status, title: $title, hint: $hint };)*
        /// All of them.
        pub(crate) static KINDS: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    PARAMETER_INVALID: "parameter-invalid", 400, "A parameter cannot be used",
        "Look at the parameter's description in /openapi.json.";
    BODY_INVALID: "body-invalid", 400, "The request's body cannot be used",
        "Send JSON as /openapi.json describes it.";
    CURSOR_INVALID: "cursor-invalid", 400, "The cursor is not one",
        "Use a cursor as an earlier answer gave it, or `oldest`, or `latest`.";
    TOKEN_IN_QUERY: "token-in-query", 400, "A token has no place in an address",
        "Addresses are logged. Send `Authorization: Bearer TOKEN`, and make a new token in place \
         of this one.";
    UNAUTHORIZED: "unauthorized", 401, "A token is needed",
        "Send `Authorization: Bearer TOKEN`; the file relay.token in the data directory holds one.";
    FORBIDDEN: "forbidden", 403, "The token is not good for this",
        "Use a token of scope `admin`, as a bearer.";
    ORIGIN_NOT_ALLOWED: "origin-not-allowed", 403, "A page of another origin asks",
        "Pages of other origins cannot use this service: let your own server ask.";
    NOT_FOUND: "not-found", 404, "There is nothing at this address",
        "/openapi.json lists what there is.";
    SOURCE_UNKNOWN: "source-unknown", 404, "There is no such source",
        "GET /v1/sources lists them.";
    METHOD_NOT_ALLOWED: "method-not-allowed", 405, "The address does not take this method",
        "The header `Allow` names those that it takes.";
    CURSOR_AHEAD: "cursor-ahead", 409, "The cursor is ahead of the log",
        "The log was put back to an older state. Read the state anew (`from=state`), or go on \
         from the member `latest`.";
    RESYNC_REFUSED: "resync-refused", 409, "No snapshot can be taken",
        "The detail says why.";
    CURSOR_EXPIRED: "cursor-expired", 410, "What follows the cursor is not kept any more",
        "Read the state anew (`from=state`), or go on from the member `oldest` and take the time \
         between as a gap.";
    JOURNAL_CHANGED: "journal-changed", 410, "The cursor belongs to another journal",
        "Read the state anew (`from=state`), or begin at the member `oldest`.";
    BODY_TOO_LARGE: "body-too-large", 413, "The request's body is too large",
        "Send it in parts.";
    TARGET_TOO_LONG: "target-too-long", 414, "The request's address is too long",
        "Ask in parts, or filter by `key_prefix`.";
    HOST_NOT_ALLOWED: "host-not-allowed", 421, "This service is not called so",
        "Use the address that the service tells at its start, or add the name to \
         `allowed_hosts`.";
    UPGRADE_REQUIRED: "upgrade-required", 426, "This address speaks WebSocket",
        "Open it as a WebSocket, or use /v1/events/stream.";
    TOO_MANY: "too-many", 429, "The token has too much under way",
        "Close what is not needed, or use a token for each client.";
    READ_FAILED: "read-failed", 500, "The record cannot be read",
        "The service's log says why; `unbroken verify` looks for damage.";
    STORE_UNAVAILABLE: "store-unavailable", 503, "The store cannot be read right now",
        "Try again in some seconds; the events are not affected.";
    STALE: "stale", 503, "Not every stream is live",
        "GET /v1/sources says which and why.";
    STORE_STALE: "store-stale", 503, "State is not kept up to date",
        "Events are not affected. The service's log says what is wrong with the store.";
    STOPPING: "stopping", 503, "The service is stopping",
        "Connect again in a second, with the cursor.";
    TOKEN_ENDED: "token-ended", 401, "The token is good no more",
        "Use another token, and go on from the member `cursor`.";
}

/// A problem of this time.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) kind: &'static Kind,
    detail: String,
    members: Vec<(&'static str, Value)>,
    allow: Option<String>,
}

impl Problem {
    pub(crate) fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), members: Vec::new(), allow: None }
    }

    /// With a member more.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// With the methods that would be taken.
    pub(crate) fn allowing(self, methods: String) -> Self {
        Self { allow: Some(methods), ..self }
    }

    /// As it is sent.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = Map::new();
        let kind = self.kind;
        object.insert("type".to_owned(), json!(format!("/problems/{}", kind.name)));
        object.insert("title".to_owned(), json!(kind.title));
        object.insert("status".to_owned(), json!(kind.status));
        object.insert("detail".to_owned(), json!(self.detail));
        object.insert("hint".to_owned(), json!(kind.hint));
        for (name, value) in &self.members {
            object.insert((*name).to_owned(), value.clone());
        }
        Value::Object(object)
    }

    /// As an answer.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() =
            StatusCode::from_u16(self.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.kind.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.kind.status, 429 | 503) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CURSOR_EXPIRED, KINDS, Problem};

    #[test]
    fn each_kind_has_a_name_of_its_own_and_tells_what_to_do() {
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| !kind.hint.is_empty() && kind.status >= 400));
    }

    #[test]
    fn a_problem_names_its_type_and_its_members() {
        let json = Problem::new(&CURSOR_EXPIRED, "gone").with("oldest", "a:1").to_json();
        assert_eq!(json["type"], "/problems/cursor-expired");
        assert_eq!((&json["status"], &json["oldest"]), (&410.into(), &"a:1".into()));
    }
}
