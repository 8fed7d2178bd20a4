//! Goal: a half-open connection is found by our own deadline, dropped, and resumed without loss.

use crate::world::{World, contiguous};
use unbroken_core::record::{Body, Closer, ConnectionTurn, GapCause, Turn};

fn turns(world: &World) -> Vec<&ConnectionTurn> {
    let records = world.records();
    let turns = records.into_iter().filter_map(|record| match &record.body {
        Body::Connection(turn) => Some(turn),
        _ => None,
    });
    turns.collect()
}

#[test]
fn a_silent_connection_is_dropped_at_the_deadline_and_nothing_is_lost() {
    let mut rules = contiguous();
    (rules.timing.idle_ms, rules.timing.ping_ms) = (30_000, 15_000);
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world.emit(1);
    world.settle();
    let conn = world.sole_conn();
    let heard_at = world.now;
    world.socks.get_mut(&conn).unwrap().mute = true;
    world.emit(1);
    while world.socks.contains_key(&conn) {
        world.tick();
    }
    assert_eq!(world.now.since(heard_at), 30_000);
    let lost = turns(&world).into_iter().find(|t| t.turn == Turn::Closed).unwrap();
    assert_eq!((lost.conn, lost.by), (conn, Closer::Us));
    assert_eq!(lost.why.as_str(), "silent for too long");
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [2, 3]);
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start));
    world.assert_state_is_the_vendors();
}

#[test]
fn silence_while_we_do_not_read_is_not_the_vendors() {
    let mut rules = contiguous();
    rules.timing.idle_ms = 20_000;
    rules.timing.backpressure_ms = 60_000;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    world.settle();
    let conn = world.sole_conn();
    world.give(unbroken_core::machine::Input::Reading { conn, resumed: false });
    let stopped_at = world.now;
    while world.now.since(stopped_at) < 40_000 {
        world.tick();
        world.settle();
        if world.deadline.is_some_and(|at| at.since(stopped_at) > 40_000) {
            break;
        }
    }
    assert!(world.socks.contains_key(&conn), "the deadline for silence stands still");
}
