//! Many seeds, on a few threads.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::coverage::Coverage;
use crate::error::ProofError;
use crate::mutant::ChosenMutant;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::simulation::Simulation;
use crate::trouble::Trouble;
use crate::violation::Violation;

/// Steps of a plan that is drawn from a seed: a run is judged as a whole, and a judge's work grows
/// faster than its length.
pub const STEPS: usize = 40;

/// Plays one plan.
///
/// # Errors
/// The world could not be made.
pub fn play(plan: Plan, mutant: ChosenMutant) -> Result<Outcome, ProofError> {
    Ok(Simulation::new(plan, mutant)?.run())
}

/// Plays one plan, and tells every input and output in words.
///
/// # Errors
/// The world could not be made.
pub fn play_aloud(plan: Plan, mutant: ChosenMutant) -> Result<Outcome, ProofError> {
    let mut simulation = Simulation::new(plan, mutant)?;
    simulation.witness.tell_story();
    Ok(simulation.run())
}

/// How much is to be simulated.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// The first seed; the others follow.
    pub seed_from: u64,
    /// Stops when so many recoveries are done.
    pub recoveries: u64,
    /// Threads.
    pub threads: usize,
    /// The guard that is taken out.
    pub mutant: ChosenMutant,
    /// Goes on after a seed that fails.
    pub goes_on: bool,
}

/// What a campaign came to. Sums do not depend on the order in which seeds were played.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Seeds played.
    pub runs: u64,
    /// Recoveries.
    pub recoveries: u64,
    /// Processes started.
    pub starts: u64,
    /// See [`Outcome::forgotten`].
    pub forgotten: u64,
    /// Events made by the vendors, and records of them.
    pub events: (u64, u64),
    /// Missing events in rows of the ledger, by what the row says: `unproven`, `unrecoverable`;
    /// and those that nobody could have seen.
    pub missing: (u64, u64, u64),
    /// Virtual time, in microseconds.
    pub virtual_us: u64,
    /// Time on a processor, in microseconds.
    pub cpu_us: u64,
    /// See [`Outcome::coverage`].
    pub coverage: Coverage,
    /// See [`Outcome::troubles`].
    pub troubles: BTreeMap<Trouble, (u64, u64)>,
    /// What was wrong, by seed.
    pub violations: BTreeMap<u64, Violation>,
}

impl Summary {
    /// Adds what one seed came to.
    pub fn add(&mut self, seed: u64, outcome: &Outcome) {
        self.runs += 1;
        self.recoveries += outcome.recoveries;
        self.starts += outcome.starts;
        self.forgotten += outcome.forgotten;
        self.virtual_us += outcome.virtual_us;
        self.coverage.add(&outcome.coverage);
        for (trouble, (struck, fired)) in &outcome.troubles {
            let sum = self.troubles.entry(*trouble).or_default();
            sum.0 += struck;
            sum.1 += fired;
        }
        if let Some(verdict) = &outcome.verdict {
            self.events.0 += verdict.events_emitted;
            self.events.1 += verdict.events_stored;
            self.missing.0 += verdict.unproven;
            self.missing.1 += verdict.unrecoverable;
            self.missing.2 += verdict.undetectable;
        }
        if let Some(violation) = &outcome.violation {
            self.violations.insert(seed, violation.clone());
        }
    }

    /// Recoveries in a minute of one processor.
    pub fn per_cpu_minute(&self) -> u64 {
        self.recoveries.saturating_mul(60_000_000).checked_div(self.cpu_us).unwrap_or(0)
    }
}

impl Campaign {
    /// Plays seeds until there are enough recoveries, or a seed fails. `progress` is called now and
    /// then with what there is.
    ///
    /// # Errors
    /// A world could not be made.
    pub fn run(&self, progress: impl Fn(&Summary) + Sync) -> Result<Summary, ProofError> {
        let (next, done) = (AtomicU64::new(self.seed_from), AtomicBool::new(false));
        let sum = Mutex::new(Summary::default());
        let work = || -> Result<(), ProofError> {
            let began_us = cpu_us();
            let mut counted_us = 0;
            while !done.load(Ordering::Relaxed) {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                let outcome = play(Plan::of(seed, STEPS), self.mutant)?;
                let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                sum.add(seed, &outcome);
                let spent_us = cpu_us().saturating_sub(began_us);
                sum.cpu_us += spent_us.saturating_sub(counted_us);
                counted_us = spent_us;
                if sum.recoveries >= self.recoveries || !(self.goes_on || sum.violations.is_empty())
                {
                    done.store(true, Ordering::Relaxed);
                }
                progress(&sum);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads.max(1)).map(|_| scope.spawn(work)).collect();
            let mut result = Ok(());
            for thread in threads {
                match thread.join() {
                    Ok(worked) => result = result.and(worked),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            result
        })?;
        Ok(sum.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Time that the calling thread has had on a processor, in microseconds; 0 where nobody counts.
fn cpu_us() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0) / 1_000
}
