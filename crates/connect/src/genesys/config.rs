//! See [`GenesysConfig`].

use serde::Deserialize;
use unbroken_core::connector::History;

use crate::genesys::topic::Kind;

/// `[source.genesys]`: what to subscribe to, and what the account allows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenesysConfig {
    /// The account's region, such as `mypurecloud.ie`: gives `api`, `stream` and `auth.url` where
    /// they are not set.
    pub region: Option<String>,
    /// What to record of the agents; each is a stream of its own.
    pub topics: Vec<Kind>,
    /// Management units whose adherence is recorded, in place of a topic for each agent.
    pub management_units: Vec<String>,
    /// Teams, in the same way.
    pub teams: Vec<String>,
    /// Queues whose conversations are recorded, beside the agents'.
    pub queues: Vec<String>,
    /// Channels that the account lets this client have. The vendor's SDK says 20.
    pub channels_max: usize,
    /// Of these: left free, so that a hand-over can open a second one.
    pub channels_spare: usize,
    /// Topics of one channel. The vendor's streaming client says 1,000.
    pub topics_per_channel_max: usize,
    /// Topics in one request; more are sent in several.
    pub topics_per_request_max: usize,
    /// Users in one request for adherence. The vendor's SDK says 100.
    pub users_per_request_max: usize,
    /// Life of a channel in milliseconds, where the vendor names no earlier end. Before it is over
    /// a second channel takes over.
    pub channel_life_ms: u64,
    /// Between two looks at what a channel holds, in milliseconds.
    pub channel_look_ms: u64,
    /// How long the vendor waits after it has said that it will close a socket, in milliseconds:
    /// up to a minute, says its streaming client.
    pub closing_notice_ms: u64,
    /// Ask analytics what happened to conversations in a gap.
    pub history: bool,
    /// Ask the historical adherence job what agents did in a gap; needs `management_units`.
    pub adherence_history: bool,
    /// How long after an interval its facts may still be missing, in milliseconds. Not published.
    pub history_lag_ms: u64,
    /// Between two answers that have to agree, in milliseconds.
    pub history_again_ms: u64,
    /// Between two looks at a job that is not done, in milliseconds.
    pub history_look_ms: u64,
    /// Longest conversation, in milliseconds: one that began so long before a gap may reach into
    /// it.
    pub conversation_length_max_ms: u64,
    /// So often a channel may be gone before its time within `evictions_window_ms`; then somebody
    /// else is at work with the same client, and a person has to part the two.
    pub evictions_max: usize,
    /// See `evictions_max`, in milliseconds.
    pub evictions_window_ms: u64,
}

impl Default for GenesysConfig {
    fn default() -> Self {
        const MINUTE_MS: u64 = 60_000;
        const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
        Self {
            region: None,
            topics: vec![Kind::Adherence],
            management_units: Vec::new(),
            teams: Vec::new(),
            queues: Vec::new(),
            channels_max: 20,
            channels_spare: 2,
            topics_per_channel_max: 1_000,
            topics_per_request_max: 1_000,
            users_per_request_max: 100,
            channel_life_ms: DAY_MS,
            channel_look_ms: 5 * MINUTE_MS,
            closing_notice_ms: MINUTE_MS,
            history: true,
            adherence_history: false,
            history_lag_ms: 5 * MINUTE_MS,
            history_again_ms: MINUTE_MS,
            history_look_ms: 5_000,
            conversation_length_max_ms: DAY_MS,
            evictions_max: 3,
            evictions_window_ms: 10 * MINUTE_MS,
        }
    }
}

impl GenesysConfig {
    /// What can be asked about the past of such a stream.
    pub(super) fn history_of(&self, kind: Kind) -> Option<History> {
        /// An answer that has not agreed with another one by then never will: at a minute each,
        /// half an hour.
        const WALKS_MAX: u32 = 30;
        let is_asked = match kind {
            Kind::Conversations => self.history,
            Kind::Adherence => self.adherence_history,
            Kind::Presence | Kind::RoutingStatus | Kind::Activity => false,
        };
        is_asked.then_some(History {
            lag_ms: self.history_lag_ms,
            reach_ms: match kind {
                Kind::Conversations => self.conversation_length_max_ms,
                _ => 0,
            },
            again_ms: self.history_again_ms,
            walks_max: WALKS_MAX,
        })
    }
}
