//! Over all scenarios.

use super::result::Outcome;

/// What a client's scenarios come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) clean_count: usize,
    /// All that is wrong is that it does not know what it missed, and could not have had.
    pub(super) unaware_count: usize,
    pub(super) scenario_count: usize,
    pub(super) due: u64,
    pub(super) missing: u64,
    /// Not told, although the vendor would have served them again.
    pub(super) lost: u64,
    /// Not told, and written down as lost or perhaps lost.
    pub(super) written_down: u64,
    pub(super) duplicated: u64,
    pub(super) out_of_order: u64,
    pub(super) stale_keys: Option<u64>,
    /// `None`: it does not tell its state.
    pub(super) stale_live_ms_max: Option<u64>,
    /// Scenarios in which it was not up to date again.
    pub(super) away_count: usize,
    /// Of those in which there was something to recover from, and it did.
    pub(super) recovery_ms_median: Option<u64>,
    pub(super) recovery_ms_max: Option<u64>,
    pub(super) handshakes: u64,
    /// In the scenario that had the most.
    pub(super) handshakes_max: u64,
    pub(super) rest_calls: u64,
    pub(super) token_calls: u64,
}

impl Sums {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let scenarios = &outcome.suite.scenarios;
        let sum = |figure: &str| scenarios.iter().map(|one| one.found(figure)).sum();
        let mut recoveries: Vec<u64> =
            scenarios.iter().filter_map(|one| one.figures.recovery_ms).collect();
        recoveries.sort_unstable();
        Self {
            clean_count: scenarios.iter().filter(|one| one.is_clean).count(),
            unaware_count: scenarios.iter().filter(|one| one.is_only_unaware()).count(),
            scenario_count: scenarios.len(),
            due: scenarios.iter().map(|one| one.figures.events_due).sum(),
            missing: scenarios.iter().map(|one| one.missing()).sum(),
            lost: scenarios.iter().map(|one| one.figures.lost).sum(),
            written_down: scenarios
                .iter()
                .map(|one| one.figures.unrecoverable + one.figures.unproven)
                .sum(),
            duplicated: sum("duplicated"),
            out_of_order: sum("out_of_order"),
            stale_keys: scenarios.iter().map(|one| one.figures.stale_keys).sum(),
            stale_live_ms_max: scenarios.iter().filter_map(|one| one.figures.stale_live_ms).max(),
            away_count: scenarios.iter().filter(|one| !one.figures.is_recovered).count(),
            recovery_ms_median: recoveries.get(recoveries.len() / 2).copied(),
            recovery_ms_max: recoveries.last().copied(),
            handshakes: scenarios.iter().map(|one| one.load.handshakes).sum(),
            handshakes_max: scenarios.iter().map(|one| one.load.handshakes).max().unwrap_or(0),
            rest_calls: scenarios.iter().map(|one| one.load.rest_calls).sum(),
            token_calls: scenarios.iter().map(|one| one.load.token_calls).sum(),
        }
    }
}
