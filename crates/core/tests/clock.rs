//! Goal: a vendor's clock that is set back stops nothing. Without positions times tell which of two
//! values is newer, but only as far as an event can have been under way.

use crate::world::{World, contiguous};
use unbroken_core::connector::{Decoded, Item, Numbering, Replay, SnapshotKind};
use unbroken_core::machine::Input;
use unbroken_core::record::Effect;
use unbroken_core::time::UnixMicros;

const HOUR_S: i64 = 3_600;

const fn seconds(s: i64) -> Option<UnixMicros> {
    Some(UnixMicros(s * 1_000_000))
}

/// Live, without positions; the rows of the snapshot are of nine o'clock.
fn live() -> World {
    let mut rules = contiguous();
    rules.caps.position = Numbering::None;
    rules.caps.replay = Replay::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    let mut world = World::new(rules);
    world.emit(0);
    world.emit(1);
    while !world.is_live() {
        if let Some((request, _)) = world.pages.pop() {
            let mut page = world.page_at(world.events.len(), true);
            for row in &mut page.rows {
                row.occurred_at = seconds(9 * HOUR_S);
            }
            world.give(Input::Page { request, page });
        } else if !world.step_but_pages() {
            world.tick();
        }
    }
    world
}

/// An event of key 1 arrives that the vendor says is of this time; what becomes of it.
fn effect_at(world: &mut World, at_s: i64) -> Effect {
    world.emit(1);
    let conn = world.sole_conn();
    let frame = world.socks.get_mut(&conn).unwrap().queue.back_mut().unwrap();
    *frame = at(frame.clone(), at_s);
    world.settle();
    world.changes().last().unwrap().effect
}

fn at(mut frame: Decoded, at_s: i64) -> Decoded {
    if let Some(Item::Event(event)) = frame.items.first_mut() {
        event.occurred_at = seconds(at_s);
    }
    frame
}

#[test]
fn an_event_that_was_under_way_while_a_newer_row_came_does_not_touch_state() {
    let mut world = live();
    assert_eq!(effect_at(&mut world, 9 * HOUR_S - 10), Effect::History);
    assert_eq!(effect_at(&mut world, 9 * HOUR_S + 1), Effect::State);
}

#[test]
fn an_event_from_before_any_that_can_be_under_way_is_of_another_clock() {
    let mut world = live();
    assert_eq!(effect_at(&mut world, HOUR_S), Effect::State);
    assert_eq!(effect_at(&mut world, 9 * HOUR_S + 1), Effect::State, "the clock has returned");
}
