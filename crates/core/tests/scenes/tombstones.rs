//! Keys that leave for good: a tombstone stands for as long as anything older may come, and no
//! longer.

use unbroken_core::connector::{Ack, Coverage, Decoded, Item};
use unbroken_core::ids::ConnId;
use unbroken_core::machine::{Input, Mutant};

use super::{
    Scene, Verdict, begin, calm, increasing, judge, judge_state, live, pass, unpositioned,
};
use crate::world::{Rules, World, key, stream};

pub const SCENES: &[Scene] = &[
    Scene { name: "an event from before a deletion comes a second late", play: late },
    Scene { name: "a deletion, while older events wait on a second connection", play: handover },
    Scene { name: "a deletion beyond the position, and older events after an hour", play: above },
    Scene { name: "keys that come and go, numbered", play: numbered },
    Scene { name: "keys that come and go, without positions", play: nameless },
];

/// Longer than any tombstone stands, in milliseconds.
const LONG_MS: u64 = 200_000;

/// A vendor that tells when an event happened, and from whom silence is an end: 70 s is the longest
/// that an event may be under way.
fn talkative(mut rules: Rules) -> Rules {
    rules.timing.idle_ms = 40_000;
    rules.times = true;
    rules
}

/// Lets time pass in which the vendor is heard.
fn talk(world: &mut World, for_ms: u64) {
    for _ in 0..for_ms / 10_000 {
        world.beat_all();
        pass(world, 10_000);
    }
}

fn frames(world: &mut World, conn: ConnId) -> Vec<Decoded> {
    world.socks.get_mut(&conn).map(|sock| sock.queue.drain(..).collect()).unwrap_or_default()
}

fn give(world: &mut World, conn: ConnId, frames: impl IntoIterator<Item = Decoded>) {
    for decoded in frames {
        world.give(Input::Frame { conn, decoded });
    }
}

/// A server that lags brings an event of a key behind the key's deletion.
fn late(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(talkative(unpositioned()), mutant, 2)?;
    let conn = world.sole_conn();
    world.emit(1);
    world.emit_as(1, true);
    let mut told = frames(&mut world, conn);
    give(&mut world, conn, told.pop());
    pass(&mut world, 1_000);
    give(&mut world, conn, told);
    judge(&world)
}

/// A second connection has brought what the first has not. No join shows for a long time, and in
/// the meantime the key is deleted on both.
fn handover(mutant: Option<Mutant>) -> Verdict {
    let mut rules = talkative(unpositioned());
    rules.timing.handover_ms = 4 * LONG_MS;
    let mut world = live(rules, mutant, 2)?;
    let old = world.sole_conn();
    let items = vec![Item::Closing { within_ms: None }];
    give(&mut world, old, [Decoded { items, ..Decoded::default() }]);
    world.settle();
    world.emit(1);
    frames(&mut world, old);
    world.settle();
    world.emit_as(1, true);
    talk(&mut world, LONG_MS);
    while world.socks.len() == 2 {
        world.tick();
        while world.step_but_pages() {}
    }
    calm(&mut world)?;
    judge(&world)
}

/// A person has a key looked up that is gone, while the stream lags behind what the vendor shows.
fn above(mutant: Option<Mutant>) -> Verdict {
    let mut rules = talkative(increasing());
    rules.times = false;
    rules.caps.coverage = Coverage::Filtered;
    rules.caps.ack = Ack::WithPosition;
    let mut world = live(rules, mutant, 3)?;
    let conn = world.sole_conn();
    world.emit(1);
    world.emit_as(1, true);
    let mut told = frames(&mut world, conn);
    world.give(Input::Resync { stream: stream(), keys: Some(vec![key(1)]) });
    calm(&mut world)?;
    talk(&mut world, 3_600_000);
    if world.sole_conn() != conn {
        return Err("NoFruitlessResync");
    }
    let last = told.pop();
    give(&mut world, conn, told);
    judge_state(&world)?;
    give(&mut world, conn, last);
    calm(&mut world)?;
    judge(&world)
}

fn numbered(mutant: Option<Mutant>) -> Verdict {
    come_and_go(begin(talkative(increasing()), mutant))
}

fn nameless(mutant: Option<Mutant>) -> Verdict {
    come_and_go(begin(talkative(unpositioned()), mutant))
}

/// Nothing of a key stays: not in state, not beside it, not in the process that comes next.
fn come_and_go(mut world: World) -> Verdict {
    world.emit(0);
    calm(&mut world)?;
    for k in 1..200 {
        world.emit(k);
        calm(&mut world)?;
        world.emit_as(k, true);
        talk(&mut world, 10_000);
        let most = 30;
        let held = world.stream_fold().keys.len();
        if held > most || world.machine.kept(&stream()).is_none_or(|kept| kept > 2 * most) {
            return Err("BoundedMemory");
        }
        if k == 100 {
            world.commit();
            world.crash(0);
            calm(&mut world)?;
        }
    }
    talk(&mut world, LONG_MS);
    calm(&mut world)?;
    let held: Vec<_> = world.stream_fold().keys.keys().cloned().collect();
    if held != [key(0)] {
        return Err("BoundedMemory");
    }
    judge(&world)
}
