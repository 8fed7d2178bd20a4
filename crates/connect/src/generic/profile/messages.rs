//! What is said on the socket.

use serde::Deserialize;

/// See [`crate::generic::Profile::messages`]. All are templates for JSON.
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
