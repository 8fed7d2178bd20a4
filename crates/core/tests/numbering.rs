//! Goal: numberings that begin again, one after the other, neither stop the stream nor lose what
//! came. Each schedule here was found by the exhaustive search.

use std::collections::BTreeSet;

use crate::world::{World, body, contiguous};
use unbroken_core::connector::Replay;
use unbroken_core::ids::ConnId;
use unbroken_core::position::Epoch;
use unbroken_core::record::GapCause;

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

/// One event held of a numbering without a name, which begins again and is asked for it; the
/// snapshot beside the open subscription has been asked for.
fn asked_for_the_last_event_held() -> World {
    let mut rules = contiguous();
    rules.caps.epoch_named = false;
    let mut world = World::new(rules);
    world.run_to_live();
    world.emit(0);
    world.settle();
    assert_eq!(world.sequences(), [1]);
    world.reset_epoch();
    while world.socks.is_empty() {
        world.tick();
    }
    subscribed(&mut world);
    while world.pages.is_empty() {
        world.tick();
    }
    world
}

#[test]
fn a_nameless_numbering_that_came_back_to_the_number_held_is_another() {
    let mut world = asked_for_the_last_event_held();
    world.emit(1);
    world.page(world.events.len());
    world.run_to_live();
    world.settle();
    let came = world.changes().into_iter().map(|change| change.payload.clone());
    assert_eq!(came.collect::<Vec<_>>(), world.events.iter().map(body).collect::<Vec<_>>());
    assert_eq!(world.ledger().last().map(|row| row.cause), Some(GapCause::EpochChanged));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_quiet_nameless_numbering_is_left_once_for_each_outage() {
    let mut world = asked_for_the_last_event_held();
    world.run_to_live();
    world.settle();
    assert_eq!(world.stream_fold().epoch, Epoch(1));
    for _ in 0..20 {
        world.tick();
        world.settle();
    }
    assert!(world.is_live());
    assert_eq!(world.stream_fold().epoch, Epoch(1));
}

#[test]
fn what_came_before_the_first_snapshot_of_a_nameless_numbering_is_not_taken_for_the_next() {
    let mut rules = contiguous();
    rules.caps.epoch_named = false;
    let mut world = World::new(rules);
    world.page(0);
    let conn = subscribed(&mut world);
    world.tick();
    world.emit(0);
    world.deliver(conn);
    world.reset_epoch();
    world.emit(0);
    world.run_to_live();
    world.settle();
    let came = world.changes().into_iter().map(|change| &change.payload);
    assert!(came.into_iter().any(|payload| *payload == body(&world.events[0])));
    let epochs: Vec<_> = world.changes().iter().map(|change| change.position).collect();
    let told: BTreeSet<_> = epochs.iter().collect();
    assert_eq!(told.len(), epochs.len(), "{epochs:?}");
    world.emit(0);
    world.settle();
    assert_eq!(world.changes().last().unwrap().payload, body(&world.events[2]));
    world.assert_state_is_the_vendors();
}
