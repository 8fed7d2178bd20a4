//! What a simulation came to.

use std::collections::BTreeMap;

use unbroken_sim::Verdict;

use crate::agenda::Micros;
use crate::coverage::Coverage;
use crate::judgement;
use crate::simulation::Simulation;
use crate::trouble::Trouble;
use crate::violation::Violation;

/// See the module.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The first thing that was wrong; `None`: nothing.
    pub violation: Option<Violation>,
    /// How often the stream left Live and came back.
    pub recoveries: u64,
    /// Keys that left state for good, tombstone and all.
    pub forgotten: u64,
    /// Which inputs came in which phase.
    pub coverage: Coverage,
    /// Of each class: how often it struck, and how often it could be seen.
    pub troubles: BTreeMap<Trouble, (u64, u64)>,
    /// What the record is worth, if the plan was played to its end.
    pub verdict: Option<Verdict>,
    /// A hash over every input, every output, and the log's bytes.
    pub trace: u64,
    /// Every input and output in words, if that was asked for.
    pub story: Option<String>,
    /// How long it took by the simulation's own clock, in microseconds.
    pub virtual_us: Micros,
    /// Processes that were started.
    pub starts: u64,
}

impl Outcome {
    /// Judges what a simulation has left.
    pub(crate) fn of(mut simulation: Simulation) -> Self {
        let judged =
            simulation.witness.violation.is_none().then(|| judgement::judge(&mut simulation));
        let (verdict, found) = match judged {
            Some((verdict, found)) => (Some(verdict), found),
            None => (None, None),
        };
        judgement::note_disk(&mut simulation);
        let mut troubles = simulation.director.struck.clone();
        for (fault, counts) in simulation.vendor.fault_counts() {
            troubles.insert(Trouble::Vendor(fault), (counts.injected, counts.fired));
        }
        let mut witness = simulation.witness;
        Self {
            violation: witness.violation.clone().or(found),
            recoveries: witness.recoveries,
            forgotten: witness.forgotten,
            trace: witness.trace(),
            story: witness.take_story(),
            coverage: witness.coverage,
            troubles,
            verdict,
            virtual_us: simulation.agenda.now_us(),
            starts: simulation.archive.starts.len() as u64,
        }
    }
}
