//! How much is measured.

use crate::Failure;

/// How many events and how often. The same for every contestant of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) name: &'static str,
    /// Rounds of every contestant; medians are taken over them.
    pub(crate) rounds: usize,
    /// Distinct events of a run at full speed.
    pub(crate) events: usize,
    /// The same for what syncs after each event: more would take minutes and show nothing new.
    pub(crate) events_one_by_one: usize,
    /// Distinct events of a run at a fixed rate.
    pub(crate) events_paced: usize,
    /// That rate, in frames per second.
    pub(crate) rate: usize,
    /// Agents, and the many agents whose memory is compared with theirs.
    pub(crate) agents: usize,
    pub(crate) agents_many: usize,
}

const SIZES: [Size; 3] = [
    Size {
        name: "full",
        rounds: 5,
        events: 500_000,
        events_one_by_one: 15_000,
        events_paced: 100_000,
        rate: 10_000,
        agents: 10_000,
        agents_many: 100_000,
    },
    Size {
        name: "quick",
        rounds: 2,
        events: 300_000,
        events_one_by_one: 5_000,
        events_paced: 20_000,
        rate: 10_000,
        agents: 10_000,
        agents_many: 50_000,
    },
    // Only shows that everything runs and that every result is right: no figure means anything.
    Size {
        name: "smoke",
        rounds: 1,
        events: 3_000,
        events_one_by_one: 200,
        events_paced: 1_000,
        rate: 2_000,
        agents: 200,
        agents_many: 400,
    },
];

impl Size {
    pub(crate) fn named(name: &str) -> Result<Self, Failure> {
        let known = SIZES.into_iter().find(|size| size.name == name);
        known.ok_or_else(|| format!("--size is full, quick or smoke, not `{name}`").into())
    }
}
