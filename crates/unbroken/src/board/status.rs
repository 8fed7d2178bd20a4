//! How sources and streams are doing, as told to people and programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use unbroken_core::time::UnixMicros;

use super::recoveries::Recoveries;

/// How one source is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Why it has stopped, if it has.
    pub stopped: Option<String>,
    /// What a person should do about that.
    #[serde(default)]
    pub todo: Option<String>,
    /// What it has asked the vendor for, and what is on its way to the disk.
    #[serde(default)]
    pub counts: SourceCounts,
    /// Its streams.
    pub streams: Vec<StreamStatus>,
}

/// Figures of one source. Counts are since the process started; of pairs, the first went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceCounts {
    /// Handshakes.
    pub handshakes: (u64, u64),
    /// Requests for the head or a page.
    pub requests: (u64, u64),
    /// Requests for a token.
    pub tokens: (u64, u64),
    /// Frames read.
    pub frames: u64,
    /// Things in them that the profile does not know.
    pub unknown: u64,
    /// Bytes handed to the journal and not durable yet.
    pub in_flight_bytes: u64,
    /// Events handed to the journal and not durable yet.
    pub in_flight_events: u64,
    /// When the last frame was read.
    pub frame_at: Option<UnixMicros>,
    /// When the token ends, if it is known.
    pub token_expires_at: Option<UnixMicros>,
}

/// How one stream is doing. Counts are since the process started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// Its name, `source/stream`.
    pub stream: String,
    /// Its phase, in one word.
    pub phase: String,
    /// Why it waits or is blocked, if it does.
    pub why: Option<String>,
    /// What a person should do, if anything.
    pub todo: Option<String>,
    /// Since when it is in this phase.
    pub since: UnixMicros,
    /// The rung by which it last recovered.
    pub rung: Option<String>,
    /// Where a resume would start.
    pub position: Option<String>,
    /// The vendor's time of the newest durable event.
    pub event_at: Option<UnixMicros>,
    /// When its last frame was read.
    #[serde(default)]
    pub frame_at: Option<UnixMicros>,
    /// Events stored durably.
    pub events: u64,
    /// Events that came again and were dropped.
    pub duplicates: u64,
    /// Frames of another subscription that were dropped.
    pub foreign: u64,
    /// Connections lost.
    pub lost: u64,
    /// Times it became live.
    pub live_count: u64,
    /// Snapshots published.
    pub snapshots: u64,
    /// Gaps opened.
    pub gaps_opened: u64,
    /// Gaps closed.
    pub gaps_closed: u64,
    /// Ledger rows that are open.
    pub gaps_open: u64,
    /// The last alarm.
    pub alarm: Option<String>,
    /// Since when too many of the vendor's frames have not been understood, while that is so.
    #[serde(default)]
    pub schema_changed_at: Option<UnixMicros>,
    /// When it was last live (or the process started); none while it is.
    #[serde(default)]
    pub doubted_since: Option<UnixMicros>,
    /// A person has paused it since it was last live.
    #[serde(default)]
    pub was_paused: bool,
    /// How long it took to become live again.
    #[serde(default)]
    pub recoveries: Recoveries,
    /// Frames or events that were not understood and kept aside.
    #[serde(default)]
    pub quarantined: u64,
    /// `lost`, by what the loss calls for.
    #[serde(default)]
    pub lost_by: BTreeMap<String, u64>,
    /// Times it waited because the source's budget was spent, by budget.
    #[serde(default)]
    pub over_budget_by: BTreeMap<String, u64>,
    /// Until when it waits because the source's budget is spent; a moment that has passed: it waits
    /// no more.
    #[serde(default)]
    pub over_budget_until: Option<UnixMicros>,
    /// `gaps_opened`, by cause.
    #[serde(default)]
    pub gaps_opened_by: BTreeMap<String, u64>,
    /// `gaps_closed`, by outcome.
    #[serde(default)]
    pub gaps_closed_by: BTreeMap<String, u64>,
}

impl StreamStatus {
    /// Of a stream of which nothing is known yet.
    pub fn new(stream: &str, now: UnixMicros) -> Self {
        Self {
            stream: stream.to_owned(),
            phase: "idle".to_owned(),
            why: None,
            todo: None,
            since: now,
            rung: None,
            position: None,
            event_at: None,
            frame_at: None,
            events: 0,
            duplicates: 0,
            foreign: 0,
            lost: 0,
            live_count: 0,
            snapshots: 0,
            gaps_opened: 0,
            gaps_closed: 0,
            gaps_open: 0,
            alarm: None,
            schema_changed_at: None,
            doubted_since: Some(now),
            was_paused: false,
            recoveries: Recoveries::default(),
            quarantined: 0,
            lost_by: BTreeMap::new(),
            over_budget_by: BTreeMap::new(),
            over_budget_until: None,
            gaps_opened_by: BTreeMap::new(),
            gaps_closed_by: BTreeMap::new(),
        }
    }

    /// A person has paused it.
    pub fn is_paused(&self) -> bool {
        self.phase == "paused"
    }

    /// The number of its position, without the epoch.
    pub fn sequence(&self) -> Option<u64> {
        self.position.as_ref()?.rsplit_once(':')?.1.parse().ok()
    }

    /// Whether it waits at this moment because the source's budget is spent.
    pub fn waits_for_budget(&self, now: UnixMicros) -> bool {
        self.over_budget_until.is_some_and(|until| until > now)
    }

    /// Complete, current, proved.
    pub fn is_live(&self) -> bool {
        self.phase == "live"
    }
}
