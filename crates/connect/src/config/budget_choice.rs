//! How often the vendor may be asked.

use std::num::NonZeroU32;

use serde::Deserialize;
use unbroken_core::machine::Budget;

/// `[source.budget]`: figures laid over those of the `timing` preset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetChoice {
    /// Handshakes, evenly over a minute.
    pub handshakes_per_minute: Option<NonZeroU32>,
    /// Handshakes at once.
    pub handshakes_burst: Option<NonZeroU32>,
    /// Requests (pages, heads, access tokens), evenly over a minute.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Requests at once.
    pub requests_burst: Option<NonZeroU32>,
}

impl BudgetChoice {
    /// What is named here, and for the rest what `base` says.
    pub fn over(&self, base: Budget) -> Budget {
        let or = |choice: Option<NonZeroU32>, base| choice.map_or(base, NonZeroU32::get);
        Budget {
            handshakes_per_minute: or(self.handshakes_per_minute, base.handshakes_per_minute),
            handshakes_burst: or(self.handshakes_burst, base.handshakes_burst),
            requests_per_minute: or(self.requests_per_minute, base.requests_per_minute),
            requests_burst: or(self.requests_burst, base.requests_burst),
            requests_per_handshake: base.requests_per_handshake,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_figures_are_laid_over_the_preset_s() {
        let choice: BudgetChoice = toml::from_str("handshakes_burst = 3").unwrap();
        let expected = Budget { handshakes_burst: 3, ..Budget::demo() };
        assert_eq!(choice.over(Budget::demo()), expected);
        assert_eq!(BudgetChoice::default().over(Budget::default()), Budget::default());
    }

    #[test]
    fn nothing_at_all_is_no_budget() {
        let error = toml::from_str::<BudgetChoice>("requests_per_minute = 0").unwrap_err();
        assert!(error.to_string().contains("nonzero"), "{error}");
        assert!(toml::from_str::<BudgetChoice>("request_burst = 1").is_err());
    }
}
