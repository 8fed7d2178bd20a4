//! Numberings that begin again where nothing names them, and streams that begin later than asked.

use unbroken_core::connector::Ack;
use unbroken_core::machine::Mutant;
use unbroken_core::record::{Body, Record};

use super::{Scene, Verdict, calm, held, increasing, judge, live, pass};
use crate::world::{OnOld, Rules, World, contiguous};

pub const SCENES: &[Scene] = &[
    Scene { name: "a numbering without a name begins again", play: hidden },
    Scene { name: "a numbering with a name begins again", play: named },
    Scene { name: "a confirmation from later than asked", play: clamped },
    Scene { name: "a numbering begins again, and a death inside its first snapshot", play: died },
    Scene { name: "a coming numbering breaks off, and is served on", play: served_on },
    Scene { name: "a coming numbering breaks off, and begins later", play: begins_later },
];

fn hidden(mutant: Option<Mutant>) -> Verdict {
    let mut rules = contiguous();
    rules.caps.epoch_named = false;
    begin_again(rules, mutant)
}

/// The new numbering has come past the place that is held.
fn begin_again(rules: Rules, mutant: Option<Mutant>) -> Verdict {
    let mut world = live(rules, mutant, 2)?;
    world.emit(0);
    world.emit(1);
    world.settle();
    world.reset_epoch();
    for k in [0, 1, 2, 0, 1] {
        world.emit(k);
    }
    calm(&mut world)?;
    world.emit(0);
    calm(&mut world)?;
    judge(&world)
}

fn named(mutant: Option<Mutant>) -> Verdict {
    begin_again(contiguous(), mutant)
}

/// The process that comes back is told of an event while it asks for state: it narrows the row that
/// the dead one has left.
fn died(mutant: Option<Mutant>) -> Verdict {
    let mut rules = contiguous();
    rules.timing.snapshot_unit_items = 1;
    let mut world = live(rules, mutant, 1)?;
    world.emit(0);
    world.settle();
    // Only the snapshot will tell of it.
    world.emit(1);
    world.reset_epoch();
    let entered = loop {
        if let Some(unit) = entering(&world) {
            break unit;
        }
        world.commit();
        if !world.step() {
            world.tick();
        }
    };
    world.crash(entered + 1);
    while world.pages.is_empty() || !world.socks.values().any(|sock| sock.subscribed) {
        if !world.step() {
            world.tick();
        }
    }
    world.emit(0);
    world.page(world.events.len());
    calm(&mut world)?;
    judge(&world)
}

/// The unit on its way to the disk in which the coming numbering begins.
fn entering(world: &World) -> Option<usize> {
    let enters =
        |record: &Record| matches!(record.body, Body::EpochChanged { epoch, .. } if epoch.0 == 1);
    let on_its_way = &world.log[world.durable..];
    on_its_way.iter().position(|append| append.records.iter().any(enters))
}

fn clamped(mutant: Option<Mutant>) -> Verdict {
    let mut rules = increasing();
    rules.caps.ack = Ack::WithPosition;
    rules.on_old = OnOld::Clamp;
    let mut world = live(rules, mutant, 2)?;
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.emit(1);
    world.purge();
    world.emit(0);
    calm(&mut world)?;
    judge(&world)
}

/// A numbering begins again; an event of it has come, and no snapshot, when the connection breaks,
/// and one was made since.
fn broken_off(mutant: Option<Mutant>) -> Result<World, &'static str> {
    let mut rules = increasing();
    rules.on_old = OnOld::Clamp;
    let mut world = live(rules, mutant, 2)?;
    world.emit(0);
    world.settle();
    pass(&mut world, 1_000);
    world.reset_epoch();
    while !world.socks.values().any(|sock| sock.subscribed && sock.queue.is_empty()) {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.emit(0);
    while !world.socks[&conn].queue.is_empty() {
        world.deliver(conn);
    }
    world.break_sock(conn);
    world.emit(1);
    Ok(world)
}

/// What the vendor would serve on being asked is no loss, whatever the ledger says.
fn served_on(mutant: Option<Mutant>) -> Verdict {
    let mut world = broken_off(mutant)?;
    calm(&mut world)?;
    judge(&world)?;
    let last = world.events.len() - 1;
    if held(&world).contains(&last) { Ok(()) } else { Err("GapHonesty") }
}

fn begins_later(mutant: Option<Mutant>) -> Verdict {
    let mut world = broken_off(mutant)?;
    world.purge();
    world.emit(0);
    calm(&mut world)?;
    judge(&world)
}
