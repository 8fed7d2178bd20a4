//! Short stories in virtual time, each about one guard that a small world of the search does not
//! reach: several keys, long times, tokens, a history, people. The script is the vendor's and the
//! network's; what is checked are the invariants.

#![expect(unreachable_pub, reason = "a test's tool: a broken script may panic")]

mod audits;
mod budgets;
mod handovers;
mod numberings;
mod pages;
mod refusals;
mod snapshots;
mod strangers;
mod stream;
mod tombstones;

use std::collections::BTreeSet;

use unbroken_core::connector::{Numbering, Replay, SnapshotKind};
use unbroken_core::ids::ConnId;
use unbroken_core::machine::{Mutant, Phase};
use unbroken_core::record::{Body, GapCause, GapClosed, GapOutcome};

use crate::world::{Made, Rules, World, body, contiguous, key, stream};

/// What a story has shown: the name of the invariant that it broke, if it did.
pub type Verdict = Result<(), &'static str>;

/// Within so long a stream has to be Live again, whatever the vendor is like: several times what
/// the slowest way takes.
const CALM_MS_MAX: u64 = 1_200_000;

/// A story by name.
pub struct Scene {
    pub name: &'static str,
    pub play: fn(Option<Mutant>) -> Verdict,
}

/// All stories.
pub fn all() -> impl Iterator<Item = &'static Scene> {
    let groups = [
        audits::SCENES,
        budgets::SCENES,
        handovers::SCENES,
        numberings::SCENES,
        pages::SCENES,
        refusals::SCENES,
        snapshots::SCENES,
        strangers::SCENES,
        stream::SCENES,
        tombstones::SCENES,
    ];
    groups.into_iter().flatten()
}

fn increasing() -> Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    rules
}

fn unpositioned() -> Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    rules
}

fn begin(rules: Rules, mutant: Option<Mutant>) -> World {
    let mut world = World::new(rules);
    world.machine = world.machine.with_mutant(mutant);
    world
}

/// Live, with so many keys.
fn live(rules: Rules, mutant: Option<Mutant>, keys: u8) -> Result<World, &'static str> {
    let mut world = begin(rules, mutant);
    (0..keys).for_each(|k| world.emit(k));
    calm(&mut world)?;
    Ok(world)
}

/// Nothing more goes wrong: everybody does what they owe, and the stream has to become Live.
fn calm(world: &mut World) -> Verdict {
    calm_with(world, |_| ())
}

/// The same, with something done before each step.
fn calm_with(world: &mut World, mut before: impl FnMut(&mut World)) -> Verdict {
    let until = world.now + CALM_MS_MAX;
    for _ in 0..3_000 {
        before(world);
        if world.step() {
            continue;
        }
        if world.is_live() {
            return Ok(());
        }
        let blocked = matches!(world.machine.phase(&stream()), Some(Phase::Blocked { .. }));
        if blocked || world.now > until {
            break;
        }
        world.tick();
    }
    Err("FinallyLive")
}

/// Lets vendor, network, journal and timers go on for so long, whatever comes of it.
fn pass(world: &mut World, for_ms: u64) {
    let until = world.now + for_ms;
    for _ in 0..20_000 {
        if world.step() {
            continue;
        }
        if world.deadline.is_none_or(|at| at > until) {
            world.now = until;
            return;
        }
        world.tick();
    }
}

/// Which of the vendor's events are in the log, each time it is there.
fn held(world: &World) -> Vec<usize> {
    let changes = world.changes().into_iter();
    let index = |payload: &[u8]| world.events.iter().position(|made| body(made) == payload);
    changes.filter_map(|change| index(&change.payload)).collect()
}

fn is_inside(world: &World, row: &GapClosed, made: &Made) -> bool {
    let wall = made.at.0 as i64 * 1_000;
    // What was before the first coverage has no beginning.
    let begun = row.wall_from.0 <= wall || row.cause == GapCause::Start;
    let in_time = begun && wall <= row.wall_to.0;
    // A row that has ended in an older numbering says nothing of positions of this one.
    let ours = world.stream_fold().epoch;
    let is_older = row.through.is_some_and(|through| through.epoch != ours);
    if world.rules.caps.position == Numbering::None || made.epoch != world.epoch || is_older {
        return in_time;
    }
    // A row across numberings covers the new one from its beginning.
    let same = row.after.map(|at| at.epoch) == row.through.map(|at| at.epoch);
    let (after, through) = world.interval(row.after.filter(|_| same), row.through);
    made.sequence > after && made.sequence <= through
}

/// Everything has come to rest. What is Live is complete and current; what is missing is on the
/// ledger, and nothing else is.
fn judge(world: &World) -> Verdict {
    let held = held(world);
    let unique: BTreeSet<usize> = held.iter().copied().collect();
    if unique.len() < held.len() {
        return Err("AtMostOnce");
    }
    let kept = |(epoch, sequence): &(u8, u64)| {
        let is_it = |made: &Made| made.epoch == *epoch && made.sequence == *sequence;
        world.events.iter().position(is_it).is_none_or(|index| unique.contains(&index))
    };
    // Of a numbering without a name, what came before it was recognised was not known for new.
    let told = world.rules.caps.tells_numberings();
    if told && world.is_live() && !world.received.iter().all(kept) {
        return Err("NothingReceivedIsDropped");
    }
    judge_state(world)?;
    let rows = world.ledger();
    for (index, made) in world.events.iter().enumerate() {
        let inside = |row: &&GapClosed| is_inside(world, row, made);
        let found: Vec<&GapClosed> = rows.iter().filter(inside).collect();
        let given_up = |row: &&&GapClosed| row.outcome == GapOutcome::Unrecoverable;
        match unique.contains(&index) {
            false if found.is_empty() => return Err("GapHonesty"),
            true if made.epoch == world.epoch && found.iter().any(|row| given_up(&row)) => {
                return Err("GapHonesty");
            }
            _ => {}
        }
    }
    Ok(())
}

/// Of a stream that is Live with nothing on its way, each key is the vendor's.
fn judge_state(world: &World) -> Verdict {
    if !world.is_live() {
        return Ok(());
    }
    let fold = world.stream_fold();
    for (k, made) in world.truth(world.events.len()) {
        let held = fold.keys.get(&key(k)).filter(|held| held.present).map(|held| &held.payload);
        if held != made.map(|made| body(&made)).as_ref() {
            return Err("LiveMeansLive");
        }
    }
    Ok(())
}

/// What a Live stream with positions shows is the vendor's state of one moment.
fn judge_moment(world: &World) -> Verdict {
    if !world.is_live() {
        return Ok(());
    }
    let fold = world.stream_fold();
    let shows = |upto: usize| {
        let then = world.truth(upto);
        world.truth(world.events.len()).into_keys().all(|k| {
            let held = fold.keys.get(&key(k)).filter(|held| held.present);
            let made = then.get(&k).copied().flatten();
            held.map(|held| &held.payload) == made.map(|made| body(&made)).as_ref()
        })
    };
    if (0..=world.events.len()).any(shows) { Ok(()) } else { Err("LiveMeansLive") }
}

/// A socket that nobody has broken, and that brings all there is, is kept.
fn judge_kept(world: &World, conn: ConnId) -> Verdict {
    if world.socks.contains_key(&conn) { Ok(()) } else { Err("NoFruitlessResync") }
}

/// How many brackets the log holds.
fn snapshots(world: &World) -> usize {
    world.records().iter().filter(|r| matches!(r.body, Body::SnapshotEnd(_))).count()
}
