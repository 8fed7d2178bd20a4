//! Which delays.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use toml::{Table, Value};
use unbroken_core::machine::{Budget, Timing};

use crate::generic::merge;

/// `timing = "production"`, `"demo"`, or a table with `preset` and single delays. A preset brings a
/// budget with it: who recovers faster asks more often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimingChoice {
    /// The delays.
    pub timing: Timing,
    /// The preset's budget.
    pub budget: Budget,
}

impl<'de> Deserialize<'de> for TimingChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (preset, over) = match Value::deserialize(deserializer)? {
            Value::String(preset) => (preset, Table::new()),
            Value::Table(mut over) => match over.remove("preset") {
                None => ("production".to_owned(), over),
                Some(Value::String(preset)) => (preset, over),
                Some(_) => return Err(D::Error::custom("timing.preset is a text")),
            },
            _ => return Err(D::Error::custom("timing is a preset's name or a table")),
        };
        let (base, budget) = match preset.as_str() {
            "production" => (Timing::default(), Budget::default()),
            "demo" => (Timing::demo(), Budget::demo()),
            other => return Err(D::Error::unknown_variant(other, &["production", "demo"])),
        };
        let mut table = Table::try_from(base).map_err(D::Error::custom)?;
        merge(&mut table, over);
        let timing = table.try_into().map_err(D::Error::custom)?;
        Ok(Self { timing, budget })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::nearest_key_hint;

    #[derive(Debug, Deserialize)]
    struct Holder {
        timing: TimingChoice,
    }

    #[test]
    fn single_delays_are_laid_over_a_preset() {
        let text = "[timing]\npreset = \"demo\"\nidle_ms = 7";
        let holder: Holder = toml::from_str(text).unwrap();
        assert_eq!(holder.timing.timing, Timing { idle_ms: 7, ..Timing::demo() });
        assert_eq!(holder.timing.budget, Budget::demo());
        let holder: Holder = toml::from_str("timing = \"production\"").unwrap();
        assert_eq!(holder.timing, TimingChoice::default());
    }

    #[test]
    fn wrong_delays_are_named_with_the_nearest_right_one() {
        let error = toml::from_str::<Holder>("[timing]\nidel_ms = 7").unwrap_err();
        assert_eq!(nearest_key_hint(&error.to_string()).unwrap(), "did you mean `idle_ms`?");
        let error = toml::from_str::<Holder>("timing = \"demoo\"").unwrap_err();
        assert_eq!(nearest_key_hint(&error.to_string()).unwrap(), "did you mean `demo`?");
    }
}
