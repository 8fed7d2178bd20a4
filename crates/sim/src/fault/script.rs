//! When which fault is injected.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::interval;

use super::Fault;
use crate::estate::Share;

/// Between two looks of a script at the vendor.
const SCRIPT_MS: u64 = 20;

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

/// Plays a script at a vendor until it is over.
pub(crate) async fn play(share: Share, mut script: Script, over: watch::Sender<bool>) {
    let clock = share.lock().clock();
    let began_ms = clock.now_ms();
    let mut calm_since_ms = None;
    let mut delay_ms = script.settle_ms + script.delay_ms();
    let mut looks = interval(Duration::from_millis(SCRIPT_MS));
    loop {
        looks.tick().await;
        let now_ms = clock.now_ms();
        let mut estate = share.lock();
        let is_up = estate.live_count() > 0;
        let faults = estate.faults();
        let is_calm = is_up && faults.is_idle();
        if !is_calm {
            calm_since_ms = None;
        }
        let since_ms = *calm_since_ms.get_or_insert(now_ms.max(faults.ended_ms()));
        if !is_calm || now_ms < since_ms + delay_ms {
            if now_ms - began_ms < script.duration_ms_max {
                continue;
            }
            break;
        }
        let counts = faults.counts();
        let has_fired = |fault: &Fault| counts.get(fault).is_some_and(|count| count.fired > 0);
        let unfired: Vec<_> =
            script.faults.iter().filter(|fault| !has_fired(fault)).copied().collect();
        let Some(fault) = script.next(now_ms - began_ms, &unfired) else { break };
        faults.enqueue(&[fault]);
        calm_since_ms = None;
        delay_ms = script.settle_ms + script.delay_ms();
    }
    over.send_replace(true);
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
