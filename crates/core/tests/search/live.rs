//! What must hold when the stream is Live and nothing is owed by anyone.

use unbroken_core::connector::{Numbering, SnapshotBody, SnapshotKind};
use unbroken_core::record::Body;

use super::ledger::Told;
use super::node::Node;
use super::safety::{Check, ensure, held_by_key, is_in_order, made_by_key};
use super::{Invariant, Tally};
use crate::world::{World, body, key};

/// Whether state is the vendor's.
pub fn shows_state(world: &World) -> bool {
    let fold = world.stream_fold();
    world.truth(world.events.len()).into_iter().all(|(k, made)| {
        let held = fold.keys.get(&key(k)).filter(|held| held.present);
        held.map(|held| &held.payload) == made.map(|made| body(&made)).as_ref()
    })
}

impl Node {
    pub fn check_complete(&self, tally: &mut Tally) -> Check {
        let world = &self.world;
        let fold = world.stream_fold();
        let told = Told::of(world, &world.log);
        tally.count(Invariant::GapsClose);
        ensure(fold.open_gaps.is_empty(), Invariant::GapsClose)?;
        check_state(world, tally)?;
        check_shown(&told, tally)?;
        check_received(world, &told, tally)?;
        check_poison(world, &told, tally)?;
        if world.rules.flaps {
            return check_values(world, &told, tally);
        }
        if told.missing(world.events.len()) > 0 {
            tally.count(Invariant::GapHonesty);
        }
        ensure(told.unaccounted(world.events.len()).next().is_none(), Invariant::GapHonesty)?;
        ensure(!told.overclaims(), Invariant::GapHonesty)
    }
}

/// State is the vendor's, where there is a snapshot of it or every event has come.
fn check_state(world: &World, tally: &mut Tally) -> Check {
    let caps = &world.rules.caps;
    if caps.snapshot == SnapshotKind::None || caps.snapshot_body == SnapshotBody::Other {
        return Ok(());
    }
    let fold = world.stream_fold();
    for (k, made) in world.truth(world.events.len()) {
        tally.count(Invariant::LiveMeansLive);
        let held = fold.keys.get(&key(k)).filter(|held| held.present);
        let held = held.map(|held| &held.payload);
        ensure(held == made.map(|made| body(&made)).as_ref(), Invariant::LiveMeansLive)?;
    }
    Ok(())
}

/// What a snapshot has shown and the stream has not, is of an event that a row admits. Without
/// positions nobody can tell whether it was before the confirmation.
fn check_shown(told: &Told<'_>, tally: &mut Tally) -> Check {
    if told.is_by_clock() {
        return Ok(());
    }
    for body in told.bodies() {
        let Body::SnapshotItem { change, .. } = body else { continue };
        let Some(index) = told.index(change).filter(|index| !told.held.contains(index)) else {
            continue;
        };
        tally.count(Invariant::GapHonesty);
        ensure(told.is_covered(index), Invariant::GapHonesty)?;
    }
    Ok(())
}

/// Where numberings have no names, what an earlier socket brought may be of one that is over.
fn check_received(world: &World, told: &Told<'_>, tally: &mut Tally) -> Check {
    let caps = &world.rules.caps;
    let nameless = caps.position != Numbering::None && !caps.tells_numberings();
    if world.rules.flaps || nameless {
        return Ok(());
    }
    // What a subscription has left out where numbers have holes is taken for old when it comes
    // again: nothing showed that it was missing.
    let holes_show = caps.position == Numbering::Contiguous;
    for (index, made) in world.events.iter().enumerate() {
        let left_out = !holes_show && world.withheld.contains(&index);
        let came = !left_out && world.received.contains(&(made.epoch, made.sequence));
        if came && told.has_entered(index) {
            tally.count(Invariant::NothingReceivedIsDropped);
            ensure(told.held.contains(&index), Invariant::NothingReceivedIsDropped)?;
        }
    }
    Ok(())
}

/// What could not be understood is kept, as often as it came, and the stream stands behind it.
fn check_poison(world: &World, told: &Told<'_>, tally: &mut Tally) -> Check {
    if world.garbled == 0 {
        return Ok(());
    }
    tally.count(Invariant::ProgressPastPoison);
    let kept = told.bodies().filter(|body| matches!(body, Body::Quarantined(_))).count();
    ensure(kept as u64 >= world.garbled, Invariant::ProgressPastPoison)?;
    if world.rules.caps.position == Numbering::None || !world.rules.caps.tells_numberings() {
        return Ok(());
    }
    let position = world.stream_fold().position;
    let reached = position.map_or(0, |position| told.upto(position));
    ensure(reached == world.events.len(), Invariant::ProgressPastPoison)
}

/// Of values that come again: those that no row covers are in the log, in their order.
fn check_values(world: &World, told: &Told<'_>, tally: &mut Tally) -> Check {
    let held = held_by_key(told);
    for key in made_by_key(world).into_keys() {
        let is_owed = |(index, made): &(usize, &crate::world::Made)| {
            crate::world::key(made.key) == key && !told.is_covered(*index)
        };
        let owed = world.events.iter().enumerate().filter(is_owed);
        let owed: Vec<Vec<u8>> = owed.map(|(_, made)| body(made).to_vec()).collect();
        let held = held.get(&key).cloned().unwrap_or_default();
        tally.count(Invariant::GapHonesty);
        ensure(is_in_order(&owed, &held), Invariant::GapHonesty)?;
    }
    Ok(())
}
