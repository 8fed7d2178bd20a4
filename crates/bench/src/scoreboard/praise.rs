//! Where another client does well: as good as the product, sooner back, or easier on the vendor.

use super::entrant::UNBROKEN;
use super::result::{Outcome, Scenario};

/// A client's scenarios are worth a word if it is at least so much sooner, in milliseconds.
const SOONER_MS: u64 = 100;

/// One sentence or more about a client, beside the product on the same vendor.
pub(super) fn praise(one: &Outcome, product: &Outcome) -> String {
    let clean: Vec<&Scenario> =
        one.suite.scenarios.iter().filter(|scenario| scenario.is_clean).collect();
    let names: Vec<String> = clean.iter().map(|scenario| format!("`{}`", scenario.name)).collect();
    let mut text = match names.len() {
        0 => "clean in none".to_owned(),
        count => format!("clean in {count} of {}: {}", one.suite.scenarios.len(), join(&names)),
    };
    let unaware = one.suite.scenarios.iter().filter(|scenario| scenario.is_only_unaware()).count();
    if unaware > 0 {
        text += &format!(
            ". In {unaware} more all that is wrong is that it knows nothing of events that the \
             vendor did not serve again"
        );
    }
    let right = one.suite.scenarios.iter().filter(|scenario| scenario.has_right_state()).count();
    if right > clean.len() {
        text += &format!(". The state was right in {right}, whatever was missing");
    }
    let sooner: Vec<String> =
        one.suite.scenarios.iter().filter_map(|scenario| sooner(scenario, product)).collect();
    if !sooner.is_empty() {
        text += &format!(". Clean and sooner back than {UNBROKEN} in {}", join(&sooner));
    }
    let (own, ours) = (requests(one), requests(product));
    if own < ours {
        text +=
            &format!(". It asked less of the vendor: {own} requests and handshakes, not {ours}");
    }
    text
}

fn sooner(scenario: &Scenario, product: &Outcome) -> Option<String> {
    let ours = product.suite.scenarios.iter().find(|ours| ours.name == scenario.name)?;
    let (own_ms, our_ms) = (scenario.figures.recovery_ms?, ours.figures.recovery_ms?);
    let is_sooner = scenario.is_clean && own_ms + SOONER_MS <= our_ms;
    is_sooner.then(|| format!("`{}` (by {} ms)", scenario.name, our_ms - own_ms))
}

fn requests(outcome: &Outcome) -> u64 {
    outcome.suite.scenarios.iter().map(Scenario::requests).sum()
}

fn join(words: &[String]) -> String {
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::entrant::ENTRANTS;
    use super::super::fixture::scenario;
    use super::super::result::{Outcome, Suite};
    use super::*;

    fn outcome(scenarios: Vec<Scenario>) -> Outcome {
        Outcome { entrant: ENTRANTS[0], suite: Suite { seed: 1, scenarios } }
    }

    fn recovered(name: &str, findings: &[(&str, u64)], ms: u64) -> Scenario {
        let mut scenario = scenario(name, findings);
        scenario.figures.recovery_ms = Some(ms);
        scenario
    }

    #[test]
    fn what_is_clean_sooner_or_cheaper_is_said() {
        let mut ours = outcome(vec![
            scenario("calm", &[]),
            recovered("cut", &[], 900),
            recovered("reset", &[], 900),
        ]);
        ours.suite.scenarios[1].load.rest_calls = 40;
        let mut other = outcome(vec![
            scenario("calm", &[]),
            recovered("cut", &[], 300),
            recovered("reset", &[("lost", 2)], 100),
        ]);
        for scenario in &mut other.suite.scenarios {
            scenario.figures.stale_keys = Some(0);
        }
        assert_eq!(
            praise(&other, &ours),
            "clean in 2 of 3: `calm`, `cut`. The state was right in 3, whatever was missing. \
             Clean and sooner back than unbroken in `cut` (by 600 ms). It asked less of the \
             vendor: 12 requests and handshakes, not 50"
        );
    }

    #[test]
    fn who_could_not_have_had_it_is_told_from_who_could() {
        let ours = outcome(vec![recovered("cut", &[], 300)]);
        let other = outcome(vec![recovered("cut", &[("uncovered", 2)], 300)]);
        assert!(praise(&other, &ours).ends_with("that the vendor did not serve again"));
    }

    #[test]
    fn nothing_is_made_up() {
        let ours = outcome(vec![recovered("cut", &[], 300)]);
        let other = outcome(vec![recovered("cut", &[("lost", 2)], 100)]);
        assert_eq!(praise(&other, &ours), "clean in none");
    }
}
