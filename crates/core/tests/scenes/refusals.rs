//! Vendors that never do what they are asked for.

use unbroken_core::connector::{Ack, Class, Decoded, Failure, Item};
use unbroken_core::ids::{ConnId, Label, TokenVersion};
use unbroken_core::machine::{Input, Mutant};
use unbroken_core::record::Closer;

use super::{Scene, Verdict, begin, calm, calm_with, judge, judge_kept, live, snapshots};
use crate::world::{Rules, World, contiguous};

pub const SCENES: &[Scene] = &[
    Scene { name: "a vendor that refuses every position", play: refused },
    Scene { name: "a vendor that is mute on every position", play: mute },
    Scene { name: "a vendor that closes on every position", play: closed },
    Scene { name: "a vendor that has lost one event for good", play: hole },
    Scene { name: "a refusal, and later an outage like any other", play: remembered },
    Scene { name: "two sockets of an old token", play: old_token },
];

const TOKEN_LIFE_MS: u64 = 100_000;

/// A socket that has asked from a position and was not answered.
fn asking(world: &World) -> Option<ConnId> {
    let asks = |sock: &crate::world::Sock| sock.asked.flatten().is_some();
    world.socks.iter().find(|(_, sock)| asks(sock)).map(|(conn, _)| *conn)
}

/// Cut off, with an event that only a way back shows.
fn cut_off(rules: Rules, mutant: Option<Mutant>) -> Result<World, &'static str> {
    let mut world = live(rules, mutant, 2)?;
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(1);
    Ok(world)
}

fn refuse(world: &mut World, conn: ConnId) {
    world.socks.get_mut(&conn).unwrap().asked = None;
    let class = Class::Stale { floor: None };
    let refusal = Failure { class, code: None, what: Label::from("stale") };
    let decoded = Decoded { items: vec![Item::Refusal(refusal)], ..Decoded::default() };
    world.give(Input::Frame { conn, decoded });
}

fn refused(mutant: Option<Mutant>) -> Verdict {
    let mut world = cut_off(contiguous(), mutant)?;
    calm_with(&mut world, |world| {
        if let Some(conn) = asking(world) {
            refuse(world, conn);
        }
    })?;
    judge(&world)
}

fn mute(mutant: Option<Mutant>) -> Verdict {
    let mut world = cut_off(contiguous(), mutant)?;
    calm_with(&mut world, |world| {
        if let Some(conn) = asking(world) {
            world.socks.get_mut(&conn).unwrap().mute = true;
        }
    })?;
    judge(&world)
}

fn closed(mutant: Option<Mutant>) -> Verdict {
    let mut world = cut_off(contiguous(), mutant)?;
    calm_with(&mut world, |world| {
        let Some(conn) = asking(world) else { return };
        world.socks.get_mut(&conn).unwrap().mute = true;
        world.answer(conn);
        world.deliver(conn);
        if world.socks.remove(&conn).is_some() {
            let class = Class::Retry { after_ms: None };
            let failure = Failure { class, code: Some(1000), what: Label::from("bye") };
            world.give(Input::Closed { conn, by: Closer::Vendor, failure });
        }
    })?;
    judge(&world)
}

/// What is missing never comes, and every resume is confirmed.
fn hole(mutant: Option<Mutant>) -> Verdict {
    let mut rules = contiguous();
    rules.caps.ack = Ack::WithPosition;
    let mut world = live(rules, mutant, 2)?;
    world.emit(0);
    let lost = world.frame(&world.events[2].clone());
    world.emit(1);
    let from = world.asked.len();
    for _ in 0..600 {
        for sock in world.socks.values_mut() {
            sock.queue.retain(|frame| *frame != lost);
        }
        if world.asked.len() > from + 10 {
            return Err("NoFruitlessResync");
        }
        if world.step() {
            continue;
        }
        if world.is_live() && world.sequences().contains(&4) {
            return judge(&world);
        }
        world.tick();
    }
    Err("FinallyLive")
}

/// The vendor has forgotten what the first outage needs, and nothing of what the second needs.
fn remembered(mutant: Option<Mutant>) -> Verdict {
    let mut world = cut_off(contiguous(), mutant)?;
    world.purge();
    calm(&mut world)?;
    let before = snapshots(&world);
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(1);
    calm(&mut world)?;
    judge(&world)?;
    if snapshots(&world) == before { Ok(()) } else { Err("NoFruitlessResync") }
}

fn grant(world: &mut World) {
    let version: TokenVersion = world.authorizing.remove(0);
    let expires_at = Some(world.now + TOKEN_LIFE_MS);
    world.give(Input::TokenReady { version, expires_at });
}

fn unauthorized() -> Failure {
    Failure { class: Class::Reauthorize, code: Some(401), what: Label::from("401") }
}

/// The token was renewed while two sockets of the old one were open: both end with a 401.
fn old_token(mutant: Option<Mutant>) -> Verdict {
    let mut rules = contiguous();
    rules.caps.token_needed = true;
    let mut world = begin(rules, mutant);
    grant(&mut world);
    world.emit(0);
    calm(&mut world)?;
    let first = world.sole_conn();
    let items = vec![Item::Closing { within_ms: None }];
    let decoded = Decoded { items, ..Decoded::default() };
    // The second handshake is under way when the token is renewed.
    world.now = world.now + TOKEN_LIFE_MS * 7 / 10;
    world.give(Input::Frame { conn: first, decoded });
    let second = world.sole_conn();
    while world.authorizing.is_empty() {
        world.now = world.now + 500;
        world.give(Input::Tick);
    }
    judge_kept(&world, second)?;
    grant(&mut world);
    world.socks.remove(&second);
    world.give(Input::Refused { conn: second, failure: unauthorized() });
    world.socks.remove(&first);
    world.give(Input::Closed { conn: first, by: Closer::Vendor, failure: unauthorized() });
    calm_with(&mut world, |world| {
        if !world.authorizing.is_empty() {
            grant(world);
        }
    })?;
    judge(&world)
}
