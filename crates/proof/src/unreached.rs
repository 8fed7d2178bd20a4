//! Pairs of phase and input that a simulation is not expected to reach, each with its reason.

use crate::campaign::Summary;
use crate::coverage::{Kind, State};

/// Which pairs, and why they do not come about.
struct Reason {
    states: &'static [State],
    kinds: &'static [Kind],
    #[expect(dead_code, reason = "read by people, and told by `Summary::reasons_table`")]
    why: &'static str,
}

const REASONS: &[Reason] = &[];

impl Summary {
    /// Pairs that never came and for which there is no reason.
    pub fn unexplained(&self) -> Vec<(State, Kind)> {
        let has_reason = |state: State, kind: Kind| {
            REASONS.iter().any(|reason| {
                (reason.states.is_empty() || reason.states.contains(&state))
                    && (reason.kinds.is_empty() || reason.kinds.contains(&kind))
            })
        };
        let unreached = self.coverage.pairs().filter(|(_, _, count)| *count == 0);
        unreached
            .map(|(state, kind, _)| (state, kind))
            .filter(|(state, kind)| !has_reason(*state, *kind))
            .collect()
    }
}
