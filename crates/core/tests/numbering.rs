//! Goal: numberings that begin again, one after the other, neither stop the stream nor lose what
//! came. Each schedule here was found by the exhaustive search.

mod world;

use unbroken_core::connector::Replay;
use unbroken_core::ids::ConnId;
use world::{World, contiguous};

/// A subscription that is confirmed.
fn subscribed(world: &mut World) -> ConnId {
    let conn = world.sole_conn();
    world.accept(conn);
    world.answer(conn);
    world.deliver(conn);
    conn
}

#[test]
fn an_old_page_is_no_new_numbering_where_the_socket_has_said_which_it_is_in() {
    let mut rules = contiguous();
    rules.caps.replay = Replay::None;
    rules.caps.snapshot_staleness_ms_max = 1_000;
    let mut world = World::new(rules);
    world.emit(0);
    world.reset_epoch();
    world.run_to_live();
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.commit();
    while world.socks.is_empty() {
        world.tick();
    }
    let conn = subscribed(&mut world);
    world.emit(1);
    world.page(1);
    world.deliver(conn);
    assert!(world.socks.contains_key(&conn), "the page was old, not the socket");
    world.run_to_live();
    assert_eq!(world.sequences(), [1]);
    world.assert_state_is_the_vendors();
}

#[test]
fn what_came_of_a_numbering_that_ended_before_it_was_installed_is_kept() {
    let mut world = World::new(contiguous());
    world.page(0);
    let conn = subscribed(&mut world);
    world.tick();
    world.emit(0);
    world.deliver(conn);
    world.reset_epoch();
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [1]);
    assert_eq!(world.stream_fold().epoch_name, world.epoch_name(1));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_nameless_numbering_that_began_again_below_what_is_held_is_no_end() {
    let mut rules = contiguous();
    rules.caps.epoch_named = false;
    let mut world = World::new(rules);
    world.page(0);
    let conn = world.sole_conn();
    world.accept(conn);
    world.emit(0);
    world.emit(1);
    world.answer(conn);
    world.deliver(conn);
    world.deliver(conn);
    world.reset_epoch();
    world.run_to_live();
    world.settle();
    world.emit(0);
    world.settle();
    assert!(world.is_live());
    world.assert_state_is_the_vendors();
}
