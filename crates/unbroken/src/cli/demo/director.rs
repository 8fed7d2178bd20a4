//! Which fault comes next. The first round tells each fault alone, so that its story can be told;
//! later rounds do not wait for one to be over before the next begins.

use std::time::Duration;

use fastrand::Rng;
use unbroken_sim::Fault;

/// The play is at most so many times as long as asked for.
const EXTENSION_MAX: u32 = 3;

/// See the module.
#[derive(Debug)]
pub(super) struct Director {
    faults: Vec<Fault>,
    duration: Duration,
    rng: Rng,
    round: Vec<Fault>,
    rounds: u32,
}

/// What the director wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cue {
    /// Inject this one.
    Inject(Fault),
    /// Wait until the present one is over.
    Hold,
    /// The play is over.
    Over,
}

/// What the director sees.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    /// Since the play began.
    pub(super) elapsed: Duration,
    /// Episodes that have neither recovered nor been missed.
    pub(super) open: usize,
    /// The stream is live and has been for a while.
    pub(super) settled: bool,
    /// Faults that have not yet both fired and recovered.
    pub(super) outstanding: &'a [Fault],
}

impl Director {
    pub(super) fn new(seed: u64, faults: Vec<Fault>, duration: Duration) -> Self {
        // Not the vendor's own sequence: its agents must not depend on the order of the faults.
        let rng = Rng::with_seed(seed ^ 0x0d12_ec70);
        Self { faults, duration, rng, round: Vec::new(), rounds: 0 }
    }

    /// Whether the time that was asked for is over, and the play is being extended.
    pub(super) fn is_overtime(&self, elapsed: Duration) -> bool {
        elapsed >= self.duration
    }

    /// What to do now.
    pub(super) fn cue(&mut self, scene: &Scene<'_>) -> Cue {
        let late = self.is_overtime(scene.elapsed);
        let all_told = scene.outstanding.is_empty();
        if scene.elapsed >= self.duration * EXTENSION_MAX || (late && all_told) {
            return Cue::Over;
        }
        let alone = self.rounds <= 1 || late;
        if self.faults.is_empty() || !scene.settled || (alone && scene.open > 0) || scene.open > 1 {
            return Cue::Hold;
        }
        if late {
            self.round.retain(|fault| scene.outstanding.contains(fault));
        }
        if self.round.is_empty() {
            self.round = if late { scene.outstanding.to_vec() } else { self.faults.clone() };
            self.rng.shuffle(&mut self.round);
            self.rounds += 1;
        }
        self.round.pop().map_or(Cue::Hold, Cue::Inject)
    }

    /// A pause before the next fault, so that it does not strike at the same stage each time.
    pub(super) fn pause(&mut self) -> Duration {
        Duration::from_millis(self.rng.u64(100..500))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use unbroken_sim::Fault;

    use super::{Cue, Director, Scene};

    const FAULTS: [Fault; 2] = [Fault::CleanClose, Fault::TcpReset];

    fn scene(seconds: u64, open: usize, outstanding: &[Fault]) -> Scene<'_> {
        Scene { elapsed: Duration::from_secs(seconds), open, settled: true, outstanding }
    }

    #[test]
    fn the_first_round_tells_each_fault_alone() {
        let mut director = Director::new(1, FAULTS.to_vec(), Duration::from_secs(60));
        assert!(matches!(director.cue(&scene(0, 0, &FAULTS)), Cue::Inject(_)));
        assert_eq!(director.cue(&scene(1, 1, &FAULTS)), Cue::Hold);
        assert!(matches!(director.cue(&scene(2, 0, &FAULTS)), Cue::Inject(_)));
        assert!(matches!(director.cue(&scene(3, 0, &[])), Cue::Inject(_)));
        assert!(
            matches!(director.cue(&scene(4, 1, &[])), Cue::Inject(_)),
            "rounds may overlap now"
        );
        assert_eq!(director.cue(&scene(5, 2, &[])), Cue::Hold);
    }

    #[test]
    fn the_play_is_extended_for_what_is_outstanding_at_most_threefold() {
        let mut director = Director::new(1, FAULTS.to_vec(), Duration::from_secs(10));
        let outstanding = [Fault::TcpReset];
        assert_eq!(director.cue(&scene(11, 0, &outstanding)), Cue::Inject(Fault::TcpReset));
        assert_eq!(director.cue(&scene(12, 1, &outstanding)), Cue::Hold);
        assert_eq!(director.cue(&scene(12, 0, &[])), Cue::Over);
        assert_eq!(director.cue(&scene(30, 0, &outstanding)), Cue::Over);
    }

    #[test]
    fn without_faults_the_play_lasts_as_long_as_asked_for() {
        let mut director = Director::new(1, Vec::new(), Duration::from_secs(10));
        assert_eq!(director.cue(&scene(9, 0, &[])), Cue::Hold);
        assert_eq!(director.cue(&scene(10, 0, &[])), Cue::Over);
    }
}
