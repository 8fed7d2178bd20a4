//! What a path is like that is slow and not broken.

use std::time::Duration;

/// Most bytes that are read at once.
const CHUNK_BYTES_MAX: usize = 64 << 10;
/// A throttled path carries what passes in a part of a second at once, so that it trickles.
const CHUNKS_PER_SECOND: u64 = 20;

/// How slow the path is, for every connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Before anything passes on a new connection, in milliseconds: as if TCP's own handshake had
    /// taken it.
    pub connect_ms: u64,
    /// Each byte takes so long each way, in milliseconds.
    pub latency_ms: u64,
    /// … and up to so much longer, by the seed. Bytes never overtake each other.
    pub jitter_ms: u64,
    /// Most bytes in a second, each way of each connection; none: as many as come.
    pub bytes_per_second: Option<u64>,
}

impl Weather {
    /// Most bytes to read at once.
    pub(crate) fn chunk_bytes_max(&self) -> usize {
        let throttled = self.bytes_per_second.map(|rate| (rate / CHUNKS_PER_SECOND).max(1));
        let throttled = throttled.and_then(|bytes| usize::try_from(bytes).ok());
        throttled.map_or(CHUNK_BYTES_MAX, |bytes| bytes.min(CHUNK_BYTES_MAX))
    }

    /// How long so many bytes take to leave.
    pub(crate) fn sending(&self, bytes: usize) -> Duration {
        let Some(rate) = self.bytes_per_second else { return Duration::ZERO };
        let micros = (bytes as u64).saturating_mul(1_000_000) / rate.max(1);
        Duration::from_micros(micros)
    }
}
