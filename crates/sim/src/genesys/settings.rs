//! What kind of Genesys Cloud to be.

/// What kind of Genesys Cloud to be. The defaults are the documented times and limits; a test
/// divides the times by [`Settings::scaled`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// What every simulated vendor has: the seed, the agents, the events per second, the road, the
    /// heartbeats, the token's life, how often agents come and go, the credentials, the
    /// ledger's file. What speaks of positions and of a baseline's rows does not count here.
    pub vendor: crate::Settings,
    /// Management units that the agents are spread over.
    pub units: u32,
    /// Teams in each of them.
    pub teams_per_unit: u32,
    /// Queues that conversations come through.
    pub queues: u32,
    /// Channels that one client of an account can have: 20 by the SDK's own text.
    pub channels_max: usize,
    /// Topics of one channel: 1,000 by the streaming client's constant.
    pub topics_max: usize,
    /// Life of a channel, in milliseconds: 24 h. Every change of its subscriptions prolongs it.
    pub channel_life_ms: u64,
    /// An evicted channel is told `no_longer_subscribed` first. Nobody has published on which topic
    /// a plain WebSocket hears that, or whether it does; without it eviction is silent.
    pub eviction_told: bool,
    /// Requests that one token has in each window: 300 a minute.
    pub rate_max: u32,
    /// The window, in milliseconds.
    pub rate_window_ms: u64,
    /// Rows above which a listing comes as a `downloadUrl`. The real bound is not published.
    pub listing_rows_max: usize,
    /// How long analytics lag behind, in milliseconds. The real lag is not published.
    pub history_lag_ms: u64,
    /// What counts as a day where an interval matches conversations by their day of start, in
    /// milliseconds.
    pub day_ms: u64,
    /// How long a historical adherence job takes, in milliseconds.
    pub job_ms: u64,
    /// Topics that this client has no permission for, as they would be subscribed to.
    pub forbidden_topics: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            vendor: crate::Settings {
                heartbeat_ms: 30_000,
                closing_notice_ms: 60_000,
                token_life_ms: 86_400_000,
                numbering: crate::Numbering::None,
                rate: 50.0,
                churn_ms: 0,
                ..crate::Settings::default()
            },
            units: 4,
            teams_per_unit: 3,
            queues: 5,
            channels_max: 20,
            topics_max: 1_000,
            channel_life_ms: 86_400_000,
            eviction_told: false,
            rate_max: 300,
            rate_window_ms: 60_000,
            listing_rows_max: 500,
            history_lag_ms: 60_000,
            day_ms: 86_400_000,
            job_ms: 2_000,
            forbidden_topics: Vec::new(),
        }
    }
}

/// How much longer analytics lag behind at the worst, in milliseconds, and how many times their
/// usual lag comes on top.
const LATE_MS: u64 = 1_500;
const LATE_TIMES: u64 = 4;

impl Settings {
    /// How long analytics lag behind while [`crate::Fault::LateHistory`] is in force, in
    /// milliseconds: never longer. Whoever asks after so long sees what there was.
    pub fn history_lag_ms_max(&self) -> u64 {
        LATE_MS + (LATE_TIMES + 1) * self.history_lag_ms
    }

    /// The same with every time divided: `scaled(120)` sends heartbeats each 250 ms, announces a
    /// close half a second ahead, and ends channels after 12 minutes. The token's life and the
    /// rate of requests stay as they are.
    #[must_use]
    pub fn scaled(mut self, by: u64) -> Self {
        let by = by.max(1);
        for ms in [
            &mut self.vendor.heartbeat_ms,
            &mut self.vendor.closing_notice_ms,
            &mut self.channel_life_ms,
            &mut self.history_lag_ms,
            &mut self.day_ms,
            &mut self.job_ms,
        ] {
            *ms = (*ms / by).max(1);
        }
        self
    }
}
