//! What `unbroken conformance --json` prints, as far as the page shows it.

use serde::Deserialize;

use super::entrant::Entrant;

/// One client, every scenario.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Suite {
    pub(super) seed: u64,
    pub(super) scenarios: Vec<Scenario>,
}

/// One client, one scenario.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Scenario {
    pub(super) name: String,
    /// Why it could not be played; then there is nothing else.
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) is_clean: bool,
    #[serde(default)]
    pub(super) findings: Vec<Finding>,
    #[serde(default)]
    pub(super) figures: Figures,
    #[serde(default)]
    pub(super) load: Load,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Finding {
    pub(super) figure: String,
    pub(super) value: u64,
}

/// Of a scenario that was played all are there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Figures {
    pub(super) events_due: u64,
    pub(super) lost: u64,
    pub(super) unrecoverable: u64,
    pub(super) unproven: u64,
    pub(super) stale_keys: Option<u64>,
    pub(super) stale_live_ms: Option<u64>,
    pub(super) recovery_ms: Option<u64>,
    pub(super) is_recovered: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Load {
    pub(super) handshakes: u64,
    pub(super) rest_calls: u64,
    pub(super) token_calls: u64,
}

/// A client and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) entrant: Entrant,
    pub(super) suite: Suite,
}

impl Suite {
    /// Names of what could not be played.
    pub(super) fn unplayed(&self) -> impl Iterator<Item = &str> {
        self.scenarios.iter().filter(|one| one.error.is_some()).map(|one| one.name.as_str())
    }

    /// Takes over what was played later.
    pub(super) fn fill(&mut self, later: Self) {
        for played in later.scenarios {
            let place = self.scenarios.iter_mut().find(|one| one.name == played.name);
            if let Some(place) = place.filter(|place| place.error.is_some()) {
                *place = played;
            }
        }
    }
}

impl Scenario {
    /// What a figure of its findings comes to; 0: it is none of them.
    pub(super) fn found(&self, figure: &str) -> u64 {
        let found = self.findings.iter().find(|finding| finding.figure == figure);
        found.map_or(0, |finding| finding.value)
    }

    /// Events that are missing and in no gap that the client knows of. Those that it could have had
    /// are among them, but for those that it wrote down.
    pub(super) fn missing(&self) -> u64 {
        self.found("lost").max(self.found("uncovered"))
    }

    /// Whether all that is wrong is that it does not know of what the vendor did not serve again.
    pub(super) fn is_only_unaware(&self) -> bool {
        let is_unaware = |finding: &Finding| finding.figure == "uncovered";
        !self.is_clean && self.figures.lost == 0 && self.findings.iter().all(is_unaware)
    }

    /// Whether the client tells its state, and the state was right in the end and never wrong for
    /// long.
    pub(super) fn has_right_state(&self) -> bool {
        self.figures.stale_keys == Some(0) && self.found("stale_live_ms") == 0
    }

    /// Everything that was asked of the vendor.
    pub(super) fn requests(&self) -> u64 {
        self.load.handshakes + self.load.rest_calls + self.load.token_calls
    }

    /// In the words of a cell.
    pub(super) fn words(&self) -> String {
        if self.is_clean {
            return "clean".to_owned();
        }
        let mut words = Vec::new();
        if self.found("silent") > 0 {
            words.push("silent".to_owned());
        }
        if self.found("exited") > 0 {
            words.push("crashed".to_owned());
        }
        for (value, word) in [
            (self.missing(), "missing"),
            (self.found("duplicated"), "doubled"),
            (self.found("invented"), "invented"),
            (self.found("out_of_order"), "out of order"),
            (self.found("overclaimed"), "called lost and had"),
            (self.found("gaps_open"), "gaps open"),
            (self.found("stale_keys"), "wrong at the end"),
        ] {
            if value > 0 {
                words.push(format!("{value} {word}"));
            }
        }
        let stale_ms = self.found("stale_live_ms");
        if stale_ms > 0 {
            words.push(format!("wrong for {}", seconds(stale_ms)));
        }
        let lines = self.found("unknown_lines");
        if lines > 0 {
            words.push(format!("{lines} odd lines"));
        }
        words.join(", ")
    }
}

/// Tenths of seconds.
pub(super) fn seconds(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::scenario;
    use super::*;

    #[test]
    fn what_could_not_be_played_is_filled_in_later_and_nothing_else_is() {
        let text = r#"{"seed":1,"scenarios":[{"name":"cut","error":"busy","result":"x"},
            {"name":"calm","is_clean":true,"findings":[],"figures":{"events_due":1,
            "recovery_ms":null,"is_recovered":true},"load":{"handshakes":1,"rest_calls":1,
            "token_calls":1}}]}"#;
        let mut suite: Suite = serde_json::from_str(text).unwrap();
        assert_eq!(suite.unplayed().collect::<Vec<_>>(), ["cut"]);
        let later = vec![scenario("cut", &[("lost", 1)]), scenario("calm", &[("lost", 1)])];
        suite.fill(Suite { seed: 1, scenarios: later });
        assert_eq!(suite.unplayed().count(), 0);
        assert_eq!(suite.scenarios[0].missing(), 1);
        assert_eq!(suite.scenarios[1].missing(), 0);
    }

    #[test]
    fn who_lost_or_doubled_something_is_not_only_unaware() {
        assert!(scenario("cut", &[("uncovered", 3)]).is_only_unaware());
        assert!(!scenario("calm", &[]).is_only_unaware());
        assert!(!scenario("cut", &[("uncovered", 3), ("stale_keys", 1)]).is_only_unaware());
        let mut lossy = scenario("cut", &[("uncovered", 3)]);
        lossy.figures.lost = 1;
        assert!(!lossy.is_only_unaware());
    }

    #[test]
    fn every_finding_has_its_words() {
        assert_eq!(scenario("calm", &[]).words(), "clean");
        let all = [
            ("silent", 1),
            ("exited", 1),
            ("lost", 3),
            ("uncovered", 5),
            ("duplicated", 2),
            ("invented", 1),
            ("out_of_order", 4),
            ("overclaimed", 6),
            ("gaps_open", 1),
            ("stale_keys", 7),
            ("stale_live_ms", 2_540),
            ("unknown_lines", 9),
        ];
        assert_eq!(
            scenario("bad", &all).words(),
            "silent, crashed, 5 missing, 2 doubled, 1 invented, 4 out of order, 6 called lost and \
             had, 1 gaps open, 7 wrong at the end, wrong for 2.5 s, 9 odd lines"
        );
        for one in all {
            assert!(!scenario("bad", &[one]).words().is_empty(), "{one:?}");
        }
    }
}
