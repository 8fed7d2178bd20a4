//! What breaks, and when: all of it follows from the seed.

use fastrand::Rng;

/// Something that happens to the service or its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Every socket is reset.
    Cut,
    /// SIGKILL, and a new life.
    Kill,
    /// The network goes down and stays down.
    Down,
    /// The server forgets the first part of what was changed while the network was down.
    Compact,
    /// The network is there again.
    Up,
}

/// After so many further changes, this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) changes: usize,
    pub(crate) act: Act,
}

/// Ten cuts, one kill and one outage with a compaction, in an order and at distances of the seed's.
pub(crate) fn plan(rng: &mut Rng) -> Vec<Step> {
    let mut acts = vec![Act::Cut; 10];
    acts.extend([Act::Kill, Act::Down]);
    rng.shuffle(&mut acts);
    let mut steps = Vec::new();
    for act in acts {
        steps.push(Step { changes: rng.usize(200..900), act });
        if act == Act::Down {
            steps.push(Step { changes: rng.usize(500..700), act: Act::Compact });
            steps.push(Step { changes: rng.usize(200..400), act: Act::Up });
        }
    }
    steps
}
