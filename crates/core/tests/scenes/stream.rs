//! What comes on a socket, and what does not.

use unbroken_core::connector::{Decoded, Item, SnapshotKind};
use unbroken_core::ids::Label;
use unbroken_core::machine::{Input, Mutant};
use unbroken_core::time::Millis;

use super::{Scene, Verdict, begin, calm, increasing, judge, live, pass, unpositioned};
use crate::world::{Made, World, contiguous, stream};

pub const SCENES: &[Scene] = &[
    Scene { name: "a context of ours that was never ended speaks too", play: zombie },
    Scene { name: "a position goes on in the next frame, after a break", play: split },
    Scene { name: "without positions an event comes twice", play: echo },
    Scene { name: "a socket falls silent where nobody can be asked", play: silence },
    Scene { name: "a paused stream through a restart and a night", play: pause },
];

fn of(subscription: &str, decoded: &Decoded) -> Decoded {
    Decoded { subscription: Some(Label::from(subscription)), ..decoded.clone() }
}

fn zombie(mutant: Option<Mutant>) -> Verdict {
    let mut rules = increasing();
    rules.caps.subscription_named = true;
    let mut world = begin(rules, mutant);
    world.emit(0);
    while !world.socks.values().any(|sock| !sock.queue.is_empty()) {
        if !world.step() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().queue[0].subscription = Some(Label::from("mine"));
    calm(&mut world)?;
    world.emit(0);
    world.emit(1);
    let frames = std::mem::take(&mut world.socks.get_mut(&conn).unwrap().queue);
    let [first, second] = [&frames[0], &frames[1]];
    // The old context is ahead of ours.
    for decoded in [of("old", second), of("mine", first), of("mine", second)] {
        world.give(Input::Frame { conn, decoded });
    }
    calm(&mut world)?;
    judge(&world)
}

/// A frame with these positions and keys.
fn frame(world: &World, events: &[(u64, u8)], more: bool) -> Decoded {
    let made = |&(sequence, key): &(u64, u8)| Made { key, sequence, ..world.events[0] };
    let frames = events.iter().map(|event| world.frame(&made(event)));
    let mut whole = Decoded::default();
    for mut frame in frames {
        whole.epoch = frame.epoch.take();
        whole.items.append(&mut frame.items);
    }
    whole.items.extend(more.then_some(Item::More));
    whole
}

/// The vendor's position 6 is of two keys, and comes in two frames; the road breaks between them.
fn split(mutant: Option<Mutant>) -> Verdict {
    let all = [(4, 0), (6, 0), (6, 1)];
    let mut rules = increasing();
    rules.caps.position_unique = false;
    let mut world = live(rules, mutant, 1)?;
    let conn = world.sole_conn();
    world.emit(0);
    world.emit(0);
    world.socks.get_mut(&conn).unwrap().queue.clear();
    let decoded = frame(&world, &all[..2], true);
    world.give(Input::Frame { conn, decoded });
    world.commit();
    world.break_sock(conn);
    while world.socks.values().all(|sock| !sock.subscribed) {
        if !world.step() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    // The confirmation, and no event in one piece.
    world.socks.get_mut(&conn).unwrap().queue.truncate(1);
    world.settle();
    let asked = world.asked.last().copied().flatten().unwrap_or(0);
    let rest: Vec<(u64, u8)> = all.into_iter().filter(|(at, _)| *at > asked).collect();
    let decoded = frame(&world, &rest, false);
    world.give(Input::Frame { conn, decoded });
    let mut stored: Vec<u64> = world.sequences();
    stored.sort_unstable();
    match stored.len() {
        3 if stored == [4, 6, 6] => Ok(()),
        0..=3 => Err("CursorCovered"),
        _ => Err("AtMostOnce"),
    }
}

fn echo(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(unpositioned(), mutant, 2)?;
    let conn = world.sole_conn();
    world.emit(1);
    let frame = world.socks[&conn].queue[0].clone();
    world.give(Input::Frame { conn, decoded: frame });
    calm(&mut world)?;
    judge(&world)
}

fn silence(mutant: Option<Mutant>) -> Verdict {
    let mut rules = contiguous();
    rules.caps.snapshot = SnapshotKind::None;
    (rules.timing.idle_ms, rules.timing.ping_ms) = (30_000, 15_000);
    let mut world = live(rules, mutant, 2)?;
    world.emit(1);
    calm(&mut world)?;
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().mute = true;
    world.emit(0);
    pass(&mut world, 3_600_000);
    judge(&world)
}

fn pause(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(contiguous(), mutant, 2)?;
    let (by, why) = (Label::from("anna"), Label::from("works at the vendor's"));
    world.give(Input::Pause { stream: stream(), by, why });
    world.commit();
    world.crash(0);
    for _ in 0..100 {
        world.now = Millis(world.now.0 + 900_000);
        world.give(Input::Tick);
        if !world.socks.is_empty() || !world.pages.is_empty() {
            return Err("PausedIsQuiet");
        }
    }
    let (by, why) = (Label::from("ben"), Label::from(""));
    world.give(Input::Resume { stream: stream(), by, why });
    calm(&mut world)?;
    judge(&world)
}
