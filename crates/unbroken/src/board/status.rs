//! How sources and streams are doing, as told to people and programs.

use serde::{Deserialize, Serialize};
use unbroken_core::time::UnixMicros;

/// How one source is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Why it has stopped, if it has.
    pub stopped: Option<String>,
    /// Its streams.
    pub streams: Vec<StreamStatus>,
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
        }
    }

    /// Complete, current, proved.
    pub fn is_live(&self) -> bool {
        self.phase == "live"
    }
}
