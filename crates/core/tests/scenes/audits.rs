//! What the vendor says when it is asked, against what the stream has brought.

use unbroken_core::machine::{Input, Mutant};

use super::{Scene, Verdict, calm, increasing, judge, judge_kept, live, pass, unpositioned};
use crate::world::{World, contiguous, stream};

pub const SCENES: &[Scene] = &[
    Scene { name: "a subscription goes mute", play: mute },
    Scene { name: "an event is late for an audit", play: late },
    Scene { name: "a busy key under audit", play: busy },
    Scene { name: "an event was lost, and a person looks", play: lost },
    Scene { name: "an event was lost, and found behind a resume", play: lost_before },
    Scene { name: "an old row beside a complete stream", play: old_row },
];

fn mute(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(contiguous(), mutant, 2)?;
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().mute = true;
    world.emit(0);
    world.emit(1);
    pass(&mut world, 600_000);
    judge(&world)
}

/// Live, with an event of key 1 that never came, and a later one of key 0 that did.
fn with_a_loss(mutant: Option<Mutant>) -> Result<World, &'static str> {
    let mut world = live(increasing(), mutant, 2)?;
    world.now = world.now + 1_000;
    let conn = world.sole_conn();
    world.emit(1);
    world.drop_event(conn);
    world.emit(0);
    world.settle();
    Ok(world)
}

fn look(world: &mut World) -> Verdict {
    world.give(Input::Resync { stream: stream(), keys: None });
    calm(world)?;
    judge(world)
}

fn lost(mutant: Option<Mutant>) -> Verdict {
    look(&mut with_a_loss(mutant)?)
}

fn lost_before(mutant: Option<Mutant>) -> Verdict {
    let mut world = with_a_loss(mutant)?;
    let conn = world.sole_conn();
    world.break_sock(conn);
    calm(&mut world)?;
    look(&mut world)
}

/// An event has just come; the answer to a person's question is from before it.
fn old_row(mutant: Option<Mutant>) -> Verdict {
    let mut rules = unpositioned();
    rules.caps.snapshot_staleness_ms_max = 5_000;
    let mut world = live(rules, mutant, 2)?;
    let conn = world.sole_conn();
    world.now = world.now + 60_000;
    world.emit(1);
    world.deliver(conn);
    world.give(Input::Resync { stream: stream(), keys: None });
    until_page(&mut world);
    let shown = world.surely_shown();
    world.page(shown);
    calm(&mut world)?;
    judge(&world)
}

fn until_page(world: &mut World) {
    while world.pages.is_empty() {
        world.tick();
    }
}

/// An event takes longer than any should: the first look finds it missing, the second finds it.
fn late(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(unpositioned(), mutant, 2)?;
    world.settle();
    let conn = world.sole_conn();
    until_page(&mut world);
    world.emit(1);
    world.page(world.events.len());
    world.tick();
    judge_kept(&world, conn)?;
    world.settle();
    until_page(&mut world);
    calm(&mut world)?;
    judge_kept(&world, conn)?;
    judge(&world)
}

/// A key changes each time while its row is under way.
fn busy(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(unpositioned(), mutant, 2)?;
    world.settle();
    let conn = world.sole_conn();
    for _ in 0..4 {
        until_page(&mut world);
        let before = world.events.len();
        world.emit(1);
        world.deliver(conn);
        world.page(before);
        world.tick();
        judge_kept(&world, conn)?;
        world.commit();
    }
    calm(&mut world)?;
    judge(&world)
}
