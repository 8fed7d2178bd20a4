//! Every delay of the machine, in one table.

use serde::{Deserialize, Serialize};

/// Delays and bounds. All in milliseconds unless the name says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Handshake: from Open to Opened.
    pub connect_ms: u64,
    /// Subscription: from Subscribe to its confirmation.
    pub subscribe_ms: u64,
    /// How long a resume may stay unproved before a snapshot is fetched beside it.
    pub prove_ms: u64,
    /// Silence after which a socket is taken for dead. Must be below the path's own idle limit (60
    /// s for many load balancers) and above the vendor's heartbeat.
    pub idle_ms: u64,
    /// Silence after which a ping is sent.
    pub ping_ms: u64,
    /// How long a hole in a contiguous numbering may wait for a late event. One socket delivers in
    /// order, so only the vendor's own fan-out can swap events, and that is a matter of tens of
    /// milliseconds; each wait delays the recovery from a silent clamp.
    pub reorder_ms: u64,
    /// How many events may wait behind such a hole, or behind a hand-over.
    pub held_max: u64,
    /// Between two audits of a Live stream.
    pub audit_ms: u64,
    /// How far the stream may lag behind a head read by REST before that counts.
    pub grace_ms: u64,
    /// How long a hand-over may take.
    pub handover_ms: u64,
    /// First delay after a failed attempt; doubled each time, with full jitter.
    pub backoff_ms: u64,
    /// Largest delay.
    pub backoff_ms_max: u64,
    /// How long a stream must have been Live for the next attempt to be immediate.
    pub stable_ms: u64,
    /// A page request.
    pub page_ms: u64,
    /// Between two tries of a snapshot that was refused as stale or torn.
    pub refetch_ms: u64,
    /// How often a snapshot may be begun again in one attempt.
    pub snapshot_tries_max: u32,
    /// Most rows of a snapshot that are collected.
    pub snapshot_rows_max: u64,
    /// Items of a snapshot that are handed to the journal in one unit: a bracket may span units, so
    /// that a large snapshot neither needs one huge batch nor holds up other streams.
    pub snapshot_unit_items: u64,
    /// A token request.
    pub token_ms: u64,
    /// A token is renewed at this part of its life, in percent (less jitter of up to 5).
    pub token_renew_percent: u64,
    /// How long reading may stand still before the connection is given up.
    pub backpressure_ms: u64,
    /// Between two Progress records.
    pub progress_ms: u64,
    /// A snapshot that would delete keys and lacks more than this part of all is not believed, in
    /// percent …
    pub mass_delete_percent: u64,
    /// … if it lacks at least so many. An answer without any row is never believed without a
    /// person, whatever this says. Keys that events have touched meanwhile count: they save
    /// themselves from being deleted, not the snapshot from being strange.
    pub mass_delete_min: u64,
    /// How long a blocked stream waits before it tries again by itself (a scope may have been
    /// granted meanwhile).
    pub blocked_ms: u64,
}

impl Default for Timing {
    /// For a real tenant: patient with the vendor, quick to notice silence.
    fn default() -> Self {
        Self {
            connect_ms: 10_000,
            subscribe_ms: 10_000,
            prove_ms: 5_000,
            idle_ms: 35_000,
            ping_ms: 15_000,
            reorder_ms: 200,
            held_max: 100_000,
            audit_ms: 60_000,
            grace_ms: 2_000,
            handover_ms: 20_000,
            backoff_ms: 500,
            backoff_ms_max: 30_000,
            stable_ms: 60_000,
            page_ms: 20_000,
            refetch_ms: 500,
            snapshot_tries_max: 8,
            snapshot_rows_max: 1_000_000,
            snapshot_unit_items: 512,
            token_ms: 20_000,
            token_renew_percent: 80,
            backpressure_ms: 30_000,
            progress_ms: 10_000,
            mass_delete_percent: 20,
            mass_delete_min: 10,
            blocked_ms: 300_000,
        }
    }
}

impl Timing {
    /// How long an event can be under way on a socket: reading may stand still for so long, and the
    /// vendor be silent.
    pub fn under_way_ms_max(&self) -> u64 {
        self.backpressure_ms.saturating_add(self.idle_ms)
    }

    /// For the demo: the same machine, with a story to tell in a minute.
    pub fn demo() -> Self {
        Self {
            connect_ms: 1_000,
            subscribe_ms: 800,
            prove_ms: 400,
            idle_ms: 900,
            ping_ms: 400,
            reorder_ms: 150,
            audit_ms: 2_000,
            grace_ms: 250,
            handover_ms: 1_500,
            backoff_ms: 50,
            backoff_ms_max: 500,
            stable_ms: 300,
            page_ms: 1_500,
            refetch_ms: 60,
            token_ms: 1_500,
            progress_ms: 1_000,
            blocked_ms: 2_000,
            ..Self::default()
        }
    }
}
