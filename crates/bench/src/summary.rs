//! Figures, and what they come to over the rounds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One run of one contestant.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Run {
    pub(crate) contestant: String,
    pub(crate) round: usize,
    pub(crate) agents: usize,
    /// Distinct events; all of them were found in what it had stored.
    pub(crate) events: usize,
    /// From the first frame sent to the last event stored as safely as it promises.
    pub(crate) wall_us: u64,
    /// User and system time of the process in the same time.
    pub(crate) cpu_us: u64,
    /// The same until it had ended in peace: what it puts off is done (for Unbroken: the SQLite
    /// store holds everything and is synced, an image is written).
    pub(crate) wall_to_end_us: Option<u64>,
    pub(crate) cpu_to_end_us: Option<u64>,
    /// Memory before the first event, after the last one, and at most.
    pub(crate) rss_before_kib: u64,
    pub(crate) rss_after_kib: u64,
    pub(crate) rss_peak_kib: u64,
    /// Of a run at a fixed rate.
    pub(crate) latency: Option<Latency>,
}

/// From the time at which an event was meant to be sent to the time at which it was stored.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) p999_us: u64,
    pub(crate) max_us: u64,
    /// The most that the server itself was behind its plan.
    pub(crate) sender_late_us_max: u64,
}

/// What the machine can do at best, each thing alone, on the core under test.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LimitFigures {
    /// Reading the same bytes from a socket and dropping them.
    pub(crate) raw_events_per_s: f64,
    pub(crate) raw_cpu_us_per_event: f64,
    /// Reading position, epoch, time and the raw payload of each event.
    pub(crate) parse_us_per_event: f64,
    /// Appending batches of 1,000 events with a checksum, each batch synced.
    pub(crate) append_events_per_s: f64,
    /// 4 KiB written over zeros and synced.
    pub(crate) fdatasync_p50_us: f64,
    pub(crate) fdatasync_p99_us: f64,
}

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) size: String,
    pub(crate) rounds: usize,
    pub(crate) machine: Machine,
    pub(crate) limits: Vec<LimitFigures>,
    pub(crate) runs: Vec<Run>,
    /// Name of the figure → median, lowest, highest over the rounds.
    pub(crate) figures: BTreeMap<String, Figure>,
}

/// Where it was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) kernel: String,
    pub(crate) node: String,
    pub(crate) measured_at: String,
}

/// A figure over the rounds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Figure {
    /// `None` of nothing.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        Some(Self { median, min, max })
    }
}

impl Run {
    pub(crate) fn events_per_s(&self) -> f64 {
        self.events as f64 * 1e6 / self.wall_us.max(1) as f64
    }

    pub(crate) fn cpu_us_per_event(&self) -> f64 {
        self.cpu_us as f64 / self.events.max(1) as f64
    }

    pub(crate) fn to_end_per_s(&self) -> Option<f64> {
        Some(self.events as f64 * 1e6 / self.wall_to_end_us?.max(1) as f64)
    }

    pub(crate) fn cpu_to_end_us_per_event(&self) -> Option<f64> {
        Some(self.cpu_to_end_us? as f64 / self.events.max(1) as f64)
    }
}

impl Latency {
    /// `None` of nothing. Both are microseconds per distinct event: meant to be sent, and stored.
    pub(crate) fn of(mut delays: Vec<u64>, sender_late_us_max: u64) -> Option<Self> {
        delays.sort_unstable();
        let at = |part: f64| {
            let index = (part * delays.len() as f64).ceil() as usize;
            delays.get(index.saturating_sub(1)).copied()
        };
        Some(Self {
            p50_us: at(0.5)?,
            p99_us: at(0.99)?,
            p999_us: at(0.999)?,
            max_us: at(1.0)?,
            sender_late_us_max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_median_and_range() {
        let figure = Figure::of(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((figure.median, figure.min, figure.max), (2.0, 1.0, 3.0));
        assert_eq!(Figure::of(vec![1.0, 2.0]).unwrap().median, 1.5);
        assert!(Figure::of(Vec::new()).is_none());
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let latency = Latency::of((1..=1_000).rev().collect(), 7).unwrap();
        assert_eq!((latency.p50_us, latency.p99_us, latency.p999_us), (500, 990, 999));
        assert_eq!((latency.max_us, latency.sender_late_us_max), (1_000, 7));
        assert!(Latency::of(Vec::new(), 0).is_none());
    }
}
