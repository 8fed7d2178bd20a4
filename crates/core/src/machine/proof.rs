//! What the model checker needs of a machine, in the proof build only: states that differ only in
//! when they were reached count as one.

use crate::backoff::Jitter;
use crate::ids::RequestId;
use crate::machine::mutant::Mutant;
use crate::machine::timer::TimerTable;
use crate::machine::{Machine, Phase};
use crate::time::Millis;

impl Machine {
    /// The same machine with a guard taken out.
    #[must_use]
    pub fn with_mutant(mut self, mutant: Option<Mutant>) -> Self {
        self.shared.mutant = mutant;
        self
    }

    /// Shifts every moment so that `now` becomes `to`, and forgets what only tells histories apart.
    pub fn normalise(&mut self, now: Millis, to: Millis) {
        let shift = |at: &mut Millis| *at = Millis(to.0 + at.0.saturating_sub(now.0));
        let age = |at: &mut Millis| *at = Millis(to.0.saturating_sub(now.0.saturating_sub(at.0)));
        self.shared.jitter = Jitter::new(0);
        self.shared.token.timers.shift(shift);
        let mut requests_in_flight = false;
        for stream in &mut self.streams {
            stream.timers.shift(shift);
            if let Phase::Waiting { until, .. } = &mut stream.phase {
                shift(until);
            }
            if let Some(run) = &mut stream.run {
                age(&mut run.begun_at);
                requests_in_flight |= run.request.is_some();
            }
            for link in [&mut stream.link, &mut stream.spare].into_iter().flatten() {
                if let Some(acked) = &mut link.acked {
                    age(&mut acked.at);
                }
            }
            if let Some(at) = &mut stream.live_since {
                age(at);
            }
            if let Some(at) = &mut stream.outage.stale_since {
                age(at);
            }
            stream.outage.attempts = stream.outage.attempts.min(2);
            stream.forget_counts();
        }
        if !requests_in_flight {
            self.shared.last_request = RequestId(0);
        }
    }
}

impl TimerTable {
    fn shift(&mut self, mut shift: impl FnMut(&mut Millis)) {
        self.deadlines_mut().for_each(&mut shift);
    }
}
