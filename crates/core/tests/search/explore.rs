//! Exhaustive search, depth first, over a world whose every choice is tried.

use std::collections::HashMap;
use std::mem;

use unbroken_core::machine::{Mutant, Report};

use super::act::Act;
use super::node::Node;
use super::safety::Check;
use super::{Budget, Invariant, Tally};
use crate::world::{Rules, World};

/// A world that needs more states or steps than this is not small: the search says so and fails.
/// A state is remembered by its fingerprint and what is known of it, in 25 bytes of a table of at
/// most 2^26 places: 1.7 GB for all.
const STATES_MAX: usize = 40_000_000;
const DEPTH_MAX: usize = 400;

/// Distance of a state whose successors are still being looked at.
const OPEN: u16 = u16::MAX;

/// What a search has seen.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Different states.
    pub states: usize,
    /// Steps from one to another.
    pub transitions: usize,
    /// The longest path without a repetition.
    pub depth: usize,
    /// States that are Live and complete, with nothing owed by anyone.
    pub lives: usize,
    /// States that are Blocked with a cause.
    pub blocked: usize,
    /// From any state, if nothing more happens: the most steps to Live or Blocked.
    pub steps: u16,
    /// What was there to be checked.
    pub tally: Tally,
}

/// The answer.
pub enum Outcome {
    /// No schedule breaks an invariant.
    Holds(Box<Found>),
    /// What was looked for is so, at the end of this one.
    Met { path: Vec<String>, states: usize },
    /// This one does.
    Broken { invariant: Invariant, path: Vec<String>, states: usize },
    /// There are more states or steps than a small world has.
    TooLarge { path: Vec<String>, states: usize },
}

/// A state that was reached before.
#[derive(Clone, Copy)]
struct Known {
    /// The most steps to Live, or [`OPEN`].
    steps: u16,
    /// Its log was read here. One that no step has written into was read in the state before.
    log_checked: bool,
}

/// One state whose successors are being looked at.
struct Frame {
    node: Node,
    print: [u64; 2],
    choices: Vec<Act>,
    /// Nothing is owed here: a way round through it is no way round in vain.
    rests: bool,
    /// The act that led here is owed.
    is_owed: bool,
    /// The most steps to Live of the successors looked at.
    steps: u16,
}

struct Search {
    /// What is looked for in a world at rest.
    wanted: fn(&World) -> bool,
    checked: bool,
    known: HashMap<[u64; 2], Known>,
    stack: Vec<Frame>,
    found: Found,
    bytes: Vec<u8>,
}

/// Searches every schedule. Stops at the first violation.
pub fn search(rules: &Rules, budget: Budget, mutant: Option<Mutant>) -> Outcome {
    search_from(&Node::root(rules, budget, mutant), |_| false, true)
}

/// Searches every schedule from the first Live and a recorded event on, up to the first world at
/// rest that is as wanted, with the invariants checked on the way or not.
pub fn find(rules: &Rules, budget: Budget, wanted: fn(&World) -> bool, checked: bool) -> Outcome {
    search_from(&Node::recorded(rules, budget), wanted, checked)
}

fn search_from(root: &Node, wanted: fn(&World) -> bool, checked: bool) -> Outcome {
    let mut search = Search {
        wanted,
        checked,
        known: HashMap::new(),
        stack: Vec::new(),
        found: Found::default(),
        bytes: Vec::new(),
    };
    let end = search.run(root.clone());
    let path = || {
        let acts: Vec<Act> = search.stack.iter().map(|frame| frame.last_act()).collect();
        tell(root.clone(), &acts)
    };
    let states = search.known.len();
    match end {
        End::Whole => Outcome::Holds(Box::new(Found { states, ..search.found })),
        End::Met => Outcome::Met { path: path(), states },
        End::Broken(invariant) => Outcome::Broken { invariant, path: path(), states },
        End::TooLarge => Outcome::TooLarge { path: path(), states },
    }
}

enum End {
    Whole,
    Met,
    Broken(Invariant),
    TooLarge,
}

impl Frame {
    /// The act whose successor is being looked at.
    fn last_act(&self) -> Act {
        self.node.tried.unwrap()
    }
}

impl Search {
    fn run(&mut self, root: Node) -> End {
        let print = root.fingerprint(&mut self.bytes);
        self.push(root, print, false, false);
        while let Some(frame) = self.stack.last_mut() {
            let Some(act) = frame.choices.pop() else {
                self.pop();
                continue;
            };
            frame.node.tried = Some(act);
            let mut next = frame.node.clone();
            next.act(act);
            self.found.transitions += 1;
            if next.is_at_rest() && (self.wanted)(&next.world) {
                return End::Met;
            }
            if self.checked
                && let Err(invariant) = next.check_step(&frame.node, &mut self.found.tally)
            {
                return End::Broken(invariant);
            }
            let written = next.has_written(&frame.node);
            next.normalise();
            let print = next.fingerprint(&mut self.bytes);
            if self.checked
                && let Err(invariant) = self.check(&next, print, written)
            {
                return End::Broken(invariant);
            }
            match self.known.get(&print).map(|known| known.steps) {
                Some(OPEN) if self.is_in_vain(print, &next) => {
                    return End::Broken(Invariant::NoFruitlessResync);
                }
                Some(OPEN) => continue,
                Some(steps) => {
                    self.arrive(act.is_owed(), steps);
                    continue;
                }
                None => {}
            }
            if self.known.len() > STATES_MAX || self.stack.len() > DEPTH_MAX {
                return End::TooLarge;
            }
            if let Some(invariant) = self.push(next, print, act.is_owed(), written) {
                self.stack.pop();
                return End::Broken(invariant);
            }
        }
        End::Whole
    }

    /// Checks what was not checked when the state was reached before.
    fn check(&mut self, node: &Node, print: [u64; 2], written: bool) -> Check {
        let tally = &mut self.found.tally;
        let known = self.known.get_mut(&print);
        let is_new = known.is_none();
        if written && !known.is_some_and(|known| mem::replace(&mut known.log_checked, true)) {
            node.check_log(tally)?;
        }
        if is_new { node.check_state(tally) } else { Ok(()) }
    }

    /// Begins to look at a state's successors.
    fn push(
        &mut self,
        node: Node,
        print: [u64; 2],
        is_owed: bool,
        log_checked: bool,
    ) -> Option<Invariant> {
        let choices = node.choices();
        let (complete, blocked) = (node.is_complete(), node.is_blocked());
        let halved = node.world.is_live() && node.world.socks.len() > 1;
        let found = &mut self.found;
        if halved {
            found.tally.count(Invariant::HandoverEnds);
        }
        found.lives += usize::from(complete);
        found.blocked += usize::from(blocked);
        found.tally.count(Invariant::FinallyLive);
        let rests = complete || blocked;
        let stuck = !rests && !choices.iter().any(|act| act.is_owed());
        self.known.insert(print, Known { steps: OPEN, log_checked });
        self.stack.push(Frame { node, print, choices, rests, is_owed, steps: 0 });
        self.found.depth = self.found.depth.max(self.stack.len() - 1);
        match stuck {
            true if halved => Some(Invariant::HandoverEnds),
            true => Some(Invariant::FinallyLive),
            false => None,
        }
    }

    /// Everything after a state was looked at.
    fn pop(&mut self) {
        let Some(Frame { print, rests, is_owed, steps, .. }) = self.stack.pop() else { return };
        let steps = if rests { 0 } else { steps };
        if !rests {
            self.found.tally.count(Invariant::NoFruitlessResync);
        }
        self.found.steps = self.found.steps.max(steps);
        if let Some(known) = self.known.get_mut(&print) {
            known.steps = steps;
        }
        self.arrive(is_owed, steps);
    }

    /// A successor that is so far from Live has been looked at.
    fn arrive(&mut self, is_owed: bool, steps: u16) {
        if let Some(frame) = self.stack.last_mut().filter(|_| is_owed) {
            frame.steps = frame.steps.max(steps.saturating_add(1));
        }
    }

    /// A schedule has come back to where it was, and nowhere on the way was anything complete.
    /// While the journal owes an answer the schedule is unfair to it, and shows nothing.
    fn is_in_vain(&self, print: [u64; 2], next: &Node) -> bool {
        let round = self.stack.iter().rev();
        let mut round = round.take_while(|frame| frame.print != print);
        let fair = next.world.durable == next.world.log.len();
        let rests = next.is_complete() || next.is_blocked();
        fair && !rests && !round.any(|frame| frame.rests)
    }
}

/// Replays a path and tells what the machine said at each step.
fn tell(mut node: Node, path: &[Act]) -> Vec<String> {
    let mut told = Vec::new();
    for act in path {
        node.world.keep_reports = true;
        node.act(*act);
        let reports = std::mem::take(&mut node.world.reports);
        node.normalise();
        told.push(format!("{act:?}  {}", summary(&reports)));
    }
    told
}

fn summary(reports: &[Report]) -> String {
    reports.iter().map(|report| format!("{report:?}")).collect::<Vec<_>>().join(", ")
}

impl Found {
    /// Both searches as one.
    pub fn add(&mut self, other: &Self) {
        self.states += other.states;
        self.transitions += other.transitions;
        self.depth = self.depth.max(other.depth);
        self.lives += other.lives;
        self.blocked += other.blocked;
        self.steps = self.steps.max(other.steps);
        self.tally.add(&other.tally);
    }
}
