//! Make before break, where no position tells what both connections have brought.

use unbroken_core::connector::{Decoded, Item, Replay};
use unbroken_core::ids::ConnId;
use unbroken_core::machine::{Input, Mutant};

use super::{Scene, Verdict, calm, increasing, judge, live, unpositioned};
use crate::world::World;

pub const SCENES: &[Scene] = &[
    Scene { name: "a second connection that is mute", play: mute },
    Scene { name: "a first connection that is slow", play: slow },
    Scene { name: "a first connection that dies before the join", play: dies },
    Scene { name: "a second connection that is ahead of the first", play: ahead },
];

/// A second connection, subscribed.
fn second(world: &mut World) -> (ConnId, ConnId) {
    let old = announce(world);
    let new = world.sole_conn();
    world.accept(new);
    world.answer(new);
    world.deliver(new);
    (old, new)
}

fn announce(world: &mut World) -> ConnId {
    let conn = world.sole_conn();
    let items = vec![Item::Closing { within_ms: Some(60_000) }];
    world.give(Input::Frame { conn, decoded: Decoded { items, ..Decoded::default() } });
    conn
}

/// The next frame, if the machine has not closed the socket.
fn deliver(world: &mut World, conn: ConnId) {
    if world.socks.get(&conn).is_some_and(|sock| !sock.queue.is_empty()) {
        world.deliver(conn);
    }
}

/// The second brings nothing of what the first brings.
fn mute(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(unpositioned(), mutant, 2)?;
    let (old, new) = second(&mut world);
    world.socks.get_mut(&new).unwrap().mute = true;
    world.now = world.now + world.rules.timing.grace_ms + 1;
    world.emit(0);
    deliver(&mut world, old);
    while world.socks.len() == 2 {
        world.tick();
    }
    world.emit(1);
    calm(&mut world)?;
    judge(&world)
}

/// The first has not brought yet what happened before the second was confirmed.
fn slow(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(unpositioned(), mutant, 2)?;
    let old = announce(&mut world);
    let new = world.sole_conn();
    world.accept(new);
    world.emit(0);
    world.answer(new);
    world.deliver(new);
    while world.socks.contains_key(&old) {
        world.tick();
    }
    calm(&mut world)?;
    judge(&world)
}

/// Of the second's first event the first has never told, so no join shows.
fn dies(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(unpositioned(), mutant, 2)?;
    let (old, new) = second(&mut world);
    for k in 0..3 {
        world.emit(k);
    }
    if let Some(sock) = world.socks.get_mut(&old) {
        sock.queue.pop_front();
    }
    for conn in [old, old, new, new, new] {
        deliver(&mut world, conn);
    }
    if world.socks.contains_key(&old) {
        world.break_sock(old);
    }
    calm(&mut world)?;
    judge(&world)
}

/// What the first still owes is from before the second's first event.
fn ahead(mutant: Option<Mutant>) -> Verdict {
    let mut rules = increasing();
    rules.caps.replay = Replay::None;
    let mut world = live(rules, mutant, 2)?;
    let old = announce(&mut world);
    let new = world.sole_conn();
    world.accept(new);
    world.emit(0);
    world.answer(new);
    world.emit(1);
    deliver(&mut world, new);
    deliver(&mut world, new);
    deliver(&mut world, old);
    deliver(&mut world, old);
    calm(&mut world)?;
    judge(&world)
}
