//! What is not understood, not read, not subscribed, and long past.

use bytes::Bytes;
use unbroken_core::connector::{
    Ack, Class, Decoded, Fact, Failure, History, HistoryPage, Item, Replay, SnapshotKind,
};
use unbroken_core::ids::{ConnId, Label};
use unbroken_core::machine::{Input, Mutant};
use unbroken_core::record::{Body, Closer, GapOutcome, Origin};
use unbroken_core::time::UnixMicros;

use super::{
    Scene, Verdict, begin, calm, increasing, judge, judge_state, live, pass, unpositioned,
};
use crate::world::{Rules, World, key};

pub const SCENES: &[Scene] = &[
    Scene { name: "bytes that nobody understands, where no hole shows", play: poison },
    Scene { name: "a message that ends every socket", play: unread },
    Scene { name: "a vendor renames its fields", play: renamed },
    Scene {
        name: "a vendor without positions renames its fields",
        play: renamed_without_positions,
    },
    Scene {
        name: "every second event is garbled, and comes whole when asked for",
        play: garbled_by_turns,
    },
    Scene { name: "what was garbled comes garbled again, and the rest whole", play: garbled_again },
    Scene { name: "a subscription without one of the keys", play: partial },
    Scene { name: "an index that is still being filled", play: index },
    Scene { name: "a walk that ends before its total", play: short },
    Scene { name: "a fact about what was long ago", play: fact_of_old },
    Scene { name: "the end of a key falls into a gap", play: ended },
    Scene { name: "an answer that is wrong once about the end of a key", play: ended_once },
    Scene { name: "the end of a key falls into a gap, and it comes again", play: revived },
];

fn of(items: Vec<Item>) -> Decoded {
    Decoded { items, ..Decoded::default() }
}

/// The last event on a socket's way becomes something else.
fn spoil(world: &mut World, conn: ConnId, item: Item) {
    *world.socks.get_mut(&conn).unwrap().queue.back_mut().unwrap() = of(vec![item]);
}

fn poison(mutant: Option<Mutant>) -> Verdict {
    let mut rules = increasing();
    rules.caps.replay = Replay::None;
    let mut world = live(rules, mutant, 2)?;
    let conn = world.sole_conn();
    world.emit(1);
    let (reason, bytes) = (Label::from("no text"), Bytes::from_static(b"\xff"));
    spoil(&mut world, conn, Item::Poison { reason, bytes });
    world.emit(0);
    calm(&mut world)?;
    judge(&world)
}

/// The vendor's third event is larger than any message may be.
fn unread(mutant: Option<Mutant>) -> Verdict {
    let mut rules = increasing();
    rules.caps.ack = Ack::WithPosition;
    let mut world = live(rules, mutant, 1)?;
    world.emit(1);
    world.settle();
    world.emit(0);
    world.emit(1);
    let bad = world.frame(&world.events[2].clone());
    for _ in 0..2_000 {
        let next = world.socks.iter().find(|(_, sock)| sock.queue.front() == Some(&bad));
        if let Some(conn) = next.map(|(conn, _)| *conn) {
            end_unread(&mut world, conn);
        } else if !world.step() {
            if world.is_live() {
                return judge(&world);
            }
            world.tick();
        }
    }
    Err("ProgressPastPoison")
}

fn end_unread(world: &mut World, conn: ConnId) {
    let reason = Label::from("frame is larger than 16777216 bytes");
    let decoded = of(vec![Item::Unread { reason, length: 20_000_000 }]);
    world.give(Input::Frame { conn, decoded });
    world.socks.remove(&conn);
    let class = Class::Retry { after_ms: None };
    let failure = Failure { class, code: Some(1009), what: Label::from("too large") };
    world.give(Input::Closed { conn, by: Closer::Us, failure });
}

fn renamed(mutant: Option<Mutant>) -> Verdict {
    renamed_to(&mut live(increasing(), mutant, 2)?)
}

fn renamed_without_positions(mutant: Option<Mutant>) -> Verdict {
    renamed_to(&mut live(unpositioned(), mutant, 2)?)
}

/// Of one key nothing is understood any more, between events of another.
fn renamed_to(world: &mut World) -> Verdict {
    for _ in 0..5 {
        let conn = world.sole_conn();
        pass(world, 1_000);
        world.emit(1);
        spoil(world, conn, Item::Unknown);
        world.deliver(conn);
        pass(world, 1_000);
        world.emit(0);
        world.deliver(conn);
    }
    calm(world)?;
    judge(world)
}

/// What was read behind garbled bytes waits until they have been asked for again. Of a burst of so
/// many events every second one was garbled.
fn burst(mutant: Option<Mutant>, events: u32) -> Result<(World, ConnId), &'static str> {
    let mut rules = increasing();
    rules.caps.ack = Ack::WithPosition;
    let mut world = live(rules, mutant, 2)?;
    world.settle();
    let conn = world.sole_conn();
    (0..events).for_each(|_| world.emit(0));
    for _ in 0..events / 2 {
        world.garble(conn);
        world.deliver(conn);
    }
    Ok((world, conn))
}

/// Five are an alarm.
fn garbled_by_turns(mutant: Option<Mutant>) -> Verdict {
    let (mut world, _) = burst(mutant, 12)?;
    // It is left at the end of the turn, to ask again.
    world.tick();
    calm(&mut world)?;
    world.settle();
    judge(&world)
}

fn garbled_again(mutant: Option<Mutant>) -> Verdict {
    let (mut world, left) = burst(mutant, 4)?;
    world.tick();
    while world.socks.is_empty() || world.socks.contains_key(&left) {
        if !world.step() {
            world.tick();
        }
    }
    let again = world.sole_conn();
    world.accept(again);
    world.answer(again);
    world.deliver(again);
    world.garble(again);
    calm(&mut world)?;
    world.settle();
    judge(&world)
}

fn partial(mutant: Option<Mutant>) -> Verdict {
    let mut rules = increasing();
    rules.caps.ack = Ack::WithPosition;
    let mut world = begin(rules, mutant);
    world.emit(0);
    world.emit(1);
    while !world.socks.values().any(|sock| sock.asked.is_some()) {
        if !world.step() {
            world.tick();
        }
    }
    let conn = world.sole_conn();
    world.answer(conn);
    let ack = &mut world.socks.get_mut(&conn).unwrap().queue[0];
    ack.items.insert(0, Item::Dark { keys: 1, why: None });
    world.settle();
    // The key that is left out changes.
    world.emit(1);
    world.socks.get_mut(&conn).unwrap().queue.clear();
    pass(&mut world, 1_000);
    judge_state(&world)
}

/// Live again after an outage that only the vendor's history can tell of.
fn owing(mutant: Option<Mutant>) -> Result<World, &'static str> {
    let mut world = remembering(unpositioned(), mutant)?;
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.now = world.now + 60_000;
    calm(&mut world)?;
    Ok(world)
}

/// Live with two keys, at a vendor that has a history, and is quiet.
fn remembering(mut rules: Rules, mutant: Option<Mutant>) -> Result<World, &'static str> {
    let (lag_ms, reach_ms, again_ms) = (600_000, 3_600_000, 60_000);
    rules.caps.history = Some(History { lag_ms, reach_ms, again_ms, walks_max: 5 });
    (rules.timing.audit_ms, rules.timing.idle_ms) = (1_000_000_000, 1_000_000_000);
    rules.timing.ping_ms = 1_000_000_000;
    let mut world = live(rules, mutant, 2)?;
    world.now = world.now + 10_000;
    world.emit(0);
    world.settle();
    Ok(world)
}

/// One walk of one page over facts in the middle of the last row.
fn answer(world: &mut World, ids: &[&str], total: u64) {
    answer_with(world, ids, total, false);
}

fn answer_with(world: &mut World, ids: &[&str], total: u64, over: bool) {
    let until = world.now + 86_400_000;
    while world.past.is_empty() && world.deadline.is_some_and(|at| at < until) {
        world.settle();
        world.tick();
    }
    if world.past.is_empty() {
        return;
    }
    let row = world.ledger().pop().unwrap();
    let began_at = UnixMicros(i64::midpoint(row.wall_from.0, row.wall_to.0));
    let fact = |id: &&str| Fact {
        id: Label::from(*id),
        key: key(1),
        kind: None,
        began_at,
        ended_at: Some(began_at),
        over,
        payload: Bytes::from((*id).to_owned()),
    };
    let facts: Vec<Fact> = ids.iter().map(fact).collect();
    let (request, _) = world.past.remove(0);
    let hits = facts.len() as u64;
    let page = HistoryPage { facts, hits, total: Some(total), next: None, later_ms: None };
    world.give(Input::HistoryPage { request, page });
    world.settle();
}

/// A row that ends as summarised has every fact that the vendor has.
fn judge_summary(world: &World, facts: usize) -> Verdict {
    let is_fact = |body: &Body| matches!(body, Body::Change(c) if c.origin == Origin::Backfill);
    let stored = world.records().iter().filter(|record| is_fact(&record.body)).count();
    let rows = world.ledger();
    let summarised = rows.iter().any(|row| row.outcome == GapOutcome::Summarised);
    if summarised && stored < facts { Err("SummaryComplete") } else { judge_state(world) }
}

fn index(mutant: Option<Mutant>) -> Verdict {
    let mut world = owing(mutant)?;
    answer(&mut world, &["c1"], 1);
    answer(&mut world, &["c1", "c2"], 2);
    answer(&mut world, &["c1", "c2"], 2);
    judge_summary(&world, 2)
}

fn short(mutant: Option<Mutant>) -> Verdict {
    let mut world = owing(mutant)?;
    answer(&mut world, &["c1"], 2);
    answer(&mut world, &["c1"], 2);
    judge_summary(&world, 2)
}

fn fact_of_old(mutant: Option<Mutant>) -> Verdict {
    let mut world = owing(mutant)?;
    answer(&mut world, &["c1"], 1);
    answer(&mut world, &["c1"], 1);
    judge_summary(&world, 1)
}

/// There is no snapshot, and only the vendor's history can tell whether the key has ended.
fn missed(mutant: Option<Mutant>, end: bool) -> Result<World, &'static str> {
    let mut rules = unpositioned();
    rules.caps.snapshot = SnapshotKind::None;
    let mut world = remembering(rules, mutant)?;
    world.emit(1);
    world.settle();
    let conn = world.sole_conn();
    world.break_sock(conn);
    world.now = world.now + 60_000;
    if end {
        world.emit_as(1, true);
    }
    calm(&mut world)?;
    world.now = world.now + 1_000;
    Ok(world)
}

fn ended(mutant: Option<Mutant>) -> Verdict {
    let mut world = missed(mutant, true)?;
    answer_with(&mut world, &["c1"], 1, true);
    answer_with(&mut world, &["c1"], 1, true);
    judge_summary(&world, 1)
}

/// The key is not over: the second answer is of an index that is being put right.
fn ended_once(mutant: Option<Mutant>) -> Verdict {
    let mut world = missed(mutant, false)?;
    for over in [false, true, false, false] {
        answer_with(&mut world, &["c1"], 1, over);
    }
    judge_summary(&world, 1)
}

fn revived(mutant: Option<Mutant>) -> Verdict {
    let mut world = missed(mutant, true)?;
    world.emit(1);
    world.settle();
    answer_with(&mut world, &["c1"], 1, true);
    answer_with(&mut world, &["c1"], 1, true);
    judge_summary(&world, 1)
}
