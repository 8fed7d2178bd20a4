//! A plan: which faults come when. With its seed it is a whole history.

use std::fmt;
use std::str::FromStr;

use crate::error::ProofError;
use crate::setting::Setting;
use crate::trouble::Trouble;

/// What is played. Everything else follows from the seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Decides all that the plan does not say.
    pub seed: u64,
    /// The world.
    pub setting: Setting,
    /// One after another: each begins when the stream is Live and nothing is broken.
    pub steps: Vec<Step>,
}

/// Faults that come together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How long the stream has been Live before it begins, in milliseconds.
    pub calm_ms: u32,
    /// Its faults.
    pub blows: Vec<Blow>,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blow {
    /// Which.
    pub trouble: Trouble,
    /// When, in milliseconds from the step's beginning. Of the vendor's faults the vendor decides.
    pub at_ms: u32,
    /// Decides what the fault leaves open: for how long, at which byte. Of its own, so that the
    /// fault stays the same when others are taken out.
    pub dice: u32,
}

/// Up to so many faults come together, and so late after the first, in milliseconds.
const TOGETHER_MAX: usize = 3;
const LATE_MS_MAX: u32 = 1_500;
/// A stream is Live for up to so long before the next step, in milliseconds.
const CALM_MS_MAX: u32 = 500;

impl Plan {
    /// The plan of a seed, with so many steps.
    pub fn of(seed: u64, steps: usize) -> Self {
        let setting = Setting::of(seed);
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x91a2);
        let all = Trouble::all_for(setting.numbering, setting.body);
        let mut deck: Vec<Trouble> = Vec::new();
        let steps = (0..steps).map(|_| step(&mut rng, &all, &mut deck)).collect();
        Self { seed, setting, steps }
    }
}

/// Draws from a shuffled deck, so that every class comes as often as any other.
fn step(rng: &mut fastrand::Rng, all: &[Trouble], deck: &mut Vec<Trouble>) -> Step {
    let count = match rng.u8(0..10) {
        0..7 => 1,
        7..9 => 2,
        _ => TOGETHER_MAX,
    };
    let mut blows: Vec<Blow> = Vec::with_capacity(count);
    for nth in 0..count {
        if deck.is_empty() {
            deck.extend_from_slice(all);
            rng.shuffle(deck);
        }
        let Some(trouble) = deck.pop() else { continue };
        let at_ms = if nth == 0 { 0 } else { rng.u32(0..=LATE_MS_MAX) };
        blows.push(Blow { trouble, at_ms, dice: rng.u32(..) });
    }
    Step { calm_ms: rng.u32(0..=CALM_MS_MAX), blows }
}

impl fmt::Display for Plan {
    /// As it is given to `replay`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--seed {} --setting {} --plan '", self.seed, self.setting)?;
        for (nth, step) in self.steps.iter().enumerate() {
            let separator = if nth == 0 { "" } else { "; " };
            write!(f, "{separator}{}:", step.calm_ms)?;
            for blow in &step.blows {
                write!(f, " {}@{}#{}", blow.trouble.name(), blow.at_ms, blow.dice)?;
            }
        }
        f.write_str("'")
    }
}

impl FromStr for Step {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |part: &str, expected| ProofError::Plan { part: part.to_owned(), expected };
        let (calm, rest) = text.trim().split_once(':').ok_or_else(|| wrong(text, "a step"))?;
        let calm_ms = calm.parse().map_err(|_| wrong(calm, "a time"))?;
        let blow = |part: &str| {
            let (name, rest) = part.split_once('@').ok_or_else(|| wrong(part, "a fault"))?;
            let (at, dice) = rest.split_once('#').ok_or_else(|| wrong(part, "a fault"))?;
            Ok(Blow {
                trouble: name.parse()?,
                at_ms: at.parse().map_err(|_| wrong(part, "a time"))?,
                dice: dice.parse().map_err(|_| wrong(part, "a number"))?,
            })
        };
        let blows = rest.split_whitespace().map(blow).collect::<Result<_, _>>()?;
        Ok(Self { calm_ms, blows })
    }
}

/// The steps of a plan, as [`Plan`] writes them.
///
/// # Errors
/// A part of it is not understood.
pub fn read_steps(text: &str) -> Result<Vec<Step>, ProofError> {
    text.split(';').filter(|step| !step.trim().is_empty()).map(str::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_back_as_it_was_written() {
        let plan = Plan::of(7, 30);
        let text = plan.to_string();
        let steps = text.split('\'').nth(1).unwrap();
        assert_eq!(read_steps(steps).unwrap(), plan.steps);
        for wrong in ["x", "5: kill", "5: kill@1", "5: meteor@1#2"] {
            assert!(read_steps(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_class_is_drawn_before_any_comes_again() {
        let plan = Plan::of(3, 60);
        let all = Trouble::all_for(plan.setting.numbering, plan.setting.body);
        let drawn = plan.steps.iter().flat_map(|step| &step.blows).map(|blow| blow.trouble);
        let mut round: Vec<_> = drawn.take(all.len()).collect();
        round.sort();
        let mut all = all;
        all.sort();
        assert_eq!(round, all);
    }
}
