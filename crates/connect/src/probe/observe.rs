//! A whole check, from the first name to the last farewell.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::probe::listening::{self, Heard};
use crate::probe::mismatch::{Mismatch, mismatches};
use crate::probe::sightings::Sightings;
use crate::probe::step::Step;
use crate::probe::{asking, replaying, way};
use crate::source::Source;

/// What to look at.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// How long frames are listened to.
    pub listen: Duration,
    /// Open a second connection beside the first: where a vendor allows one only, that ends the
    /// first, and any service that records the same source may lose its own.
    pub second: bool,
}

/// What a check has found.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// Where the source does something else than it declares.
    pub mismatches: Vec<Mismatch>,
}

impl Observation {
    /// Whether every step went well and no declaration is wrong.
    pub fn is_well(&self) -> bool {
        !self.steps.iter().any(Step::is_bad) && !self.mismatches.iter().any(Mismatch::is_wrong)
    }
}

/// Checks a source; `told` hears of each step as it ends. Reads only: the vendor sees a client that
/// asks for a token, reads a snapshot, subscribes, listens and leaves.
pub async fn observe(source: &Source, wish: Wish, told: &mut dyn FnMut(&Step)) -> Observation {
    let mut teller = Teller { steps: Vec::new(), told, begun: Instant::now() };
    let mut seen = Sightings::default();
    let ways = way::survey(source, &mut teller).await;
    let token = asking::token(source, &ways, &mut teller).await;
    asking::pages(source, &ways, &token, &mut seen, &mut teller).await;
    let heard = listening::listen(source, &ways, &token, wish, &mut seen, &mut teller).await;
    match heard {
        Heard::Nothing => {
            teller.tell(Step::skipped("replay", "there is no subscription to compare with"));
        }
        Heard::Stream => {
            asking::compare(source, &token, &mut seen, &mut teller).await;
            replaying::replay(source, &token, &mut seen, &mut teller).await;
        }
    }
    let capabilities = source.capabilities();
    let mismatches = mismatches(capabilities, source.timing(), &seen);
    Observation { steps: teller.steps, mismatches }
}

/// Times the steps and passes them on.
pub(super) struct Teller<'a> {
    steps: Vec<Step>,
    told: &'a mut dyn FnMut(&Step),
    begun: Instant,
}

impl Teller<'_> {
    /// A step begins.
    pub(super) fn begin(&mut self) {
        self.begun = Instant::now();
    }

    /// It ends; the next one begins.
    pub(super) fn tell(&mut self, mut step: Step) {
        step.took_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        (self.told)(&step);
        self.steps.push(step);
        self.begin();
    }

    /// The wall clock, in seconds of Unix time.
    pub(super) fn now_s(&self) -> i64 {
        Timestamp::now().as_second()
    }
}
