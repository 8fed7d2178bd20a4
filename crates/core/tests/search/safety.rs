//! What must hold after every step.

use std::collections::{BTreeMap, BTreeSet};

use unbroken_core::connector::{Numbering, SnapshotBody, SnapshotKind};
use unbroken_core::fold::StreamFold;
use unbroken_core::ids::Key;
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Append, Body, Change, Effect, Record, digest};

use super::ledger::{Told, index, is_streamed};
use super::node::Node;
use super::{Invariant, Tally};
use crate::world::{World, body, key, stream};

/// The name of what does not hold.
pub type Check = Result<(), Invariant>;

pub fn ensure(holds: bool, invariant: Invariant) -> Check {
    if holds { Ok(()) } else { Err(invariant) }
}

impl Node {
    /// Whether the log is another one than in the state before.
    pub fn has_written(&self, before: &Self) -> bool {
        let [now, before] = [self, before].map(|node| (node.world.log.len(), node.world.durable));
        now != before
    }

    /// What has to do with the way here from the state before.
    pub fn check_step(&self, before: &Self, tally: &mut Tally) -> Check {
        let world = &self.world;
        tally.count(Invariant::ResumeFromDurable);
        ensure(!world.asked_above_durable, Invariant::ResumeFromDurable)?;
        ensure(!world.overlap_unproved, Invariant::OverlapProved)?;
        if before.rival.is_some() {
            tally.count(Invariant::OneWriter);
        }
        ensure(self.stale_commits == 0, Invariant::OneWriter)?;
        if world.durable == before.world.durable {
            return Ok(());
        }
        let [old, new] = [before, self].map(|node| node.world.durable_position());
        let onwards = |(old, new): (Position, Position)| old.epoch != new.epoch || old <= new;
        ensure(old.zip(new).is_none_or(onwards), Invariant::NoTimeTravel)
    }

    /// What has to do with this state alone, but for its log.
    pub fn check_state(&self, tally: &mut Tally) -> Check {
        check_windows(&self.world, tally)?;
        check_live(&self.world, tally)?;
        if self.is_complete() { self.check_complete(tally) } else { Ok(()) }
    }

    /// Each prefix of the log that may become durable.
    pub fn check_log(&self, tally: &mut Tally) -> Check {
        let world = &self.world;
        check_time(world, tally)?;
        check_fence(world, tally)?;
        let ends = |record: &Record| matches!(record.body, Body::SnapshotEnd(_));
        if world.log[world.durable..].iter().flat_map(|append| &append.records).any(ends) {
            tally.count(Invariant::OverlapProved);
        }
        let mut held = None;
        for units in world.durable..=world.log.len() {
            let last = world.log[..units].last();
            let units = &world.log[..units];
            let fold = fold(units);
            let told = Told::of(world, units);
            check_once(world, &told, tally)?;
            check_covered(world, &told, &fold, tally)?;
            if let Some(unit) = last.filter(|_| units.len() > world.durable) {
                check_install(held, unit, &fold, tally)?;
            }
            check_fold(&told, &fold, tally)?;
            held = fold.position;
        }
        check_seen(world, tally)
    }
}

pub fn fold(units: &[Append]) -> StreamFold {
    let mut fold = StreamFold::default();
    let mut offset = 0;
    for append in units {
        for record in &append.records {
            fold.apply(offset, record, true);
            offset += 1;
        }
        if let Some(mark) = &append.mark {
            fold.advance(mark.position);
        }
    }
    fold
}

fn check_windows(world: &World, tally: &mut Tally) -> Check {
    let waiting = world.machine.waiting(&stream());
    if waiting > 0 {
        tally.count(Invariant::BoundedMemory);
    }
    ensure(waiting as u64 <= world.rules.timing.held_max, Invariant::BoundedMemory)?;
    let kept = world.machine.kept(&stream());
    if kept.is_some_and(|kept| kept > 0) {
        tally.count(Invariant::BoundedMemory);
    }
    ensure(kept.is_some(), Invariant::BoundedMemory)
}

/// Live is a claim: nothing is in doubt, and where there are positions, what state shows is the
/// vendor's of one moment.
fn check_live(world: &World, tally: &mut Tally) -> Check {
    let Some(seen) = world.machine.seen(&stream()).filter(|_| world.is_live()) else {
        return Ok(());
    };
    tally.count(Invariant::LiveMeansLive);
    let sure = seen.open_gaps.is_empty()
        && seen.staged.is_none()
        && seen.converging_until.is_none()
        && world.socks.values().any(|sock| sock.subscribed);
    ensure(sure, Invariant::LiveMeansLive)?;
    let caps = &world.rules.caps;
    let told = caps.position != Numbering::None
        && caps.snapshot == SnapshotKind::Positioned
        && caps.snapshot_body == SnapshotBody::State;
    if !told || world.rules.flaps || world.garbled > 0 || !world.withheld.is_empty() {
        return Ok(());
    }
    let shows = |upto: usize| {
        world.truth(world.events.len()).into_keys().all(|k| {
            let made = world.truth(upto).get(&k).copied().flatten();
            let held = seen.keys.get(&key(k)).filter(|held| held.present).map(|held| held.digest);
            held == made.map(|made| digest(&body(&made)))
        })
    };
    ensure((0..=world.events.len()).rev().any(shows), Invariant::LiveMeansLive)
}

fn check_once(world: &World, told: &Told<'_>, tally: &mut Tally) -> Check {
    if world.rules.flaps {
        let makes = made_by_key(world);
        for (key, held) in held_by_key(told) {
            tally.count(Invariant::AtMostOnce);
            let made = makes.get(&key).cloned().unwrap_or_default();
            ensure(is_in_order(&held, &made), Invariant::AtMostOnce)?;
        }
        return Ok(());
    }
    let mut known = BTreeSet::new();
    for change in told.changes() {
        tally.count(Invariant::AtMostOnce);
        // What the vendor never made is in no log, either.
        let index = told.index(change).ok_or(Invariant::AtMostOnce)?;
        ensure(known.insert(index), Invariant::AtMostOnce)?;
    }
    Ok(())
}

type Values = Vec<Vec<u8>>;

pub fn made_by_key(world: &World) -> BTreeMap<Key, Values> {
    let mut makes: BTreeMap<Key, Values> = BTreeMap::new();
    for made in &world.events {
        makes.entry(crate::world::key(made.key)).or_default().push(body(made).to_vec());
    }
    makes
}

pub fn held_by_key(told: &Told<'_>) -> BTreeMap<Key, Values> {
    let mut held: BTreeMap<Key, Values> = BTreeMap::new();
    for change in told.changes() {
        held.entry(change.key.clone()).or_default().push(change.payload.to_vec());
    }
    held
}

/// Whether `few` are some of `all`, in their order.
pub fn is_in_order(few: &[Vec<u8>], all: &[Vec<u8>]) -> bool {
    let mut all = all.iter();
    few.iter().all(|one| all.any(|other| other == one))
}

/// Everything up to the position is in the log or in the ledger, and so is everything before the
/// last event in the log.
fn check_covered(world: &World, told: &Told<'_>, fold: &StreamFold, tally: &mut Tally) -> Check {
    if world.rules.flaps {
        return Ok(());
    }
    if let Some(position) = fold.position.filter(|_| world.rules.caps.tells_numberings()) {
        tally.count(Invariant::CursorCovered);
        let hole = told.unaccounted(told.upto(position)).next();
        ensure(hole.is_none(), Invariant::CursorCovered)?;
    }
    let last = told.held.last().map_or(0, |last| last + 1);
    if told.missing(last) > 0 {
        tally.count(Invariant::GapHonesty);
    }
    ensure(told.unaccounted(last).next().is_none(), Invariant::GapHonesty)
}

/// While a bracket is open, the position does not move on the bracket's account: only by what else
/// is in the unit.
fn check_install(
    held: Option<Position>,
    unit: &Append,
    fold: &StreamFold,
    tally: &mut Tally,
) -> Check {
    if fold.staged.is_none() {
        return Ok(());
    }
    tally.count(Invariant::AtomicInstall);
    let reached = |record: &Record| match &record.body {
        Body::Change(change) => change.position,
        Body::SnapshotEnd(end) => end.tag,
        Body::Progress { position, .. } => Some(*position),
        Body::GapClosed(gap) => gap.through,
        _ => None,
    };
    let reached = unit.records.iter().filter_map(reached).max();
    ensure(reached.max(held) >= fold.position, Invariant::AtomicInstall)
}

/// The one sentence, read off the records without the product's fold.
fn check_fold(told: &Told<'_>, fold: &StreamFold, tally: &mut Tally) -> Check {
    let mut state: BTreeMap<Key, &Change> = BTreeMap::new();
    publish(told.bodies(), |shown| {
        match shown {
            Shown::Write(change) => drop(state.insert(change.key.clone(), change)),
            Shown::Forgotten(key) => drop(state.remove(key)),
        }
        Ok(())
    })?;
    let held = fold.keys.iter();
    let held: BTreeMap<&Key, (bool, u128)> =
        held.map(|(key, value)| (key, (value.present, value.digest))).collect();
    let last = state.iter();
    let last: BTreeMap<&Key, (bool, u128)> =
        last.map(|(key, change)| (key, (!change.deleted, change.digest))).collect();
    if !last.is_empty() {
        tally.count(Invariant::StateIsFold);
    }
    ensure(held == last, Invariant::StateIsFold)
}

/// What readers get to see of state.
enum Shown<'a> {
    Write(&'a Change),
    Forgotten(&'a Key),
}

/// Gives each write of state as readers get to see it: those of a bracket at its End.
fn publish<'a>(
    bodies: impl Iterator<Item = &'a Body>,
    mut show: impl FnMut(Shown<'a>) -> Check,
) -> Check {
    let mut staged = Vec::new();
    for body in bodies {
        match body {
            Body::Change(change) if change.effect == Effect::State => show(Shown::Write(change))?,
            Body::SnapshotBegin(_) | Body::SnapshotAbort { .. } => staged.clear(),
            Body::SnapshotItem { change, .. } => staged.push(change),
            Body::SnapshotEnd(_) => {
                let items = std::mem::take(&mut staged).into_iter();
                items.map(Shown::Write).try_for_each(&mut show)?;
            }
            Body::Forgotten { key } => show(Shown::Forgotten(key))?,
            _ => {}
        }
    }
    Ok(())
}

/// What the machine takes for state is what it has handed to the journal.
fn check_seen(world: &World, tally: &mut Tally) -> Check {
    let Some(seen) = world.machine.seen(&stream()) else { return Ok(()) };
    let log = fold(&world.log);
    let read = |fold: &StreamFold| -> BTreeMap<Key, (bool, u128)> {
        let keys = fold.keys.iter();
        keys.map(|(key, value)| (key.clone(), (value.present, value.digest))).collect()
    };
    tally.count(Invariant::StateIsFold);
    let same = read(seen) == read(&log)
        && seen.epoch == log.epoch
        && seen.open_gaps.keys().eq(log.open_gaps.keys());
    ensure(same, Invariant::StateIsFold)
}

/// Per key, state never goes back to an older event: not by an event, not by a row, and not by a
/// deletion that follows from a row's absence. That a key was forgotten is no excuse.
fn check_time(world: &World, tally: &mut Tally) -> Check {
    if world.rules.flaps {
        return Ok(());
    }
    let told = Told::of(world, &world.log);
    let mut state: BTreeMap<&Key, usize> = BTreeMap::new();
    publish(told.bodies(), |shown| {
        let Shown::Write(change) = shown else { return Ok(()) };
        let before = state.get(&change.key).copied().unwrap_or(0);
        if before > 0 {
            tally.count(Invariant::NoTimeTravel);
        }
        let at = match index(world, change) {
            Some(index) => index + 1,
            None => before.max(change.position.map_or(0, |tag| told.upto(tag))),
        };
        state.insert(&change.key, at);
        ensure(at >= before, Invariant::NoTimeTravel)
    })
}

/// Events of one of our epochs are of one of the vendor's, and a new one is entered with a bracket.
fn check_fence(world: &World, tally: &mut Tally) -> Check {
    if world.rules.flaps {
        return Ok(());
    }
    let mut epochs: BTreeMap<Epoch, u8> = BTreeMap::new();
    for change in world.records().into_iter().filter_map(|record| match &record.body {
        Body::Change(change) if is_streamed(change) => Some(change),
        _ => None,
    }) {
        let Some((position, index)) = change.position.zip(index(world, change)) else { continue };
        let theirs = world.events[index].epoch;
        if theirs > 0 {
            tally.count(Invariant::EpochFence);
        }
        let ours = *epochs.entry(position.epoch).or_insert(theirs);
        ensure(ours == theirs, Invariant::EpochFence)?;
    }
    let enters = |body: &Body| matches!(body, Body::EpochChanged { epoch, .. } if epoch.0 > 0);
    let installs = |body: &Body| matches!(body, Body::SnapshotBegin(_));
    for append in &world.log[world.durable..] {
        let has = |is: fn(&Body) -> bool| append.records.iter().any(|record| is(&record.body));
        if has(enters) {
            ensure(has(installs), Invariant::EpochFence)?;
        }
    }
    Ok(())
}
