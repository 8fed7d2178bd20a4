//! Which fault comes next. The first round tells each fault alone, so that its story can be told;
//! later rounds do not wait for one to be over before the next begins. Faults that are in force
//! together are one act, which is always told alone.

use std::time::Duration;

use fastrand::Rng;
use unbroken_sim::Fault;

/// The play is at most so many times as long as asked for.
const EXTENSION_MAX: u32 = 3;

/// Faults that are in force together; most often one alone.
pub(super) type Act = Vec<Fault>;

/// See the module.
#[derive(Debug)]
pub(super) struct Director {
    acts: Vec<Act>,
    duration: Duration,
    rng: Rng,
    round: Vec<Act>,
    rounds: u32,
}

/// What the director wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cue {
    /// Inject this one.
    Inject(Act),
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
    /// Acts whose faults have not yet all fired and recovered.
    pub(super) outstanding: &'a [Act],
}

impl Director {
    pub(super) fn new(seed: u64, acts: Vec<Act>, duration: Duration) -> Self {
        // Not the vendor's own sequence: its agents must not depend on the order of the faults.
        let rng = Rng::with_seed(seed ^ 0x0d12_ec70);
        Self { acts, duration, rng, round: Vec::new(), rounds: 0 }
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
        let alone = self.rounds <= 1 || late || self.acts.iter().any(|act| act.len() > 1);
        if self.acts.is_empty() || !scene.settled || (alone && scene.open > 0) || scene.open > 1 {
            return Cue::Hold;
        }
        if late {
            self.round.retain(|act| scene.outstanding.contains(act));
        }
        if self.round.is_empty() {
            self.round = if late { scene.outstanding.to_vec() } else { self.acts.clone() };
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

    use super::{Act, Cue, Director, Scene};

    fn acts() -> Vec<Act> {
        vec![vec![Fault::CleanClose], vec![Fault::TcpReset]]
    }

    fn scene(seconds: u64, open: usize, outstanding: &[Act]) -> Scene<'_> {
        Scene { elapsed: Duration::from_secs(seconds), open, settled: true, outstanding }
    }

    #[test]
    fn the_first_round_tells_each_fault_alone() {
        let mut director = Director::new(1, acts(), Duration::from_secs(60));
        assert!(matches!(director.cue(&scene(0, 0, &acts())), Cue::Inject(_)));
        assert_eq!(director.cue(&scene(1, 1, &acts())), Cue::Hold);
        assert!(matches!(director.cue(&scene(2, 0, &acts())), Cue::Inject(_)));
        assert!(matches!(director.cue(&scene(3, 0, &[])), Cue::Inject(_)));
        assert!(
            matches!(director.cue(&scene(4, 1, &[])), Cue::Inject(_)),
            "rounds may overlap now"
        );
        assert_eq!(director.cue(&scene(5, 2, &[])), Cue::Hold);
    }

    #[test]
    fn the_play_is_extended_for_what_is_outstanding_at_most_threefold() {
        let mut director = Director::new(1, acts(), Duration::from_secs(10));
        let outstanding = [vec![Fault::TcpReset]];
        assert_eq!(director.cue(&scene(11, 0, &outstanding)), Cue::Inject(vec![Fault::TcpReset]));
        assert_eq!(director.cue(&scene(12, 1, &outstanding)), Cue::Hold);
        assert_eq!(director.cue(&scene(12, 0, &[])), Cue::Over);
        assert_eq!(director.cue(&scene(30, 0, &outstanding)), Cue::Over);
    }

    #[test]
    fn a_pair_is_told_alone_in_every_round() {
        let pair = vec![Fault::CleanClose, Fault::TcpReset];
        let mut director = Director::new(1, vec![pair.clone()], Duration::from_secs(60));
        for second in 0..6 {
            assert_eq!(director.cue(&scene(second, 0, &[])), Cue::Inject(pair.clone()));
            assert_eq!(director.cue(&scene(second, 1, &[])), Cue::Hold);
        }
    }

    #[test]
    fn without_faults_the_play_lasts_as_long_as_asked_for() {
        let mut director = Director::new(1, Vec::new(), Duration::from_secs(10));
        assert_eq!(director.cue(&scene(9, 0, &[])), Cue::Hold);
        assert_eq!(director.cue(&scene(10, 0, &[])), Cue::Over);
    }
}
