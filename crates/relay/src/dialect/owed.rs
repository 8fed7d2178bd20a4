//! Values that have to be told once more.
//!
//! An event that came late (`effect = history`) is told like any other, because it happened. A
//! client of a vendor's takes the last event of an agent for what is current, though, and would
//! hold the older value from then on. So what is current of that agent is told again behind it.

use std::collections::BTreeSet;

use unbroken_core::record::Effect;

use super::staging::Told;

/// Of whom the last thing told is not what is current.
#[derive(Debug, Default)]
pub(crate) struct Owed(BTreeSet<String>);

impl Owed {
    /// Something was told.
    pub(crate) fn note(&mut self, told: &Told) {
        let key = told.change.key.as_str();
        match told.change.effect {
            Effect::History => drop(self.0.insert(key.to_owned())),
            Effect::State => drop(self.0.remove(key)),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether a key is among them.
    pub(crate) fn contains(&self, key: &str) -> bool {
        self.0.contains(key)
    }

    /// All of them were told again.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
