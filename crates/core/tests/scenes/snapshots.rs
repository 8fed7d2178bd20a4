//! Snapshots of many keys, of some keys, of none, and of another time.

use unbroken_core::connector::{Coverage, Page, Replay};
use unbroken_core::machine::{Input, Mutant};

use super::{Scene, Verdict, calm, judge, judge_kept, judge_state, live};
use crate::world::{World, contiguous, key, stream};

pub const SCENES: &[Scene] = &[
    Scene { name: "a look at one key of four", play: scope },
    Scene { name: "a look at one key while another changes", play: freshness },
    Scene { name: "an empty answer about twenty keys", play: empty },
    Scene { name: "empty answers about two keys", play: empty_of_two },
    Scene { name: "an old answer beside an open subscription", play: old_answer },
    Scene { name: "an event falls into the end of a numbering", play: end_of_numbering },
];

fn look_at(world: &mut World, k: u8) {
    world.give(Input::Resync { stream: stream(), keys: Some(vec![key(k)]) });
}

fn until_page(world: &mut World) {
    while world.pages.is_empty() {
        if !world.step_but_pages() {
            world.tick();
        }
    }
}

fn scope(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(contiguous(), mutant, 4)?;
    look_at(&mut world, 1);
    calm(&mut world)?;
    judge(&world)
}

fn freshness(mutant: Option<Mutant>) -> Verdict {
    let mut rules = contiguous();
    rules.caps.coverage = Coverage::Filtered;
    let mut world = live(rules, mutant, 4)?;
    world.emit(0);
    world.emit(1);
    look_at(&mut world, 0);
    // The rows are here before the events that they show.
    world.page(world.events.len());
    world.tick();
    calm(&mut world)?;
    judge(&world)
}

/// The vendor has lost its table: whoever asks is told of nobody, time and again.
fn empty_answers(mutant: Option<Mutant>, keys: u8) -> Verdict {
    let mut rules = contiguous();
    rules.caps.replay = Replay::None;
    let mut world = live(rules, mutant, keys)?;
    let conn = world.sole_conn();
    world.break_sock(conn);
    for _ in 0..2 {
        if world.is_live() {
            break;
        }
        until_page(&mut world);
        let (request, _) = world.pages.remove(0);
        let page = Page { rows: Vec::new(), total: Some(0), ..world.page_at(keys.into(), true) };
        world.give(Input::Page { request, page });
    }
    while world.step_but_pages() {}
    world.commit();
    judge_state(&world)
}

fn empty(mutant: Option<Mutant>) -> Verdict {
    empty_answers(mutant, 20)
}

fn empty_of_two(mutant: Option<Mutant>) -> Verdict {
    empty_answers(mutant, 2)
}

fn old_answer(mutant: Option<Mutant>) -> Verdict {
    let mut rules = contiguous();
    rules.caps.replay = Replay::None;
    rules.caps.snapshot_staleness_ms_max = 2_000;
    let mut world = live(rules, mutant, 2)?;
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    until_page(&mut world);
    let conn = world.sole_conn();
    world.emit(1);
    world.step_but_pages();
    world.page(2);
    judge_kept(&world, conn)?;
    calm(&mut world)?;
    judge_kept(&world, conn)?;
    judge(&world)
}

fn end_of_numbering(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(contiguous(), mutant, 2)?;
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.now = world.now + 10_000;
    world.emit(1);
    world.socks.get_mut(&conn).unwrap().queue.clear();
    world.now = world.now + 10_000;
    world.reset_epoch();
    world.now = world.now + 10_000;
    world.emit(0);
    calm(&mut world)?;
    judge(&world)
}
