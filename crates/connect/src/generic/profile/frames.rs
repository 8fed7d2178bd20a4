//! What is heard on the socket.

use serde::Deserialize;

use crate::generic::profile::{Encoding, Rule, Scalar, TimeFormat};

/// See [`crate::generic::Profile::frames`].
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
    /// Holds for a frame whose last position may go on in the next frame (capability
    /// `position_whole_in_frame` all the same): the vendor splits what would be too large.
    pub more: Option<Rule>,
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
    /// The login, or a renewed token, is accepted.
    LoginAck,
    /// It is refused; `classify.body` says what that calls for, else `reauthorize`.
    LoginRefused,
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

/// Where an event's parts are. With `items` every pointer is into the item, and behind `outer:`
/// into the frame (not for the payload); else all are into the frame.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventFields {
    /// Pointer (in the frame) to an array of events. A `*` in it stands for every element on the
    /// way. A frame of this kind without it is not known.
    pub items: Option<String>,
    /// The events may be the members of an object instead; `@name` is then a member's name.
    #[serde(default)]
    pub items_map: bool,
    /// The array may be left out: then there are no events.
    #[serde(default)]
    pub items_optional: bool,
    /// Pointer to the position, as `position_format` says.
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
