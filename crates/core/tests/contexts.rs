//! Goal: a second server-side context of ours (an old one that was never ended) changes nothing.

use crate::world::{World, contiguous};
use unbroken_core::connector::{Decoded, Item};
use unbroken_core::ids::{ConnId, Label};
use unbroken_core::machine::{Input, Report};
use unbroken_core::record::GapCause;

fn of(subscription: &str, decoded: Decoded) -> Decoded {
    Decoded { subscription: Some(Label::from(subscription)), ..decoded }
}

/// Live on a socket whose confirmation named the subscription `mine`.
fn live() -> (World, ConnId) {
    let mut rules = contiguous();
    rules.caps.subscription_named = true;
    let mut world = World::new(rules);
    world.emit(0);
    while !world.socks.values().any(|sock| !sock.queue.is_empty()) {
        if !world.step() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    let ack = &mut world.socks.get_mut(&conn).unwrap().queue[0];
    assert!(matches!(ack.items[0], Item::Ack { .. }));
    ack.subscription = Some(Label::from("mine"));
    world.run_to_live();
    (world, conn)
}

#[test]
fn frames_of_an_old_context_are_counted_and_dropped() {
    let (mut world, conn) = live();
    for k in 0..4 {
        world.emit(k % 2);
        let frame = world.socks.get_mut(&conn).unwrap().queue.pop_front().unwrap();
        world.give(Input::Frame { conn, decoded: of("old", frame.clone()) });
        world.give(Input::Frame { conn, decoded: of("mine", frame) });
    }
    world.settle();
    assert_eq!(world.sequences(), [2, 3, 4, 5]);
    world.break_sock(conn);
    let foreign = |r: &Report| matches!(r, Report::Foreign { count: 4, .. });
    assert!(world.reports.iter().any(foreign), "they are told when the connection ends");
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start));
}

#[test]
fn an_old_context_s_event_ahead_of_ours_is_not_taken() {
    let (mut world, conn) = live();
    world.emit(0);
    world.emit(1);
    let queue = &mut world.socks.get_mut(&conn).unwrap().queue;
    let (first, second) = (queue.pop_front().unwrap(), queue.pop_front().unwrap());
    world.give(Input::Frame { conn, decoded: of("old", second.clone()) });
    assert_eq!(world.sequences(), [], "it proves nothing of our own subscription");
    world.give(Input::Frame { conn, decoded: of("mine", first) });
    assert_eq!(world.sequences(), [2]);
    world.give(Input::Frame { conn, decoded: of("mine", second) });
    assert_eq!(world.sequences(), [2, 3]);
}

#[test]
fn every_event_twice_is_in_the_record_once() {
    let mut world = World::new(contiguous());
    world.emit(0);
    world.run_to_live();
    let conn = world.sole_conn();
    for k in 0..4 {
        world.emit(k % 2);
        let frame = world.socks.get_mut(&conn).unwrap().queue.pop_front().unwrap();
        world.give(Input::Frame { conn, decoded: frame.clone() });
        world.give(Input::Frame { conn, decoded: frame });
    }
    assert_eq!(world.sequences(), [2, 3, 4, 5]);
    world.break_sock(conn);
    let doubled = |r: &Report| matches!(r, Report::Duplicates { count: 4, .. });
    assert!(world.reports.iter().any(doubled));
}
