//! Delays between attempts: exponential with full jitter, from a seed.

/// A small generator (splitmix64): jitter needs spread, not secrecy, and a seed makes runs repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Jitter(u64);

impl Jitter {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to `bound`, both included.
    pub fn up_to(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        if bound == u64::MAX { z } else { z % (bound + 1) }
    }

    /// The delay before attempt number `attempt` (from 0), in milliseconds: anywhere from 0 to
    /// `first_ms · 2^attempt`, at most `max_ms`. Full jitter, so that a whole tenant's clients that
    /// lost their sockets at one moment do not come back at one moment.
    pub fn delay_ms(&mut self, attempt: u32, first_ms: u64, max_ms: u64) -> u64 {
        let ceiling = first_ms.saturating_mul(1 << attempt.min(20)).min(max_ms);
        self.up_to(ceiling)
    }
}
