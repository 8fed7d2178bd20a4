//! What is said on the socket.

use serde::Deserialize;

/// See [`crate::generic::Profile::messages`]. All are templates for JSON.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessagesProfile {
    /// Says who we are, before anything else, for vendors that take no token in the handshake.
    /// Where `frames.kinds` knows a `login_ack`, nothing else is sent before it has come.
    pub login: Option<String>,
    /// Hands a renewed token over on an open socket.
    pub renew: Option<String>,
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
    /// Most keys in one message; more are spread over several, each of which is confirmed for
    /// itself (unless `capabilities.ack` is `none`).
    pub keys_max: Option<u32>,
    /// Events after `position`.
    pub after: Option<String>,
    /// Events from now on.
    pub now: Option<String>,
    /// Like `after`, with no keys configured.
    pub after_all: Option<String>,
    /// Like `now`, with no keys configured.
    pub now_all: Option<String>,
}
