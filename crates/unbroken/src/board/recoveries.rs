//! How long outages last, from the end of Live to its return.

use serde::{Deserialize, Serialize};

/// Upper bounds, in seconds: from a cut on a good road to a vendor's bad hour.
pub const RECOVERY_SECONDS: [&str; 10] =
    ["0.1", "0.3", "1", "3", "10", "30", "100", "300", "1000", "3600"];

/// The same, in microseconds.
const BOUNDS_US: [u64; 10] = [
    100_000,
    300_000,
    1_000_000,
    3_000_000,
    10_000_000,
    30_000_000,
    100_000_000,
    300_000_000,
    1_000_000_000,
    3_600_000_000,
];

/// Outages that are over, by how long they lasted. Neither the start nor a pause is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recoveries {
    /// How many lasted no longer than each bound.
    pub within: [u64; 10],
    /// How many there were.
    pub count: u64,
    /// How long they lasted together, in microseconds.
    pub sum_us: u64,
}

impl Recoveries {
    /// One more.
    pub(super) fn note(&mut self, lasted_us: u64) {
        for (within, bound_us) in self.within.iter_mut().zip(BOUNDS_US) {
            *within += u64::from(lasted_us <= bound_us);
        }
        self.count += 1;
        self.sum_us += lasted_us;
    }
}

#[cfg(test)]
mod tests {
    use super::{BOUNDS_US, RECOVERY_SECONDS, Recoveries};

    #[test]
    fn an_outage_counts_below_every_bound_that_it_keeps() {
        for (text, bound_us) in RECOVERY_SECONDS.iter().zip(BOUNDS_US) {
            let seconds: f64 = text.parse().expect("a number");
            assert_eq!((seconds * 1_000_000.0).round() as u64, bound_us);
        }
        let mut recoveries = Recoveries::default();
        recoveries.note(300_000);
        recoveries.note(300_001);
        recoveries.note(7_200_000_000);
        assert_eq!(recoveries.within, [0, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!((recoveries.count, recoveries.sum_us), (3, 7_200_600_001));
    }
}
