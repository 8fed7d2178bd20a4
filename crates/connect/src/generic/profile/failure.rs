//! What failures call for.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::generic::classify::ClassName;
use crate::generic::profile::Scalar;

/// See [`crate::generic::Profile::classify`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassifyProfile {
    /// By HTTP status of requests and handshakes: `"401"`, or `"4xx"`. Else `retry`.
    pub http: BTreeMap<String, ClassName>,
    /// By WebSocket close code. Else `retry`.
    pub close: BTreeMap<String, ClassName>,
    /// Where an HTTP answer that is no success says why, for a person: `header:` and a name.
    pub reason: Option<String>,
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
