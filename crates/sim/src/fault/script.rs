//! When which fault is injected.

use super::Fault;

/// A schedule of faults: rounds in seeded order, one after another, with room to recover between.
///
/// Each round injects every fault once. Rounds begin as long as there is time; when the time is
/// over, faults that never fired are tried again, up to three times the time asked for.
#[derive(Clone, Debug)]
pub struct Script {
    /// What is injected in each round.
    pub faults: Vec<Fault>,
    /// The fault phase, in milliseconds.
    pub duration_ms: u64,
    /// How long a subscription must have been up before the next fault, in milliseconds.
    pub settle_ms: u64,
    /// A seeded delay of up to this many milliseconds comes on top.
    pub jitter_ms: u64,
    /// The play ends after so many milliseconds, whatever has fired.
    pub duration_ms_max: u64,
    rng: fastrand::Rng,
    round: Vec<Fault>,
}

impl Script {
    /// All of the faults, again and again in seeded order, for `duration_ms`.
    pub fn all(seed: u64, faults: Vec<Fault>, duration_ms: u64) -> Self {
        Self {
            faults,
            duration_ms,
            settle_ms: 600,
            jitter_ms: 300,
            duration_ms_max: duration_ms.saturating_mul(3),
            rng: fastrand::Rng::with_seed(seed ^ 0x5c21_9700),
            round: Vec::new(),
        }
    }

    /// How long to wait before the next fault, beside the time to settle.
    pub(crate) fn delay_ms(&mut self) -> u64 {
        self.rng.u64(0..=self.jitter_ms)
    }

    /// The fault whose turn it is. After the time is over only those are left that `unfired` names;
    /// `None` ends the play.
    pub(crate) fn next(&mut self, elapsed_ms: u64, unfired: &[Fault]) -> Option<Fault> {
        let late = elapsed_ms >= self.duration_ms;
        if self.faults.is_empty() || elapsed_ms >= self.duration_ms_max {
            return None;
        }
        if late {
            self.round.retain(|fault| unfired.contains(fault));
        }
        if self.round.is_empty() {
            let again = if late { unfired } else { &self.faults };
            self.round = again.to_vec();
            self.rng.shuffle(&mut self.round);
        }
        self.round.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_has_every_fault_once_and_the_seed_decides_the_order() {
        let faults = Fault::ALL.to_vec();
        let mut script = Script::all(7, faults.clone(), 60_000);
        let mut again = Script::all(7, faults.clone(), 60_000);
        let mut round: Vec<_> = faults.iter().filter_map(|_| script.next(0, &[])).collect();
        let same: Vec<_> = faults.iter().filter_map(|_| again.next(0, &[])).collect();
        assert_eq!(round, same);
        round.sort();
        assert_eq!(round, faults);
    }

    #[test]
    fn overtime_is_for_what_never_fired_and_ends_at_three_times_the_duration() {
        let mut script = Script::all(7, Fault::ALL.to_vec(), 1_000);
        script.next(0, &[]);
        let unfired = [Fault::TornSnapshot];
        assert_eq!(script.next(1_500, &unfired), Some(Fault::TornSnapshot));
        assert_eq!(script.next(1_500, &unfired), Some(Fault::TornSnapshot));
        assert_eq!(script.next(1_500, &[]), None);
        assert_eq!(script.next(3_000, &unfired), None);
    }
}
