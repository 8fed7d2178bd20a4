//! Exhaustive search, depth first, over a world whose every choice is tried.

#![expect(unreachable_pub, clippy::unwrap_used, reason = "a test's tool")]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use unbroken_core::fold::StreamFold;
use unbroken_core::ids::AppendId;
use unbroken_core::machine::{Mutant, Report};
use unbroken_core::record::{Append, Body, Effect, GapClosed, GapOpened, GapOutcome};
use unbroken_core::time::Millis;

use crate::world::{Rules, World, body, key, stream};

/// A world that needs more states or steps than this is not small: the search says so and fails.
const STATES_MAX: usize = 20_000_000;
const DEPTH_MAX: usize = 400;
const THE_END_MS: u64 = 18_000_000;

/// How often each fault may happen in one history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    pub emits: u8,
    pub purges: u8,
    pub breaks: u8,
    pub crashes: u8,
    pub stale_pages: u8,
}

pub enum Outcome {
    Holds { states: usize, lives: usize },
    Broken { invariant: &'static str, path: Vec<String>, states: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    Emit(u8),
    Purge,
    Accept,
    Answer,
    Deliver,
    Page { upto: usize },
    Commit,
    Break,
    Crash { survivors: usize },
    Timer,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Node {
    world: World,
    budget: Budget,
}

fn root(rules: &Rules, budget: Budget, mutant: Option<Mutant>) -> Node {
    let mut world = World::new(rules.clone());
    world.keep_reports = false;
    world.still = true;
    world.reports.clear();
    world.machine = world.machine.with_mutant(mutant);
    let mut root = Node { world, budget };
    root.normalise();
    root
}

/// Replays a path and tells what the machine said at each step.
fn tell(rules: &Rules, budget: Budget, mutant: Option<Mutant>, path: &[Act]) -> Vec<String> {
    let mut node = root(rules, budget, mutant);
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

/// Searches every schedule. Stops at the first violation.
pub fn search(rules: &Rules, budget: Budget, mutant: Option<Mutant>) -> Outcome {
    let root = root(rules, budget, mutant);
    let mut visited = HashSet::from([root.fingerprint()]);
    let mut lives = 0;
    let mut stack = vec![(root.choices(), root)];
    let mut path: Vec<Act> = Vec::new();
    while let Some((choices, node)) = stack.last_mut() {
        let Some(act) = choices.pop() else {
            stack.pop();
            path.pop();
            continue;
        };
        let mut next = node.clone();
        next.act(act);
        path.push(act);
        if let Err(invariant) = next.check() {
            let path = tell(rules, budget, mutant, &path);
            return Outcome::Broken { invariant, path, states: visited.len() };
        }
        next.normalise();
        if visited.len() > STATES_MAX || path.len() > DEPTH_MAX {
            let path = tell(rules, budget, mutant, &path);
            return Outcome::Broken { invariant: "Bounded", path, states: visited.len() };
        }
        if !visited.insert(next.fingerprint()) {
            path.pop();
            continue;
        }
        lives += usize::from(next.is_complete());
        let choices = next.choices();
        if choices.is_empty() && !next.is_complete() {
            let path = tell(rules, budget, mutant, &path);
            return Outcome::Broken { invariant: "FinallyLive", path, states: visited.len() };
        }
        stack.push((choices, next));
    }
    Outcome::Holds { states: visited.len(), lives }
}

impl Node {
    fn choices(&self) -> Vec<Act> {
        let (world, budget) = (&self.world, &self.budget);
        let mut acts = Vec::new();
        let mut on_its_way = !world.pages.is_empty();
        for sock in world.socks.values() {
            if !sock.opened {
                acts.push(Act::Accept);
            } else if sock.asked.is_some() {
                acts.push(Act::Answer);
            } else if !sock.queue.is_empty() {
                acts.push(Act::Deliver);
            } else {
                continue;
            }
            on_its_way = true;
        }
        if !world.pages.is_empty() {
            let fresh = world.events.len();
            acts.push(Act::Page { upto: fresh });
            if budget.stale_pages > 0 {
                acts.extend((world.surely_shown()..fresh).map(|upto| Act::Page { upto }));
            }
        }
        let in_flight = world.log.len() - world.durable;
        if in_flight > 0 {
            acts.push(Act::Commit);
        }
        // Idle, ping and audit are set beyond this world's end: each would only begin another
        // outage.
        let due = world.deadline.is_some_and(|at| at.since(world.now) < THE_END_MS);
        if !on_its_way && due {
            acts.push(Act::Timer);
        }
        if budget.emits > 0 {
            let keys = if world.events.is_empty() { 1 } else { 2 };
            acts.extend((0..keys).map(Act::Emit));
        }
        if budget.purges > 0 && world.floor < world.events.len() {
            acts.push(Act::Purge);
        }
        if budget.breaks > 0 && !world.socks.is_empty() {
            acts.push(Act::Break);
        }
        if budget.crashes > 0 {
            acts.extend((0..=in_flight).map(|survivors| Act::Crash { survivors }));
        }
        acts
    }

    fn act(&mut self, act: Act) {
        let world = &mut self.world;
        let waiting = |world: &World, ready: fn(&crate::world::Sock) -> bool| {
            *world.socks.iter().find(|(_, sock)| ready(sock)).unwrap().0
        };
        match act {
            Act::Emit(key) => {
                self.budget.emits -= 1;
                world.emit(key);
            }
            Act::Purge => {
                self.budget.purges -= 1;
                world.purge();
            }
            Act::Accept => world.accept(waiting(world, |s| !s.opened)),
            Act::Answer => world.answer(waiting(world, |s| s.asked.is_some())),
            Act::Deliver => world.deliver(waiting(world, |s| !s.queue.is_empty())),
            Act::Page { upto } => {
                self.budget.stale_pages -= u8::from(upto < world.events.len());
                world.page(upto);
            }
            Act::Commit => {
                world.durable += 1;
                let append = world.log[world.durable - 1].id;
                world.give(unbroken_core::machine::Input::Appended { append });
            }
            Act::Break => {
                self.budget.breaks -= 1;
                world.break_sock(*world.socks.keys().next().unwrap());
            }
            Act::Crash { survivors } => {
                self.budget.crashes -= 1;
                world.crash(survivors);
            }
            Act::Timer => world.tick(),
        }
    }

    /// Nothing is owed by anyone: the stream is Live and the vendor has no more to say.
    fn is_complete(&self) -> bool {
        let world = &self.world;
        let idle = |sock: &crate::world::Sock| sock.subscribed && sock.queue.is_empty();
        world.is_live()
            && world.pages.is_empty()
            && world.socks.len() == 1
            && world.socks.values().all(idle)
            && world.durable == world.log.len()
    }

    /// States that differ only in when they were reached, or in numbers that only have to differ
    /// from one another, become one; what is durable becomes one unit.
    fn normalise(&mut self) {
        let world = &mut self.world;
        let appended = world.machine.appended().0;
        world.machine.normalise(world.now, Millis(1_000_000));
        let staleness_ms = world.rules.caps.snapshot_staleness_ms_max;
        for made in &mut world.events {
            let age_ms = world.now.since(made.at).min(staleness_ms);
            made.at = Millis(1_000_000 - age_ms);
        }
        world.deadline = world.deadline.map(|at| Millis(1_000_000 + at.since(world.now)));
        world.now = Millis(1_000_000);
        for append in &mut world.log[world.durable..] {
            append.id.0 -= appended;
        }
        let mut durable = Append { id: AppendId(0), records: Vec::new(), mark: None };
        for append in world.log.drain(..world.durable) {
            durable.records.extend(append.records);
            durable.mark = append.mark.or(durable.mark);
        }
        world.log.insert(0, durable);
        world.durable = 1;
    }

    fn fingerprint(&self) -> u128 {
        let mut one = DefaultHasher::new();
        self.hash(&mut one);
        let mut two = DefaultHasher::new();
        0x5bd1_e995_u32.hash(&mut two);
        self.hash(&mut two);
        u128::from(one.finish()) << 64 | u128::from(two.finish())
    }

    fn check(&self) -> Result<(), &'static str> {
        let world = &self.world;
        if world.asked_above_durable {
            return Err("ResumeFromDurable");
        }
        check_once(world)?;
        for units in [world.durable, world.log.len()] {
            let fold = world.fold(units).streams.remove(&stream()).unwrap_or_default();
            check_covered(world, units, &fold)?;
            check_install(world, units, &fold)?;
        }
        check_time(world)?;
        if self.is_complete() { check_live(world) } else { Ok(()) }
    }
}

fn check_once(world: &World) -> Result<(), &'static str> {
    let mut known = BTreeSet::new();
    match world.changes().iter().all(|change| known.insert(world.place_of_change(change))) {
        true => Ok(()),
        false => Err("AtMostOnce"),
    }
}

/// The ledger as the first `units` units say: (opening, last closing).
fn ledger(world: &World, units: usize) -> Vec<(GapOpened, Option<GapClosed>)> {
    let mut rows: BTreeMap<_, (GapOpened, Option<GapClosed>)> = BTreeMap::new();
    for record in world.log[..units].iter().flat_map(|append| &append.records) {
        match &record.body {
            Body::GapOpened(opened) => {
                rows.insert(opened.gap, (opened.clone(), None));
            }
            Body::GapClosed(closed) => {
                rows.get_mut(&closed.gap).unwrap().1 = Some(closed.clone());
            }
            _ => {}
        }
    }
    rows.into_values().collect()
}

/// Everything up to the position is in the log or in the ledger.
fn check_covered(world: &World, units: usize, fold: &StreamFold) -> Result<(), &'static str> {
    let Some(position) = fold.position else { return Ok(()) };
    let rows = ledger(world, units);
    let held: BTreeSet<u64> = world.log[..units]
        .iter()
        .flat_map(|append| &append.records)
        .filter_map(|record| match &record.body {
            Body::Change(change) => world.place_of_change(change),
            _ => None,
        })
        .collect();
    let covered = |at: u64| {
        rows.iter().any(|(opened, closed)| {
            let through = closed.as_ref().and_then(|closed| closed.through);
            let (after, through) = world.interval(opened.after, through);
            at > after && (closed.is_none() || at <= through)
        })
    };
    let reached = world.place(position);
    let missing = |at: &u64| *at <= reached && !held.contains(at) && !covered(*at);
    match world.events.iter().map(|made| made.sequence).any(|at| missing(&at)) {
        true => Err("CursorCovered"),
        false => Ok(()),
    }
}

/// While a bracket is open, the position has not moved to its tag on the bracket's account.
fn check_install(world: &World, units: usize, fold: &StreamFold) -> Result<(), &'static str> {
    let Some(position) = fold.position.filter(|_| fold.staged.is_some()) else { return Ok(()) };
    let mut reached = 0;
    for record in world.log[..units].iter().flat_map(|append| &append.records) {
        let at = match &record.body {
            Body::Change(change) => change.position,
            Body::SnapshotEnd(end) => end.tag,
            Body::Progress { position, .. } => Some(*position),
            Body::GapClosed(gap) => gap.through,
            _ => None,
        };
        reached = reached.max(at.map_or(0, |p| p.sequence));
    }
    if position.sequence > reached { Err("AtomicInstall") } else { Ok(()) }
}

/// Per key, state never goes back to an older event.
fn check_time(world: &World) -> Result<(), &'static str> {
    let index = |bytes: &[u8]| world.events.iter().position(|made| body(made) == bytes);
    let mut staged = Vec::new();
    let mut state = BTreeMap::new();
    for record in world.records() {
        let writes = match &record.body {
            Body::Change(change) if change.effect == Effect::State => vec![change],
            Body::SnapshotItem { change, .. } => {
                staged.push(change);
                continue;
            }
            Body::SnapshotAbort { .. } => {
                staged.clear();
                continue;
            }
            Body::SnapshotEnd(_) => std::mem::take(&mut staged),
            _ => continue,
        };
        for change in writes {
            let at = index(&change.payload);
            let before = state.insert(&change.key, at).flatten();
            if at.is_some() && at < before {
                return Err("NoTimeTravel");
            }
        }
    }
    Ok(())
}

/// Live and complete: state is the vendor's, the ledger is closed, and says no more than it must.
fn check_live(world: &World) -> Result<(), &'static str> {
    let fold = world.stream_fold();
    if !fold.open_gaps.is_empty() {
        return Err("GapsClose");
    }
    for (k, made) in world.truth(world.events.len()) {
        let held = fold.keys.get(&key(k)).map(|held| &held.payload);
        if held != made.map(|made| body(&made)).as_ref() {
            return Err("LiveMeansLive");
        }
    }
    let held: Vec<u64> =
        world.changes().iter().filter_map(|change| world.place_of_change(change)).collect();
    if world.received.iter().any(|(_, at)| !held.contains(at)) {
        return Err("NothingReceivedIsDropped");
    }
    let head = world.head();
    let rows = world.ledger();
    let inside = |row: &GapClosed, at: u64| {
        let (after, through) = world.interval(row.after, row.through);
        at > after && at <= through
    };
    for at in world.events.iter().map(|made| made.sequence).filter(|at| *at <= head) {
        if !held.contains(&at) && !rows.iter().any(|row| inside(row, at)) {
            return Err("GapHonesty");
        }
    }
    let unrecoverable = rows.iter().filter(|row| row.outcome == GapOutcome::Unrecoverable);
    for row in unrecoverable {
        if held.iter().any(|at| inside(row, *at)) {
            return Err("Overclaimed");
        }
    }
    Ok(())
}
