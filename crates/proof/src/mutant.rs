//! Which guard of the machine is taken out, if one is: in the proof build only.

use unbroken_core::machine::Machine;

use crate::error::ProofError;

/// The guard to take out of every machine of a simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChosenMutant {
    #[cfg(feature = "proof")]
    mutant: Option<unbroken_core::machine::Mutant>,
}

impl ChosenMutant {
    /// No guard is taken out.
    pub fn none() -> Self {
        Self::default()
    }

    /// By its name.
    ///
    /// # Errors
    /// There is no such mutant, or this is not the proof build.
    pub fn named(name: &str) -> Result<Self, ProofError> {
        Self::known(name)
            .ok_or_else(|| ProofError::Unknown { kind: "mutant", name: name.to_owned() })
    }

    #[cfg(feature = "proof")]
    fn known(name: &str) -> Option<Self> {
        let mutant = unbroken_core::machine::Mutant::from_name(name)?;
        Some(Self { mutant: Some(mutant) })
    }

    #[cfg(not(feature = "proof"))]
    fn known(_name: &str) -> Option<Self> {
        None
    }

    #[cfg(feature = "proof")]
    pub(crate) fn put_in(self, machine: Machine) -> Machine {
        machine.with_mutant(self.mutant)
    }

    #[cfg(not(feature = "proof"))]
    pub(crate) fn put_in(self, machine: Machine) -> Machine {
        machine
    }
}
