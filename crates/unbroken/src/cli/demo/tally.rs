//! How often each fault struck, and how long it took to recover.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// By fault, in the order of their names.
#[derive(Debug, Default)]
pub(super) struct Tally {
    faults: BTreeMap<String, FaultTally>,
}

#[derive(Debug, Default)]
struct FaultTally {
    injected: u64,
    fired: u64,
    recovery_ms: Vec<u64>,
}

impl Tally {
    /// With every fault that was asked for, so that one which never struck is seen to be missing.
    pub(super) fn new(asked: impl IntoIterator<Item = String>) -> Self {
        Self { faults: asked.into_iter().map(|name| (name, FaultTally::default())).collect() }
    }

    pub(super) fn injected(&mut self, fault: &str) {
        self.entry(fault).injected += 1;
    }

    pub(super) fn fired(&mut self, fault: &str) {
        self.entry(fault).fired += 1;
    }

    pub(super) fn recovered(&mut self, fault: &str, recovery_ms: u64) {
        self.entry(fault).recovery_ms.push(recovery_ms);
    }

    /// Faults that have not yet both fired and recovered.
    pub(super) fn outstanding(&self) -> Vec<String> {
        let open = |tally: &FaultTally| tally.recovery_ms.is_empty();
        self.faults.iter().filter(|(_, t)| open(t)).map(|(name, _)| name.clone()).collect()
    }

    /// Faults that fired at least once but not as often recovered as fired.
    pub(super) fn unrecovered(&self) -> Vec<String> {
        let open = |tally: &FaultTally| tally.fired > count_of(&tally.recovery_ms);
        self.faults.iter().filter(|(_, t)| open(t)).map(|(name, _)| name.clone()).collect()
    }

    /// Whether each has fired and recovered, every time.
    pub(super) fn is_settled(&self) -> bool {
        self.outstanding().is_empty() && self.unrecovered().is_empty()
    }

    /// Faults asked for, times they fired, times they recovered.
    pub(super) fn totals(&self) -> (u64, u64, u64) {
        let asked = u64::try_from(self.faults.len()).unwrap_or(u64::MAX);
        self.faults.values().fold((asked, 0, 0), |(asked, fired, recovered), tally| {
            (asked, fired + tally.fired, recovered + count_of(&tally.recovery_ms))
        })
    }

    /// Median and maximum over all recoveries that left live; `None` if there was none.
    pub(super) fn recovery_ms(&self) -> Option<(u64, u64)> {
        let all: Vec<u64> = self
            .faults
            .values()
            .flat_map(|t| &t.recovery_ms)
            .copied()
            .filter(|ms| *ms > 0)
            .collect();
        Some((median(&all)?, all.iter().copied().max()?))
    }

    /// `{name: {injected, fired, recovered, recovery_ms_p50, recovery_ms_max}}`.
    pub(super) fn to_json(&self) -> Value {
        let entry = |tally: &FaultTally| {
            json!({
                "injected": tally.injected,
                "fired": tally.fired,
                "recovered": count_of(&tally.recovery_ms),
                "recovery_ms_p50": median(&tally.recovery_ms),
                "recovery_ms_max": tally.recovery_ms.iter().max(),
            })
        };
        Value::Object(self.faults.iter().map(|(name, t)| (name.clone(), entry(t))).collect())
    }

    fn entry(&mut self, fault: &str) -> &mut FaultTally {
        self.faults.entry(fault.to_owned()).or_default()
    }
}

fn count_of(list: &[u64]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// The middle value, the lower of two.
fn median(list: &[u64]) -> Option<u64> {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn a_fault_is_outstanding_until_it_has_recovered_once() {
        let mut tally = Tally::new(["a".to_owned(), "b".to_owned()]);
        tally.fired("a");
        assert_eq!(tally.outstanding(), ["a", "b"]);
        tally.recovered("a", 84);
        assert_eq!(tally.outstanding(), ["b"]);
        tally.fired("a");
        assert_eq!(tally.unrecovered(), ["a"]);
    }

    #[test]
    fn a_fault_that_never_struck_is_in_the_figures_with_zeros() {
        let tally = Tally::new(["a".to_owned()]);
        let json = tally.to_json();
        assert_eq!(json["a"]["fired"], 0);
        assert_eq!(json["a"]["recovery_ms_p50"], serde_json::Value::Null);
    }

    #[test]
    fn the_median_is_a_value_that_occurred() {
        let mut tally = Tally::default();
        for ms in [10, 30, 20, 40] {
            tally.recovered("a", ms);
        }
        assert_eq!(tally.to_json()["a"]["recovery_ms_p50"], 20);
        assert_eq!(tally.recovery_ms(), Some((20, 40)));
    }
}
