//! From a plan that fails to a small one that fails in the same way.

use crate::error::ProofError;
use crate::plan::{Plan, Step};
use crate::violation::Violation;

/// Most plans that are tried: a run takes a fraction of a second.
const TRIES_MAX: usize = 600;

/// What shrinking came to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest plan that was found.
    pub plan: Plan,
    /// How it fails.
    pub violation: Violation,
    /// Plans that were tried.
    pub tries: usize,
}

/// Takes faults out of a plan, and makes its world smaller, as long as it fails by the same name:
/// first many at once, then fewer, then one by one. `fails` plays a plan.
///
/// # Errors
/// A plan could not be played.
pub fn shrink(
    plan: Plan,
    violation: Violation,
    fails: impl FnMut(&Plan) -> Result<Option<Violation>, ProofError>,
) -> Result<Shrunk, ProofError> {
    let mut search = Search { best: Shrunk { plan, violation, tries: 0 }, fails };
    search.steps()?;
    search.blows()?;
    search.world()?;
    search.steps()?;
    Ok(search.best)
}

struct Search<F> {
    best: Shrunk,
    fails: F,
}

impl<F: FnMut(&Plan) -> Result<Option<Violation>, ProofError>> Search<F> {
    /// Whether a plan fails in the same way; it is the best then.
    fn fails(&mut self, plan: Plan) -> Result<bool, ProofError> {
        if self.best.tries >= TRIES_MAX {
            return Ok(false);
        }
        self.best.tries += 1;
        let found = (self.fails)(&plan)?;
        let same = found.filter(|found| found.what == self.best.violation.what);
        let Some(violation) = same else { return Ok(false) };
        self.best = Shrunk { plan, violation, tries: self.best.tries };
        Ok(true)
    }

    /// Leaves steps out.
    fn steps(&mut self) -> Result<(), ProofError> {
        let mut size = self.best.plan.steps.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < self.best.plan.steps.len() {
                let mut plan = self.best.plan.clone();
                plan.steps.drain(at..(at + size).min(plan.steps.len()));
                if !self.fails(plan)? {
                    at += size;
                }
            }
            size /= 2;
        }
        Ok(())
    }

    /// Leaves faults out of their steps, and lets no time pass where none is needed.
    fn blows(&mut self) -> Result<(), ProofError> {
        for nth in (0..self.best.plan.steps.len()).rev() {
            let count = |plan: &Plan| plan.steps.get(nth).map_or(0, |step| step.blows.len());
            for blow in (0..count(&self.best.plan)).rev() {
                let changed = self.changed(nth, |step| {
                    step.blows.remove(blow);
                });
                if count(&self.best.plan) > 1 {
                    self.fails(changed)?;
                }
            }
            let changed = self.changed(nth, |step| step.calm_ms = 0);
            self.fails(changed)?;
        }
        Ok(())
    }

    fn changed(&self, nth: usize, change: impl FnOnce(&mut Step)) -> Plan {
        let mut plan = self.best.plan.clone();
        if let Some(step) = plan.steps.get_mut(nth) {
            change(step);
        }
        plan
    }

    /// Fewer agents, fewer events, an even road.
    fn world(&mut self) -> Result<(), ProofError> {
        for agents in [3, 5, 8] {
            let mut plan = self.best.plan.clone();
            plan.setting.agents = agents;
            if agents < self.best.plan.setting.agents && self.fails(plan)? {
                break;
            }
        }
        for rate in [1, 2, 4] {
            let mut plan = self.best.plan.clone();
            plan.setting.rate = rate;
            if rate < self.best.plan.setting.rate && self.fails(plan)? {
                break;
            }
        }
        let mut plan = self.best.plan.clone();
        (plan.setting.latency_us, plan.setting.sync_us) = (1_000, 1_000);
        plan.setting.token_life_ms = 3_600_000;
        self.fails(plan)?;
        Ok(())
    }
}
