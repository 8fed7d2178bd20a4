//! What a scenario is.

use super::{cxone, genesys};
use crate::{Fault, SimError};

/// Which vendor a client is tested against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// See [`crate::cxone`], with positions, each one more than the one before.
    Cxone,
    /// See [`crate::genesys`].
    Genesys,
}

impl Kind {
    /// The name used on command lines and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cxone => "cxone",
            Self::Genesys => "genesys",
        }
    }

    /// Every scenario, in the order in which they are played: the one without a fault first.
    pub fn scenarios(self) -> &'static [Scenario] {
        match self {
            Self::Cxone => cxone::SCENARIOS,
            Self::Genesys => genesys::SCENARIOS,
        }
    }

    /// One scenario by its name.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn scenario(self, name: &str) -> Result<&'static Scenario, SimError> {
        let found = self.scenarios().iter().find(|scenario| scenario.name == name);
        found.ok_or_else(|| SimError::UnknownName {
            kind: "scenario",
            name: name.to_owned(),
            known: self.scenarios().iter().map(|one| one.name).collect::<Vec<_>>().join(", "),
        })
    }
}

/// One thing that goes wrong, and what a good client makes of it.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// In small letters and hyphens.
    pub name: &'static str,
    /// What happens, in a sentence or two.
    pub happens: &'static str,
    /// What should come out of it.
    pub expected: &'static str,
    /// What is done, one after the other.
    pub steps: &'static [Step],
}

/// One thing that is done to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// These faults begin, the second while the first is in force or is being recovered from. What
    /// follows comes once the first of them has been seen on the wire.
    Break(&'static [Fault]),
    /// What follows comes so many milliseconds later.
    Wait(u64),
    /// What follows comes once no fault is in force and the client tells events again.
    Recover,
    /// The client is killed, and started again after so many milliseconds.
    Kill(u64),
}

impl Scenario {
    /// Every fault of it, in the order in which they begin.
    pub fn faults(&self) -> impl Iterator<Item = Fault> + '_ {
        let broken = self.steps.iter().filter_map(|step| match step {
            Step::Break(faults) => Some(*faults),
            Step::Wait(_) | Step::Recover | Step::Kill(_) => None,
        });
        broken.flatten().copied()
    }

    /// How often the client is killed.
    pub fn kill_count(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, Step::Kill(_))).count()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_vendor_has_thirty_and_more_of_different_names_and_calm_comes_first() {
        for kind in [Kind::Cxone, Kind::Genesys] {
            let scenarios = kind.scenarios();
            assert!(scenarios.len() >= 30, "{} of {}", scenarios.len(), kind.name());
            assert_eq!(scenarios[0].name, "calm");
            assert!(scenarios[0].steps.is_empty());
            let names: BTreeSet<_> = scenarios.iter().map(|scenario| scenario.name).collect();
            assert_eq!(names.len(), scenarios.len());
            for name in names {
                let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
                assert!(name.bytes().all(is_plain), "{name}");
                assert_eq!(kind.scenario(name).unwrap().name, name);
            }
            assert!(kind.scenario("a-good-day").is_err());
        }
    }

    #[test]
    fn every_fault_of_a_vendor_is_there_alone() {
        let alone = |kind: Kind| -> BTreeSet<Fault> {
            let single = kind.scenarios().iter().filter(|scenario| scenario.steps.len() == 1);
            single
                .filter_map(|scenario| match scenario.steps[0] {
                    Step::Break(&[fault]) => Some((scenario.name, fault)),
                    _ => None,
                })
                .inspect(|(name, fault)| assert_eq!(*name, fault.name()))
                .map(|(_, fault)| fault)
                .collect()
        };
        assert_eq!(alone(Kind::Cxone), Fault::ALL.into_iter().collect());
        assert_eq!(alone(Kind::Genesys), Fault::GENESYS.into_iter().collect());
    }

    #[test]
    fn what_is_told_of_a_scenario_is_whole_sentences() {
        for scenario in Kind::Cxone.scenarios().iter().chain(Kind::Genesys.scenarios()) {
            for text in [scenario.happens, scenario.expected] {
                assert!(text.ends_with('.') && text.starts_with(char::is_uppercase), "{text}");
            }
        }
    }
}
