//! Goal: a frame that ends its own connection because nothing can read it (larger than any frame
//! may be, no text) does not end every connection after it.

use crate::world;
use crate::world::{World, contiguous};
use unbroken_core::connector::{Ack, Class, Decoded, Failure, Item, Numbering};
use unbroken_core::ids::{ConnId, Label};
use unbroken_core::machine::Input;
use unbroken_core::record::{Body, Closer, GapCause};

const LENGTH: u64 = 20_000_000;

fn increasing() -> world::Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    rules.caps.ack = Ack::WithPosition;
    rules
}

/// A socket brings what cannot be read, and is closed by our own side.
fn bring_unreadable(world: &mut World, conn: ConnId) {
    let reason = Label::from("frame is larger than 16777216 bytes");
    let unread = Item::Unread { reason, length: LENGTH };
    let decoded = Decoded { items: vec![unread], ..Decoded::default() };
    world.give(Input::Frame { conn, decoded });
    world.socks.remove(&conn);
    let class = Class::Retry { after_ms: None };
    let failure = Failure { class, code: Some(1009), what: Label::from("too large") };
    world.give(Input::Closed { conn, by: Closer::Us, failure });
}

/// Lets everything happen, but whenever the event in `bad` is to be read, that ends the socket.
/// Returns how often that was.
fn run(world: &mut World, bad: usize) -> usize {
    let bad = world.frame(&world.events[bad].clone());
    let mut met = 0;
    for _ in 0..2_000 {
        let next = world.socks.iter().find(|(_, sock)| sock.queue.front() == Some(&bad));
        if let Some(conn) = next.map(|(conn, _)| *conn) {
            met += 1;
            assert!(met < 9, "it is asked for again and again");
            bring_unreadable(world, conn);
        } else if !world.step() {
            if world.is_live() {
                return met;
            }
            world.tick();
        }
    }
    panic!("not live: {:#?}", world.reports);
}

fn check(rules: world::Rules) {
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world.emit(1);
    world.settle();
    world.emit(0);
    world.emit(1);
    let met = run(&mut world, 2);
    assert_eq!(met, 5, "asked for again, and not for ever");
    let bad = world.events[2].sequence;
    assert!(!world.sequences().contains(&bad));
    let covers = |after: u64, through: u64| after < bad && bad <= through;
    let rows: Vec<_> = world
        .ledger()
        .into_iter()
        .filter(|row| {
            let after = row.after.map_or(0, |p| p.sequence);
            row.through.is_some_and(|through| covers(after, through.sequence))
        })
        .collect();
    assert_eq!(rows.iter().map(|row| row.cause).collect::<Vec<_>>(), [GapCause::Poison]);
    let lengths: Vec<u64> = world
        .records()
        .iter()
        .filter_map(|record| match &record.body {
            Body::Quarantined(kept) => Some(kept.length),
            _ => None,
        })
        .collect();
    assert_eq!(lengths, [LENGTH; 5]);
    world.assert_state_is_the_vendors();
    world.emit(0);
    let last = world.events.last().unwrap().sequence;
    world.settle();
    assert!(world.is_live() && world.sequences().contains(&last), "the stream goes on");
    world.assert_state_is_the_vendors();
}

#[test]
fn where_holes_show_it_is_stepped_over_with_a_ledger_row() {
    check(contiguous());
}

#[test]
fn where_positions_are_opaque_it_is_stepped_over_with_a_ledger_row() {
    let mut rules = increasing();
    rules.caps.position = Numbering::Opaque;
    check(rules);
}

#[test]
fn where_holes_mean_nothing_it_is_stepped_over_with_a_ledger_row() {
    check(increasing());
}
