//! Plays the plan: waits until the stream is Live and nothing is broken, breaks what the next step
//! says, and waits again.

use std::collections::{BTreeMap, BTreeSet};

use unbroken_core::machine::{Blocked, Input, Phase, Report};

use crate::agenda::Micros;
use crate::coverage::State;
use crate::plan::Plan;
use crate::simulation::{Event, Simulation};
use crate::trouble::{Ours, Trouble};

/// How long the stream may take to be Live once nothing is broken any more. The longest of our own
/// waits, a blocked stream's, is 2 s, a token's deadline 1.5 s; some follow one another.
const RECOVERED_US_MAX: Micros = 60_000_000;
/// How long everything is left to itself after the last event.
const QUIET_US: Micros = 10_000_000;
/// How long a person takes to see that the stream is blocked or paused, and to do something.
const PERSON_US: Micros = 3_000_000;
/// Most virtual time that a step may take. Each fault of the vendor's ends within 8 s, each of ours
/// within 6.
const STEP_US_MAX: Micros = 180_000_000;

/// What the director is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Waits for calm, which has lasted since then.
    Calming { began_us: Micros, calm_us: Option<Micros> },
    /// The step's faults strike until then.
    Striking { until_us: Micros },
    /// No more faults and no more events.
    Quiet { until_us: Micros },
    /// The process was told to stop for good.
    Stopping { began_us: Micros },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Director {
    step: usize,
    mode: Mode,
    /// Of our own faults: how often each struck, and how often it hit something.
    pub(crate) struck: BTreeMap<Trouble, (u64, u64)>,
    /// Faults of the disk that have not been met yet.
    pub(crate) armed: BTreeSet<Ours>,
    /// The stop that was asked for is a fault of the plan: how long until the next start.
    pub(crate) restarts_after_us: Option<Micros>,
}

impl Director {
    pub(crate) fn new(_plan: &Plan) -> Self {
        Self {
            step: 0,
            mode: Mode::Calming { began_us: 0, calm_us: None },
            struck: BTreeMap::new(),
            armed: BTreeSet::new(),
            restarts_after_us: None,
        }
    }

    /// A fault of ours was meant to hit, and did or did not.
    pub(crate) fn count(&mut self, ours: Ours, hit: bool) {
        let (struck, fired) = self.struck.entry(Trouble::Ours(ours)).or_default();
        *struck += 1;
        *fired += u64::from(hit);
    }

    /// A fault of the disk lies in wait.
    pub(crate) fn arm(&mut self, ours: Ours) {
        self.count(ours, false);
        self.armed.insert(ours);
    }

    /// The disk has failed: those that lay in wait have hit.
    pub(crate) fn met(&mut self) {
        for ours in std::mem::take(&mut self.armed) {
            if let Some((_, fired)) = self.struck.get_mut(&Trouble::Ours(ours)) {
                *fired += 1;
            }
        }
    }
}

impl Simulation {
    /// Whether the stream is Live and nothing is broken.
    fn is_calm(&self) -> bool {
        let now_us = self.agenda.now_us();
        self.witness.is_live()
            && self.vendor.is_calm()
            && self.network.is_well(now_us)
            && self.asleep.is_none()
            && self.disk_full_bytes.is_none()
            && self.disk_slow_until_us <= now_us
    }

    /// Whether anything is still broken from outside.
    fn is_broken(&self) -> bool {
        let now_us = self.agenda.now_us();
        !self.vendor.is_calm()
            || !self.network.is_well(now_us)
            || self.asleep.is_some()
            || self.disk_full_bytes.is_some()
            || self.disk_slow_until_us > now_us
            || self.process.is_none()
            || self.witness.state() == Some(State::Paused)
    }

    /// Looks at how things are, and goes on with the plan.
    pub(crate) fn direct(&mut self) {
        let now_us = self.agenda.now_us();
        if now_us > STEP_US_MAX * (self.plan.steps.len() as u64 + 1) {
            self.witness.blame("FinallyLive", "the plan comes to no end".to_owned());
        }
        match self.director.mode {
            Mode::Calming { began_us, calm_us } => {
                if !self.is_calm() {
                    let began_us = if self.is_broken() { now_us } else { began_us };
                    if now_us - began_us > RECOVERED_US_MAX {
                        let phase = self.witness.state().map_or("no process", State::name);
                        let what = format!("nothing is broken for 60 s, and the phase is {phase}");
                        self.witness.blame("FinallyLive", what);
                    }
                    self.director.mode = Mode::Calming { began_us, calm_us: None };
                    return;
                }
                let since_us = calm_us.unwrap_or(now_us);
                self.director.mode = Mode::Calming { began_us: now_us, calm_us: Some(since_us) };
                self.begin_step(now_us - since_us);
            }
            Mode::Striking { until_us } if now_us >= until_us => {
                self.director.step += 1;
                self.director.mode = Mode::Calming { began_us: now_us, calm_us: None };
            }
            Mode::Quiet { until_us } if now_us >= until_us => {
                if !self.witness.is_live() {
                    let phase = self.witness.state().map_or("no process", State::name);
                    self.witness.blame("FinallyLive", format!("at rest, and the phase is {phase}"));
                }
                self.director.mode = Mode::Stopping { began_us: now_us };
                self.has_stopped = false;
                self.tell(Input::Shutdown);
            }
            Mode::Stopping { .. } if self.has_stopped => self.finish(),
            Mode::Stopping { began_us } if now_us - began_us > RECOVERED_US_MAX => {
                self.witness.blame("CleanStop", "it does not stop".to_owned());
            }
            Mode::Stopping { .. } => {
                // A disk that fails at the last moment starts the process again.
                if self.witness.is_live() {
                    self.tell(Input::Shutdown);
                }
            }
            Mode::Striking { .. } | Mode::Quiet { .. } => {}
        }
    }

    fn begin_step(&mut self, calm_us: Micros) {
        let now_us = self.agenda.now_us();
        let step = self.director.step;
        let Some(present) = self.plan.steps.get(step) else {
            self.vendor.stop_emission();
            self.director.mode = Mode::Quiet { until_us: now_us + QUIET_US };
            return;
        };
        if calm_us < u64::from(present.calm_ms) * 1_000 {
            return;
        }
        let mut faults = Vec::new();
        let mut last_us = 0;
        for (nth, blow) in present.blows.iter().enumerate() {
            match blow.trouble {
                Trouble::Vendor(fault) => faults.push(fault),
                Trouble::Ours(_) => {
                    let at_us = u64::from(blow.at_ms) * 1_000;
                    last_us = last_us.max(at_us);
                    self.agenda.at(now_us + at_us, Event::Blow(step, nth));
                }
            }
        }
        let now = self.now();
        self.witness.say(now, || format!("!!! step {step} at {now_us}: {faults:?}"));
        if !faults.is_empty() {
            self.vendor.inject(&faults);
        }
        self.director.mode = Mode::Striking { until_us: now_us + last_us + 1 };
    }

    /// Something was reported: a person may be needed.
    pub(crate) fn hear_report(&mut self, report: &Report) {
        let Report::Phase { phase, .. } = report else { return };
        let stream = self.stream.clone();
        let input = match phase {
            Phase::Blocked { why } if !matches!(why, Blocked::Auth { .. }) => {
                Input::Resync { stream, keys: None }
            }
            // Whoever paused it may not have been heard when they resumed it.
            Phase::Paused { .. } => {
                Input::Resume { stream, by: "somebody".into(), why: "it stands still".into() }
            }
            _ => return,
        };
        self.agenda.after(PERSON_US, Event::Person(Box::new(input)));
    }

    /// The process has stopped as it was told.
    pub(crate) fn stopped(&mut self) {
        self.close_roads();
        if let Some(after_us) = self.director.restarts_after_us.take() {
            self.agenda.after(after_us, Event::Start);
        }
    }
}
