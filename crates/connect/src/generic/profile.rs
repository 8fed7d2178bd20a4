//! What a profile file may say. Every table denies unknown keys.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use unbroken_core::connector::Capabilities;

use crate::generic::classify::ClassName;

/// A source as data. Paths only: hosts come from the user's configuration. Pointers are JSON
/// pointers (RFC 6901). Texts with `{{ … }}` are templates. A file may also hold a table
/// `with_keys`, which is laid over the rest when the user names keys to subscribe to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// One line for a person, with the provenance of the profile.
    pub description: String,
    /// What the source can do.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// Values for templates; the user may set any of them.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// How tokens are asked for.
    #[serde(default)]
    pub token: TokenProfile,
    /// How the head is read. Without it a head is the first page of the snapshot without its rows.
    pub head: Option<HeadProfile>,
    /// How a snapshot is read.
    pub snapshot: Option<SnapshotProfile>,
    /// The WebSocket.
    pub stream: StreamProfile,
    /// What is said on it.
    pub messages: MessagesProfile,
    /// What is heard on it.
    pub frames: FramesProfile,
    /// What failures call for.
    #[serde(default)]
    pub classify: ClassifyProfile,
    /// Pointers into the payload whose values, in canonical form, are what two payloads are
    /// compared by. `[""]`: the whole payload in canonical form. Empty: the payload's bytes as they
    /// are.
    #[serde(default)]
    pub digest: Vec<String>,
}

/// See [`Profile::token`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenProfile {
    /// Path of the token request at the API's origin, unless the user names a URL.
    pub path: String,
    /// Keys of the answer that may hold the token; the first present counts.
    pub access_token: Vec<String>,
    /// Keys of the answer that may hold its life in seconds.
    pub expires_in: Vec<String>,
    /// JSON keys under which an access key's id and secret are sent (grant `access_key`).
    pub access_key_fields: [String; 2],
}

impl Default for TokenProfile {
    /// Names of RFC 6749; it has none for access keys.
    fn default() -> Self {
        Self {
            path: "/token".into(),
            access_token: vec!["access_token".into()],
            expires_in: vec!["expires_in".into()],
            access_key_fields: ["access_key_id".into(), "access_key_secret".into()],
        }
    }
}

/// An HTTP request at the API's origin.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestProfile {
    /// `GET` or `POST`.
    #[serde(default = "get")]
    pub method: String,
    /// Path, beginning with `/`; a template for a URL.
    pub path: String,
    /// Query; values are templates for a URL.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Headers; values are templates for a header.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Body; a template for JSON.
    pub body: Option<String>,
}

fn get() -> String {
    "GET".into()
}

/// See [`Profile::head`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadProfile {
    /// What to ask.
    pub request: RequestProfile,
    /// Pointer to the head's position.
    pub tag: String,
    /// Pointer to the epoch.
    pub epoch: Option<String>,
}

/// See [`Profile::snapshot`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotProfile {
    /// What to ask for the first page (and the later ones, unless `next_request` says otherwise).
    pub request: RequestProfile,
    /// What to ask for a later page.
    pub next_request: Option<RequestProfile>,
    /// Rows asked for per page: the template value `limit`.
    #[serde(default = "page_rows")]
    pub limit: u64,
    /// How the next page is named. Needed unless `capabilities.paging` is `none`.
    pub advance: Option<Advance>,
    /// Pointer to the next page's name (with `advance = "next"`); absent or null on the last page.
    pub next: Option<String>,
    /// Pointer to a boolean that says whether more pages follow.
    pub more: Option<String>,
    /// Later pages are asked for at the first page's tag (template value `tag`), so that all of
    /// them show one instant; tag and snapshot id of every page are then the first page's tag.
    #[serde(default)]
    pub pinned: bool,
    /// Pointer to the position that the rows have reached.
    pub tag: Option<String>,
    /// Pointer to the epoch.
    pub epoch: Option<String>,
    /// Pointer to the frozen snapshot's id.
    pub snapshot_id: Option<String>,
    /// Pointer to the number of rows of the whole snapshot.
    pub total: Option<String>,
    /// The rows.
    pub rows: RowFields,
}

fn page_rows() -> u64 {
    500
}

/// How the next page of a snapshot is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Advance {
    /// By the number of rows so far: the template value `offset`.
    Offset,
    /// By the last row's key, as the vendor wrote it: the template value `next`.
    LastKey,
    /// By what the vendor names: the template value `next`.
    Next,
}

/// Where a snapshot's rows and their parts are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowFields {
    /// Pointer to the array of rows.
    pub items: String,
    /// The array is left out when there are no rows.
    #[serde(default)]
    pub items_optional: bool,
    /// Rows that count; others are passed over.
    pub when: Option<Rule>,
    /// Pointer (in the row) to the key.
    pub key: String,
    /// How the key is written.
    #[serde(default)]
    pub key_encoding: Encoding,
    /// Pointer to the row's own version.
    pub version: Option<String>,
    /// Pointer to the vendor's time of the value.
    pub time: Option<String>,
    /// How that time is written.
    #[serde(default)]
    pub time_format: TimeFormat,
    /// Pointer to the payload; empty: the row itself.
    #[serde(default)]
    pub payload: String,
    /// How the payload is written.
    #[serde(default)]
    pub payload_encoding: Encoding,
    /// A missing payload is an empty one.
    #[serde(default)]
    pub payload_optional: bool,
}

/// How a key or payload is written in the JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As it is: a key's text; a payload's JSON, byte for byte.
    #[default]
    Json,
    /// As a base64 text. A key that is no UTF-8 keeps its base64 form, marked `base64:`.
    Base64,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// RFC 3339.
    #[default]
    Rfc3339,
    /// Seconds since 1970.
    UnixS,
    /// Milliseconds since 1970.
    UnixMs,
    /// Microseconds since 1970.
    UnixUs,
}

/// See [`Profile::stream`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamProfile {
    /// The stream's name: it is known as `source/name`.
    pub name: String,
    /// Path at the stream's origin, beginning with `/`; a template for a URL.
    pub path: String,
    /// Query; values are templates for a URL. `position` is what the subscription will ask for.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Headers; values are templates for a header.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Subprotocols offered.
    #[serde(default)]
    pub subprotocols: Vec<String>,
}

/// See [`Profile::messages`]. All are templates for JSON.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessagesProfile {
    /// Subscriptions.
    pub subscribe: SubscribeMessages,
    /// Ends the subscription; not sent if it names a `subscription` that was never told.
    pub unsubscribe: Option<String>,
    /// Asks for a sign of life; without it a protocol ping is sent.
    pub ping: Option<String>,
}

/// Subscriptions: with and without a position, for the configured keys or (`_all`) when none are
/// configured. A missing `_all` falls back to the other with an empty list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubscribeMessages {
    /// Events after `position`.
    pub after: Option<String>,
    /// Events from now on.
    pub now: Option<String>,
    /// Like `after`, with no keys configured.
    pub after_all: Option<String>,
    /// Like `now`, with no keys configured.
    pub now_all: Option<String>,
}

/// See [`Profile::frames`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FramesProfile {
    /// How frames are told apart: the first rule that holds decides; none: unknown.
    pub kinds: Vec<FrameRule>,
    /// Pointer to the subscription's id.
    pub subscription: Option<String>,
    /// Pointer to the epoch.
    pub epoch: Option<String>,
    /// Parts of an event.
    pub event: EventFields,
    /// Parts of a confirmation.
    #[serde(default)]
    pub ack: AckFields,
    /// Pointer to the opaque position of a frame as a whole, behind all of its events: for vendors
    /// whose events have none of their own (capability `position = "opaque"`).
    pub bookmark: Option<String>,
    /// What a confirmation says of the keys that the subscription covers.
    #[serde(default)]
    pub coverage: CoverageFields,
    /// Parts of a heartbeat.
    #[serde(default)]
    pub heartbeat: AckFields,
    /// Parts of a planned-close notice.
    #[serde(default)]
    pub closing: ClosingFields,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    /// One event, or several (`frames.event.items`).
    Event,
    /// An event that says that its key is gone.
    Deletion,
    /// A confirmation that names where the events begin (`frames.ack.position`).
    Ack,
    /// A confirmation whose position, if any, does not say where the events begin.
    AckPlain,
    /// A sign of life.
    Heartbeat,
    /// A refusal; `classify.body` says what it calls for.
    Error,
    /// A planned-close notice.
    Closing,
}

/// A frame for which the rule holds is of this kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameRule {
    /// Pointer to the telling value.
    pub at: String,
    /// It must be this; without it, it must only be there.
    pub equals: Option<Scalar>,
    /// A second value that must hold too.
    pub and: Option<Rule>,
    /// The kind.
    pub is: FrameKind,
}

/// A condition on one value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Pointer to it.
    pub at: String,
    /// It must be this; without it, it must only be there (and not be null).
    pub equals: Option<Scalar>,
}

/// A text, number or boolean of the profile, as its JSON text without quotes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, an integer or a boolean")
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar(value.to_owned()))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Where an event's parts are. With `items` every pointer is into the item, else into the frame.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventFields {
    /// Pointer (in the frame) to an array of events.
    pub items: Option<String>,
    /// Pointer to the position: a number or a decimal text.
    pub sequence: Option<String>,
    /// Pointer to the key.
    pub key: String,
    /// How the key is written.
    #[serde(default)]
    pub key_encoding: Encoding,
    /// Pointer to the vendor's event id.
    pub id: Option<String>,
    /// Pointer to the vendor's name of the kind.
    pub kind: Option<String>,
    /// Pointer to the vendor's time.
    pub time: Option<String>,
    /// How that time is written.
    #[serde(default)]
    pub time_format: TimeFormat,
    /// Pointer to the payload; empty: the event itself.
    #[serde(default)]
    pub payload: String,
    /// How the payload is written.
    #[serde(default)]
    pub payload_encoding: Encoding,
    /// A missing payload is an empty one.
    #[serde(default)]
    pub payload_optional: bool,
    /// Holds for an event that says that its key is gone.
    pub deleted: Option<Rule>,
}

/// Where the position of a confirmation or heartbeat is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AckFields {
    /// Pointer to it.
    pub position: Option<String>,
}

/// Where a confirmation says which of the wanted keys the subscription covers. Where it leaves some
/// out, the stream is not Live.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoverageFields {
    /// Pointer to an array of the keys that are covered.
    pub keys: Option<String>,
    /// Pointer to an array with an element for each key that is refused.
    pub refused: Option<String>,
}

/// Where a planned-close notice says how long it waits.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClosingFields {
    /// Pointer to a number of seconds, with or without a fraction.
    pub within_s: Option<String>,
    /// Pointer to a number of milliseconds, with or without a fraction.
    pub within_ms: Option<String>,
}

/// See [`Profile::classify`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassifyProfile {
    /// By HTTP status of requests and handshakes: `"401"`, or `"4xx"`. Else `retry`.
    pub http: BTreeMap<String, ClassName>,
    /// By WebSocket close code. Else `retry`.
    pub close: BTreeMap<String, ClassName>,
    /// By the body of an error frame, or of an HTTP answer that is no success. The first that holds
    /// decides, before the status.
    pub body: Vec<FailureRule>,
}

/// A body for which the rule holds calls for this.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureRule {
    /// Pointer to the telling value.
    pub at: String,
    /// It must be this; without it, it must only be there.
    pub equals: Option<Scalar>,
    /// What it calls for.
    pub class: ClassName,
    /// Pointer to the oldest position after which every event is served (with `stale`).
    pub floor: Option<String>,
    /// A few words for a person.
    pub what: Option<String>,
}
