//! The two clocks: [`Millis`], the only one that decides anything, and [`UnixMicros`], which is
//! data.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// Monotonic milliseconds since an origin that the driver picks. Never read here, always given.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// Milliseconds from `earlier` to `self`, 0 if `earlier` is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Millis {
    type Output = Self;
    fn add(self, delay_ms: u64) -> Self {
        Self(self.0.saturating_add(delay_ms))
    }
}

impl Sub<u64> for Millis {
    type Output = Self;
    fn sub(self, delay_ms: u64) -> Self {
        Self(self.0.saturating_sub(delay_ms))
    }
}

/// Wall-clock microseconds since 1970-01-01T00:00:00Z. Recorded, compared in the ledger, never used
/// for a deadline: a clock that is set back must not stop a timer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMicros(pub i64);

impl fmt::Display for UnixMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
