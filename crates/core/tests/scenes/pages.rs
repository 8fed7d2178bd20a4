//! Snapshots whose pages are of different moments.

use unbroken_core::connector::{Ack, Coverage, Numbering, Page, Paging, Replay};
use unbroken_core::ids::Label;
use unbroken_core::machine::{Input, Mutant};

use super::{Scene, Verdict, calm, calm_with, judge, judge_moment, live};
use crate::world::{Rules, World, contiguous};

pub const SCENES: &[Scene] = &[
    Scene { name: "two moments on a stream that is quiet before the later one", play: quiet },
    Scene { name: "two moments, and a restart before the later one", play: restart },
    Scene { name: "a row moves to a page that was read", play: shifting },
    Scene { name: "the total changes between two pages", play: torn },
    Scene { name: "a key is deleted while the process is down", play: deleted },
];

fn without_replay(mut rules: Rules) -> Rules {
    rules.caps.replay = Replay::None;
    rules
}

fn until_page(world: &mut World) {
    while world.pages.is_empty() {
        if !world.step_but_pages() {
            world.tick();
        }
    }
}

/// Answers with some of the rows as they are now.
fn give_page(world: &mut World, keys: &[u8], page: Page) {
    let (request, _) = world.pages.remove(0);
    let now = world.page_at(world.events.len(), true);
    let named = |k: u8| crate::world::key(k);
    let rows = now.rows.into_iter().filter(|row| keys.iter().any(|k| named(*k) == row.key));
    let page = Page { rows: rows.collect(), epoch: now.epoch, ..page };
    world.give(Input::Page { request, page });
}

fn first(tag: u64) -> Page {
    Page { tag: Some(tag), next: Some(Label::from("the second")), ..Page::default() }
}

fn second(tag: u64) -> Page {
    Page { tag: Some(tag), ..Page::default() }
}

/// Up to the later moment, nothing of ours happens any more.
fn quiet(mutant: Option<Mutant>) -> Verdict {
    let mut rules = without_replay(contiguous());
    rules.caps.position = Numbering::Increasing;
    rules.caps.coverage = Coverage::Filtered;
    let mut world = live(rules, mutant, 2)?;
    let conn = world.sole_conn();
    world.break_sock(conn);
    until_page(&mut world);
    give_page(&mut world, &[0], first(4));
    world.emit(0);
    world.emit(1);
    give_page(&mut world, &[1], second(10));
    judge_moment(&world)?;
    calm_with(&mut world, |world| {
        if !world.pages.is_empty() {
            give_page(world, &[0, 1], second(10));
        }
    })?;
    judge(&world)
}

/// The process dies between the two moments.
fn restart(mutant: Option<Mutant>) -> Verdict {
    let mut rules = contiguous();
    rules.caps.ack = Ack::WithPosition;
    let mut world = live(rules, mutant, 2)?;
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    until_page(&mut world);
    give_page(&mut world, &[0], first(3));
    world.emit(0);
    world.emit(1);
    give_page(&mut world, &[1], second(5));
    let conn = world.sole_conn();
    world.accept(conn);
    world.answer(conn);
    // The confirmation, and no event.
    world.deliver(conn);
    world.commit();
    world.crash(0);
    let mut shown = Ok(());
    calm_with(&mut world, |world| {
        if shown.is_ok() {
            shown = judge_moment(world);
        }
    })?;
    shown?;
    judge(&world)
}

/// While rows are read by number, one goes and another comes: the total is the same.
fn shifting(mutant: Option<Mutant>) -> Verdict {
    let mut rules = without_replay(contiguous());
    rules.caps.paging = Paging::Offset;
    let mut world = live(rules, mutant, 4)?;
    let conn = world.sole_conn();
    world.break_sock(conn);
    until_page(&mut world);
    give_page(&mut world, &[0, 1], Page { total: Some(4), ..first(4) });
    world.emit_as(0, true);
    world.emit(4);
    give_page(&mut world, &[3, 4], Page { total: Some(4), ..second(6) });
    calm(&mut world)?;
    judge(&world)
}

/// The vendor lacks a row, and the pages what was behind it.
fn torn(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(without_replay(contiguous()), mutant, 4)?;
    let conn = world.sole_conn();
    world.break_sock(conn);
    until_page(&mut world);
    give_page(&mut world, &[0, 1], Page { total: Some(4), ..first(4) });
    world.emit_as(1, true);
    give_page(&mut world, &[3], Page { total: Some(3), ..second(5) });
    calm(&mut world)?;
    judge(&world)
}

fn deleted(mutant: Option<Mutant>) -> Verdict {
    let mut world = live(without_replay(contiguous()), mutant, 3)?;
    world.settle();
    world.crash(0);
    world.emit_as(2, true);
    calm(&mut world)?;
    judge(&world)
}
