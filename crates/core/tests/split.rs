//! Goal: where the vendor splits a frame in the middle of a position, the position counts as held
//! only with all of it, across sockets and crashes.

use crate::world::{Made, World, contiguous};
use unbroken_core::connector::{Decoded, Item, Numbering};
use unbroken_core::machine::Input;
use unbroken_core::record::GapCause;

/// A stream on which one position names several keys, live and held up to 2.
fn live() -> World {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    rules.caps.position_unique = false;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world
}

/// A frame with these positions and keys.
fn frame(world: &World, events: &[(u64, u8)], more: bool) -> Decoded {
    let made = |&(sequence, key): &(u64, u8)| {
        let epoch = world.epoch;
        Made { key, deleted: false, epoch, sequence, value: sequence, at: world.now }
    };
    let frames = events.iter().map(|event| world.frame(&made(event)));
    let mut whole = Decoded::default();
    for mut frame in frames {
        whole.epoch = frame.epoch.take();
        whole.items.append(&mut frame.items);
    }
    whole.items.extend(more.then_some(Item::More));
    whole
}

fn give(world: &mut World, events: &[(u64, u8)], more: bool) {
    let decoded = frame(world, events, more);
    let conn = world.sole_conn();
    world.give(Input::Frame { conn, decoded });
    world.commit();
}

fn durable(world: &World) -> u64 {
    world.durable_position().map_or(0, |position| position.sequence)
}

#[test]
fn a_position_that_goes_on_in_the_next_frame_is_not_held_before_that() {
    let mut world = live();
    give(&mut world, &[(4, 0), (6, 0)], true);
    assert_eq!(durable(&world), 4);
    give(&mut world, &[(6, 1)], true);
    assert_eq!(durable(&world), 4, "it may still go on");
    give(&mut world, &[(6, 2), (8, 0)], false);
    assert_eq!(durable(&world), 8);
    assert_eq!(world.sequences(), [4, 6, 6, 6, 8]);
}

#[test]
fn the_rest_of_a_split_position_comes_once_after_a_break_or_a_crash() {
    for crash in [false, true] {
        let mut world = live();
        give(&mut world, &[(4, 0), (6, 0)], true);
        if crash {
            world.crash(0);
        } else {
            let conn = world.sole_conn();
            world.break_sock(conn);
        }
        // The confirmation is a frame too, and says nothing of what is held in part.
        while world.socks.values().all(|sock| !sock.subscribed) {
            assert!(world.step(), "stuck");
        }
        world.settle();
        assert_eq!(durable(&world), 4, "crash: {crash}");
        give(&mut world, &[(6, 0), (6, 1)], false);
        assert_eq!(durable(&world), 6, "crash: {crash}");
        assert_eq!(world.sequences(), [4, 6, 6], "crash: {crash}");
        assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start));
    }
}
