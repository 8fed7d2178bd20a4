//! What the vendor says when it is asked, against what the stream has brought.

use unbroken_core::machine::Mutant;

use super::{Scene, Verdict, calm, judge, judge_kept, live, pass, unpositioned};
use crate::world::{World, contiguous};

pub const SCENES: &[Scene] = &[
    Scene { name: "a subscription goes mute", play: mute },
    Scene { name: "an event is late for an audit", play: late },
    Scene { name: "a busy key under audit", play: busy },
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
