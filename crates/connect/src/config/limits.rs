//! Bounds in bytes.

use serde::Deserialize;

/// Bounds of what is held in memory for one source, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// One WebSocket message. 16 MiB: far above any event, far below a danger.
    pub frame_bytes_max: usize,
    /// One HTTP answer after decompression. 32 MiB: tens of thousands of rows.
    pub body_bytes_max: usize,
    /// Handed to the journal and not yet durable; above it the sockets are not read. What was read
    /// in one go (at most 4 MiB, or one message) may lie above it.
    pub in_flight_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self { frame_bytes_max: 16 * MIB, body_bytes_max: 32 * MIB, in_flight_bytes_max: 32 * MIB }
    }
}
