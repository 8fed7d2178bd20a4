//! Faults one after the other, for a client that nobody watches.

use super::PollFault;

/// Between two faults: at least this, and a seeded part of as much again, in milliseconds.
const PAUSE_MS: u64 = 400;

/// Rounds of faults in seeded order.
#[derive(Debug)]
pub(crate) struct Play {
    faults: Vec<PollFault>,
    round: Vec<PollFault>,
    rng: fastrand::Rng,
    next_ms: u64,
}

impl Play {
    pub(crate) fn new(seed: u64, faults: Vec<PollFault>) -> Self {
        let rng = fastrand::Rng::with_seed(seed ^ 0x5c21_9700);
        Self { faults, round: Vec::new(), rng, next_ms: 0 }
    }

    /// The fault whose turn it is, if the time for one has come.
    pub(crate) fn next(&mut self, now_ms: u64) -> Option<PollFault> {
        if now_ms < self.next_ms {
            return None;
        }
        if self.round.is_empty() {
            self.round.clone_from(&self.faults);
            self.rng.shuffle(&mut self.round);
        }
        self.round.pop()
    }

    /// A fault is in force, or the client has not come back from it: the pause begins anew.
    pub(crate) fn wait(&mut self, now_ms: u64) {
        self.next_ms = now_ms + PAUSE_MS + self.rng.u64(0..PAUSE_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_has_every_fault_once_and_a_pause_is_kept() {
        let mut play = Play::new(7, PollFault::ALL.to_vec());
        let mut round: Vec<_> = PollFault::ALL.iter().filter_map(|_| play.next(0)).collect();
        round.sort_unstable();
        assert_eq!(round, PollFault::ALL);
        play.wait(1_000);
        assert_eq!(play.next(1_000 + PAUSE_MS - 1), None);
        assert!(play.next(1_000 + 2 * PAUSE_MS).is_some());
    }
}
