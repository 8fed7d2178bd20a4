//! What a small world is, and how it is searched.

use std::time::Instant;

use unbroken_core::machine::Mutant;

use crate::search::{Budget, Found, Invariant, Outcome, search};
use crate::world::Rules;

/// How much may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// For every commit.
    Smoke,
    /// `UNBROKEN_MODEL=full`.
    Full,
}

impl Size {
    pub fn of_environment() -> Self {
        match std::env::var_os("UNBROKEN_MODEL") {
            Some(size) if size == "full" => Self::Full,
            _ => Self::Smoke,
        }
    }
}

/// One source, and what may go wrong with it.
pub struct Setting {
    pub name: &'static str,
    pub rules: Rules,
    pub smoke: Budget,
    pub full: Budget,
}

/// A world: some settings of one question.
pub struct Small {
    pub name: &'static str,
    pub settings: Vec<Setting>,
    /// What is checked here, and has something to look at.
    pub checks: &'static [Invariant],
    /// From any state, if nothing more happens, Live (or Blocked with a cause) comes within so many
    /// steps.
    pub steps_max: u16,
}

impl Small {
    /// Only one of its settings.
    #[must_use]
    pub fn only(mut self, name: &str) -> Self {
        self.settings.retain(|setting| setting.name == name);
        assert_eq!(self.settings.len(), 1, "{}: {name}", self.name);
        self
    }

    /// Searches all settings, up to the first violation.
    pub fn run(&self, size: Size, mutant: Option<Mutant>) -> Outcome {
        let mut sum = Found::default();
        let wanted = std::env::var("UNBROKEN_SETTING").unwrap_or_default();
        for setting in self.settings.iter().filter(|setting| setting.name.contains(&wanted)) {
            let begun = Instant::now();
            let outcome = setting.run(size, mutant);
            let found = match outcome {
                Outcome::Holds(found) => found,
                Outcome::Broken { invariant, mut path, states } => {
                    path.insert(0, format!("{}: {}", self.name, setting.name));
                    return Outcome::Broken { invariant, path, states };
                }
                Outcome::TooLarge { mut path, states } => {
                    path.insert(0, format!("{}: {}", self.name, setting.name));
                    return Outcome::TooLarge { path, states };
                }
                Outcome::Met { .. } => unreachable!("nothing was looked for"),
            };
            if mutant.is_none() {
                print(&format!("{}: {}", self.name, setting.name), &found, begun);
            }
            sum.add(&found);
        }
        Outcome::Holds(Box::new(sum))
    }

    /// Searches it and demands that everything holds, and that there was something to hold.
    pub fn holds(&self, size: Size) {
        let begun = Instant::now();
        let found = match self.run(size, None) {
            Outcome::Holds(found) => found,
            Outcome::Broken { invariant, path, states } => {
                panic!("{invariant:?} after {states} states:\n  {}", path.join("\n  "))
            }
            Outcome::TooLarge { path, states } => {
                panic!("not small: {states} states:\n  {}", path.join("\n  "))
            }
            Outcome::Met { .. } => unreachable!("nothing was looked for"),
        };
        print(&format!("{} in all", self.name), &found, begun);
        assert!(found.lives > 0, "{}: no schedule reached Live", self.name);
        for invariant in self.checks {
            let seen = found.tally.of(*invariant);
            assert!(seen > 0, "{}: {invariant:?} had nothing to look at", self.name);
        }
        let (steps, most) = (found.steps, self.steps_max);
        assert!(steps <= most, "{}: {steps} steps to Live, not {most}", self.name);
    }
}

impl Setting {
    pub fn run(&self, size: Size, mutant: Option<Mutant>) -> Outcome {
        let budget = match size {
            Size::Smoke => self.smoke,
            Size::Full => self.full,
        };
        search(&self.rules, budget, mutant)
    }
}

fn print(name: &str, found: &Found, begun: Instant) {
    println!(
        "{name:64} {:>9} states {:>9} transitions, depth {:>3}, {:>2} steps to Live, {:>6.1} s, \
         0 violations",
        found.states,
        found.transitions,
        found.depth,
        found.steps,
        begun.elapsed().as_secs_f64(),
    );
}
