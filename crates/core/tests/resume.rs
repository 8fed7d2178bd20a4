//! Goal: a resume asks from what is durable, believes only proof, and steps down otherwise.

use crate::world;
use crate::world::{OnOld, World, contiguous, stream};
use unbroken_core::connector::{Ack, Numbering, Page, Replay, SnapshotKind};
use unbroken_core::ids::Label;
use unbroken_core::machine::{Input, Proof, Report};
use unbroken_core::record::{GapCause, GapOutcome, Origin};

fn live(rules: world::Rules) -> World {
    let mut world = World::new(rules);
    world.emit(0);
    world.emit(1);
    world.run_to_live();
    world
}

#[test]
fn first_start_installs_a_snapshot_and_goes_live() {
    let mut world = live(contiguous());
    world.assert_state_is_the_vendors();
    world.emit(0);
    world.settle();
    assert_eq!(world.sequences(), [3]);
    world.assert_state_is_the_vendors();
}

#[test]
fn resume_uses_the_durable_position_not_the_seen_one() {
    let mut world = live(contiguous());
    world.emit(0);
    world.emit(1);
    let conn = world.sole_conn();
    world.deliver(conn);
    world.commit();
    world.deliver(conn);
    world.break_sock(conn);
    assert_eq!(world.machine.seen(&stream()).unwrap().position.unwrap().sequence, 4);
    world.emit(0);
    world.run_to_live();
    assert_eq!(world.asked.last(), Some(&Some(3)));
    world.settle();
    assert_eq!(world.sequences(), [3, 4, 5], "what was on its way to the disk is not taken twice");
}

#[test]
fn missed_events_are_replayed_once_and_in_order() {
    let mut rules = contiguous();
    rules.caps.rest_first = true;
    let mut world = live(rules);
    let conn = world.sole_conn();
    world.break_sock(conn);
    for k in 0..4 {
        world.emit(k % 2);
    }
    world.run_to_live();
    world.emit(0);
    world.settle();
    assert_eq!(world.sequences(), [3, 4, 5, 6, 7]);
    let replayed = world.changes().iter().filter(|c| c.origin == Origin::Replay).count();
    assert!(replayed > 0, "events from the outage say that they were replayed");
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start));
}

#[test]
fn an_event_at_or_below_the_asked_position_proves_nothing() {
    let mut world = live(contiguous());
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(1);
    while world.socks.is_empty() {
        world.tick();
    }
    let conn = world.sole_conn();
    world.accept(conn);
    world.answer(conn);
    world.deliver(conn);
    let old = world.frame(&world.events[0].clone());
    world.give(unbroken_core::machine::Input::Frame { conn, decoded: old });
    assert!(!world.is_live());
    world.settle();
    assert!(world.is_live());
    assert!(world.reports.contains(&Report::Proved { stream: stream(), proof: Proof::Next }));
}

#[test]
fn a_silent_clamp_is_found_and_becomes_an_overlap_on_the_same_socket() {
    let mut world = live(world::Rules { on_old: OnOld::Clamp, ..contiguous() });
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.emit(1);
    world.purge();
    world.emit(0);
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [5]);
    let row = world.ledger().pop().unwrap();
    assert_eq!(row.cause, GapCause::Clamped);
    assert_eq!(row.outcome, GapOutcome::Unrecoverable);
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (2, 4));
    world.assert_state_is_the_vendors();
    assert_eq!(world.asked.len(), 2, "no third subscription was needed");
}

#[test]
fn a_refused_position_leads_to_the_snapshot_and_a_ledger_row() {
    let mut world = live(contiguous());
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.emit(1);
    world.purge();
    world.run_to_live();
    world.emit(1);
    world.settle();
    world.assert_state_is_the_vendors();
    let row = world.ledger().pop().unwrap();
    assert_eq!(row.cause, GapCause::Refused);
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (2, 4));
    assert_eq!(world.sequences(), [5]);
}

#[test]
fn an_announced_floor_keeps_every_event_above_it() {
    let mut world = live(world::Rules { on_old: OnOld::RefuseWithFloor, ..contiguous() });
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    world.emit(1);
    world.emit(0);
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [4, 5]);
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (2, 3));
    world.assert_state_is_the_vendors();
}

#[test]
fn an_increasing_stream_is_proved_by_its_last_event_coming_again() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    let mut world = live(rules);
    world.emit(0);
    world.emit(1);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.run_to_live();
    world.settle();
    assert!(world.reports.contains(&Report::Proved { stream: stream(), proof: Proof::Anchor }));
    assert_eq!(world.sequences(), [6, 8, 10]);
}

#[test]
fn an_increasing_stream_that_was_clamped_gets_a_ledger_row() {
    let mut rules = world::Rules { on_old: OnOld::Clamp, ..contiguous() };
    rules.caps.position = Numbering::Increasing;
    let mut world = live(rules);
    world.emit(0);
    world.emit(1);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    world.emit(1);
    world.run_to_live();
    world.emit(1);
    world.settle();
    world.assert_state_is_the_vendors();
    let row = world.ledger().pop().unwrap();
    assert_eq!(row.cause, GapCause::Clamped);
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (8, 11));
}

#[test]
fn a_hidden_epoch_is_found_by_the_canary() {
    let mut rules = contiguous();
    rules.caps.epoch_named = false;
    let mut world = live(rules);
    for k in 0..4 {
        world.emit(k % 2);
    }
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.epoch += 1;
    world.floor = world.events.len();
    for k in 0..9 {
        world.emit((k + 1) % 2);
    }
    world.run_to_live();
    world.emit(0);
    world.settle();
    world.assert_state_is_the_vendors();
    let row = world.ledger().pop().unwrap();
    assert_eq!(row.cause, GapCause::EpochChanged);
}

#[test]
fn a_named_epoch_change_is_only_entered_by_an_install() {
    let mut world = live(contiguous());
    world.emit(0);
    world.settle();
    world.reset_epoch();
    world.emit(1);
    world.run_to_live();
    world.emit(0);
    world.settle();
    world.assert_state_is_the_vendors();
    let row = world.ledger().pop().unwrap();
    assert_eq!(row.cause, GapCause::EpochChanged);
    assert_eq!(row.after.unwrap().epoch.0 + 1, row.through.unwrap().epoch.0);
}

#[test]
fn a_confirmation_with_position_proves_at_once() {
    let mut rules = contiguous();
    rules.caps.ack = Ack::WithPosition;
    let mut world = live(rules);
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.run_to_live();
    assert!(world.reports.contains(&Report::Proved { stream: stream(), proof: Proof::Ack }));
}

#[test]
fn a_vendor_without_replay_gets_an_exact_row_per_outage() {
    let mut rules = contiguous();
    rules.caps.replay = Replay::None;
    let mut world = live(rules);
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(1);
    world.emit(0);
    world.run_to_live();
    world.emit(1);
    world.emit(0);
    world.settle();
    world.assert_state_is_the_vendors();
    assert_eq!(world.sequences(), [3, 6, 7]);
    let row = world.ledger().pop().unwrap();
    assert_eq!(row.cause, GapCause::NoReplay);
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (3, 5));
}

#[test]
fn what_a_dead_socket_brought_behind_a_hole_is_where_the_next_one_goes_on() {
    let mut world = live(world::Rules { on_old: OnOld::Clamp, ..contiguous() });
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    world.emit(1);
    world.emit(0);
    while world.asked.len() < 2 {
        if !world.step() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.answer(conn);
    while !world.socks[&conn].queue.is_empty() {
        world.deliver(conn);
    }
    assert_eq!(world.sequences(), [], "they wait behind the hole");
    world.rules.on_old = OnOld::Refuse;
    world.break_sock(conn);
    world.emit(1);
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [4, 5, 6]);
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (2, 3));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_socket_that_goes_mute_while_state_converges_is_given_up() {
    let mut rules = contiguous();
    rules.caps.replay = Replay::None;
    let mut world = live(rules);
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    while world.pages.is_empty() {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.socks.get_mut(&conn).unwrap().mute = true;
    for _ in 0..100 {
        if !world.socks.contains_key(&conn) {
            break;
        }
        world.emit(1);
        if !world.step() {
            world.tick();
        }
    }
    assert!(!world.socks.contains_key(&conn), "the mute socket was never given up");
    world.run_to_live();
    world.settle();
    world.assert_state_is_the_vendors();
}

#[test]
fn the_snapshot_that_a_clamp_needs_is_fetched_while_it_is_only_suspected() {
    let mut world = live(world::Rules { on_old: OnOld::Clamp, ..contiguous() });
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    world.emit(1);
    while world.pages.is_empty() {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    assert_eq!(world.sequences(), [], "the event waits for the one before it");
    let conn = world.sole_conn();
    world.page(world.events.len());
    assert!(!world.is_live(), "a suspicion installs nothing");
    world.emit(0);
    world.deliver(conn);
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [4, 5]);
    world.assert_state_is_the_vendors();
    let row = world.ledger().pop().unwrap();
    assert_eq!((row.after.unwrap().sequence, row.through.unwrap().sequence), (2, 3));
}

#[test]
fn a_suspicion_that_was_wrong_leaves_nothing_behind() {
    let mut world = live(contiguous());
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.emit(1);
    while world.socks.is_empty() || !world.socks[&world.sole_conn()].subscribed {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.deliver(conn);
    let queue = &mut world.socks.get_mut(&conn).unwrap().queue;
    queue.swap(0, 1);
    world.deliver(conn);
    assert_eq!(world.pages.len(), 1);
    world.deliver(conn);
    assert!(world.is_live());
    world.settle();
    assert_eq!(world.sequences(), [3, 4]);
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start));
}

#[test]
fn a_row_that_events_ended_keeps_its_end_when_the_numbering_changes() {
    let mut rules = contiguous();
    rules.caps.replay = Replay::None;
    let mut world = live(rules);
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(1);
    while !world.socks.values().any(|sock| sock.subscribed) {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.emit(0);
    while world.sequences() != [3, 5] {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    world.pages.clear();
    assert!(world.socks.contains_key(&conn));
    world.reset_epoch();
    world.run_to_live();
    world.settle();
    let rows = world.ledger();
    let lost: Vec<_> = rows.iter().filter(|row| row.cause == GapCause::NoReplay).collect();
    assert_eq!(lost.len(), 1);
    let (after, through) = (lost[0].after.unwrap(), lost[0].through.unwrap());
    assert_eq!((after.sequence, through.sequence), (3, 4));
    assert_eq!(after.epoch, through.epoch, "what came after it is not claimed");
    world.assert_state_is_the_vendors();
}

#[test]
fn a_refusal_is_forgotten_as_soon_as_events_have_come_from_behind_it() {
    let mut world = live(contiguous());
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    while !world.socks.values().any(|sock| sock.subscribed) {
        if !world.step() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.emit(1);
    world.emit(0);
    while !world.socks[&conn].queue.is_empty() {
        world.deliver(conn);
    }
    world.commit();
    world.break_sock(conn);
    world.emit(1);
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(5)), "from what came, not from what was refused");
    assert_eq!(world.sequences(), [4, 5, 6]);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_hole_behind_a_refusal_is_asked_for_before_it_is_given_up() {
    let mut rules = contiguous();
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    assert_hole_behind_is_asked_for(rules);
}

#[test]
fn a_hole_behind_a_clamp_is_asked_for_before_it_is_given_up() {
    assert_hole_behind_is_asked_for(world::Rules { on_old: OnOld::Clamp, ..contiguous() });
}

/// What came before 5 is gone; 7 is lost on the way, and still served.
fn assert_hole_behind_is_asked_for(rules: world::Rules) {
    let mut world = live(rules);
    world.emit(0);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    while !world.socks.values().any(|sock| sock.subscribed && sock.queue.is_empty()) {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    for _ in 0..4 {
        world.emit(1);
    }
    let dropped = world.socks.get_mut(&conn).and_then(|sock| sock.queue.remove(2));
    assert!(dropped.is_some());
    while !world.socks[&conn].queue.is_empty() {
        world.deliver(conn);
    }
    while world.socks.contains_key(&conn) {
        world.commit();
        world.tick();
    }
    world.run_to_live();
    world.settle();
    assert_eq!(world.sequences(), [3, 5, 6, 7, 8], "the vendor still had what was dropped");
    let row = world.ledger().pop();
    let bounds = row.and_then(|row| Some((row.after?.sequence, row.through?.sequence)));
    assert_eq!(bounds, Some((3, 4)));
    world.assert_state_is_the_vendors();
}

#[test]
fn a_jump_to_the_tag_of_a_rebase_is_on_disk_before_the_next_resume() {
    let mut world = live(contiguous());
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(0);
    world.purge();
    while !world.is_live() {
        if world.step_but_pages() {
            continue;
        }
        if !world.pages.is_empty() {
            world.page(world.events.len());
        } else if world.socks.values().any(|sock| sock.subscribed) {
            world.emit(1);
        } else {
            world.tick();
        }
    }
    assert_eq!(world.asked.last(), Some(&Some(3)), "the tag");
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.emit(1);
    for _ in 0..20 {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    assert_eq!(world.asked.last(), Some(&Some(3)), "not what the vendor has refused, once more");
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked.last(), Some(&Some(4)));
    assert_eq!(world.sequences(), [4, 5]);
    world.assert_state_is_the_vendors();
}

#[test]
fn a_socket_that_brought_events_behind_a_hole_was_not_fruitless() {
    let mut world = live(contiguous());
    for _ in 0..2 {
        let conn = world.sole_conn();
        world.break_sock(conn);
        world.emit(0);
        for _ in 0..50 {
            if world.socks.values().any(|sock| sock.subscribed) {
                break;
            }
            if !world.step_but_pages() {
                world.tick();
            }
        }
        let conn = world.sole_conn();
        let queue = &mut world.socks.get_mut(&conn).unwrap().queue;
        let behind_a_hole = queue.len() - 1;
        queue.drain(1..behind_a_hole.max(1));
        world.emit(1);
        let queue = &mut world.socks.get_mut(&conn).unwrap().queue;
        queue.remove(1);
        while !world.socks[&conn].queue.is_empty() {
            world.deliver(conn);
        }
        let what = unbroken_core::ids::Label::from("closed");
        let class = unbroken_core::connector::Class::Retry { after_ms: None };
        let failure = unbroken_core::connector::Failure { class, code: None, what };
        let by = unbroken_core::record::Closer::Vendor;
        world.socks.remove(&conn);
        world.give(unbroken_core::machine::Input::Closed { conn, by, failure });
        for _ in 0..50 {
            if world.socks.is_empty() {
                world.tick();
            }
        }
    }
    world.run_to_live();
    world.settle();
    assert!(world.ledger().iter().all(|row| row.cause == GapCause::Start), "nothing was given up");
    assert_eq!(world.sequences(), [3, 4, 5, 6]);
}

#[test]
fn a_numbering_that_was_entered_is_resumed_from_before_the_first_live_in_it() {
    let mut world = live(contiguous());
    let old = world.events.len();
    world.reset_epoch();
    for key in 0..3 {
        world.emit(key);
    }
    while world.pages.is_empty() {
        if !world.step_but_pages() {
            world.tick();
        }
    }
    // Two pages of different moments: after the install the stream still has to come so far.
    for (upto, key, next) in [(old + 1, 0, Some("2")), (old + 3, 2, None)] {
        let (request, _) = world.pages.remove(0);
        let whole = world.page_at(upto, true);
        let rows = whole.rows.iter().filter(|row| row.key == world::key(key)).cloned().collect();
        let page = Page { rows, total: None, next: next.map(Label::from), ..whole };
        world.give(Input::Page { request, page });
    }
    let conn = world.sole_conn();
    world.accept(conn);
    world.answer(conn);
    world.deliver(conn);
    world.deliver(conn);
    world.commit();
    let installed = |report: &Report| matches!(report, Report::Installed { .. });
    assert!(world.reports.iter().any(installed) && !world.is_live());
    world.break_sock(conn);
    world.asked.clear();
    world.run_to_live();
    world.settle();
    assert_eq!(world.asked, [Some(2)], "what is durable of the new numbering is not given up");
    let epoch = world.stream_fold().epoch;
    let positions = world.changes().into_iter().filter_map(|change| change.position);
    let held: Vec<u64> = positions.filter(|p| p.epoch == epoch).map(|p| p.sequence).collect();
    assert_eq!(held, [2, 3]);
}
