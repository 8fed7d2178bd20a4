//! A state of the search: the world, what may still happen, and the process that lost its log.

use std::hash::{Hash, Hasher};

use unbroken_core::ids::{AppendId, ConnId, RequestId};
use unbroken_core::machine::{Mutant, ahead_ms};
use unbroken_core::record::{Append, Body};
use unbroken_core::time::Millis;
use xxhash_rust::xxh3::xxh3_128;

use super::Budget;
use super::act::{Act, is_blocked};
use super::ledger::Told;
use super::live::shows_state;
use crate::world::{Rules, Sock, World, stream};

/// Where every state's clock stands. What is older than this is as old as this: longer than any age
/// that decides something.
const NOW: Millis = Millis(100_000);

#[derive(Clone)]
pub struct Node {
    pub world: World,
    /// The process from before a [`Budget::rivals`], with a log and sockets of its own.
    pub rival: Option<Box<World>>,
    pub budget: Budget,
    /// What a process without the log has written into it: none, if the log is fenced.
    pub stale_commits: u8,
    /// The act whose successors are being looked at: no part of the state.
    pub tried: Option<Act>,
}

impl Node {
    pub fn root(rules: &Rules, budget: Budget, mutant: Option<Mutant>) -> Self {
        let mut world = World::new(rules.clone());
        world.keep_reports = false;
        world.still = true;
        world.reports.clear();
        world.machine = world.machine.with_mutant(mutant);
        let mut root = Self { world, rival: None, budget, stale_commits: 0, tried: None };
        root.normalise();
        root
    }

    /// One event has been recorded since the first Live, and is on disk.
    pub fn recorded(rules: &Rules, budget: Budget) -> Self {
        let mut node = Self::root(rules, budget, None);
        node.world.run_to_live();
        node.world.emit(0);
        node.world.settle();
        node.normalise();
        node
    }

    /// Nothing is owed by anyone: the stream is Live and the vendor has no more to say.
    pub fn is_complete(&self) -> bool {
        let world = &self.world;
        self.is_at_rest()
            && (world.withheld.is_empty() && world.garbled == 0 || is_made_up_for(world))
    }

    /// The stream is Live and nothing is on its way. An audit may be owed. What waits behind a hole
    /// has its timer: until then nobody knows whether the hole was a loss.
    pub fn is_at_rest(&self) -> bool {
        let world = &self.world;
        let idle =
            |sock: &Sock| sock.subscribed && sock.queue.is_empty() && sock.closes_at.is_none();
        world.is_live()
            && world.machine.waiting(&stream()) == 0
            && self.rival.is_none()
            && world.pages.is_empty()
            && world.socks.len() == 1
            && world.socks.values().all(idle)
            && world.durable == world.log.len()
    }

    /// A person is needed, and is told why.
    pub fn is_blocked(&self) -> bool {
        is_blocked(&self.world)
    }

    /// States that differ only in when they were reached, or in numbers that only have to differ
    /// from one another, become one; what is durable becomes one unit.
    pub fn normalise(&mut self) {
        let now = self.world.now;
        normalise(&mut self.world, now);
        if let Some(rival) = &mut self.rival {
            normalise(rival, now);
        }
    }

    pub fn fingerprint(&self, bytes: &mut Vec<u8>) -> [u64; 2] {
        bytes.clear();
        let mut bytes = Bytes(bytes);
        hash_state(&self.world, &mut bytes);
        if let Some(rival) = &self.rival {
            hash_state(rival, &mut bytes);
        }
        (self.rival.is_some(), self.budget, self.stale_commits).hash(&mut bytes);
        let print = xxh3_128(bytes.0);
        [(print >> 64) as u64, print as u64]
    }
}

/// Nothing matters any more that a mute subscription has withheld, or that came as bytes that
/// nobody can read: until then an audit is owed, which finds it.
fn is_made_up_for(world: &World) -> bool {
    let told = Told::of(world, &world.log);
    shows_state(world) && told.unaccounted(world.events.len()).next().is_none()
}

/// Hands over what is hashed, so that it is hashed at once.
struct Bytes<'a>(&'a mut Vec<u8>);

impl Hasher for Bytes<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        xxh3_128(self.0) as u64
    }
}

fn hash_state(world: &World, hasher: &mut impl Hasher) {
    let World {
        rules: _,
        machine,
        events,
        epoch,
        floor,
        socks,
        pages,
        past,
        log,
        durable,
        now,
        deadline,
        reports: _,
        asked,
        keep_reports: _,
        still: _,
        asked_above_durable,
        rung,
        authorizing,
        received,
        shown,
        overlap_unproved,
        withheld,
        garbled,
    } = world;
    machine.hash_state(hasher);
    (events, epoch, floor, socks, pages, past, log, durable, now, deadline).hash(hasher);
    (asked, asked_above_durable, rung, authorizing, received).hash(hasher);
    (shown, overlap_unproved, withheld, garbled).hash(hasher);
}

fn normalise(world: &mut World, now: Millis) {
    let appended = world.machine.appended().0;
    world.machine.normalise(now, NOW);
    let staleness_ms = world.rules.caps.snapshot_staleness_ms_max;
    for made in &mut world.events {
        made.at = Millis(NOW.0 - now.since(made.at).min(staleness_ms));
    }
    let later = |at: Millis| Millis(NOW.0 + ahead_ms(now, at));
    world.deadline = world.deadline.map(later);
    for sock in world.socks.values_mut() {
        sock.closes_at = sock.closes_at.map(later);
    }
    world.now = NOW;
    renumber(world);
    for append in &mut world.log[world.durable..] {
        append.id.0 -= appended;
    }
    for record in world.log.iter_mut().flat_map(|append| &mut append.records) {
        if let Body::Quarantined(quarantined) = &mut record.body {
            quarantined.conn = None;
        }
    }
    if world.durable == 1 && world.log[0].id == AppendId(0) {
        return;
    }
    let mut durable = Append { id: AppendId(0), records: Vec::new(), mark: None };
    for append in world.log.drain(..world.durable) {
        durable.records.extend(append.records);
        durable.mark = append.mark.or(durable.mark);
    }
    world.log.insert(0, durable);
    world.durable = 1;
}

/// Sockets are counted by their rank, those that are gone and have left something with the others:
/// what two of them brought is not what one has brought in a row. A request that nobody waits for
/// any more is none.
fn renumber(world: &mut World) {
    let awaited = world.machine.awaited(&stream());
    world.pages.retain(|(request, _)| Some(*request) == awaited);
    world.pages.iter_mut().for_each(|(request, _)| *request = RequestId(1));
    let mut conns = world.machine.conns();
    conns.extend(world.socks.keys());
    let conns: Vec<ConnId> = conns.into_iter().collect();
    let rank = |conn: ConnId| ConnId(conns.partition_point(|known| *known < conn) as u64 + 1);
    world.machine.renumber(rank, ConnId(conns.len() as u64));
    let socks = std::mem::take(&mut world.socks);
    world.socks = socks.into_iter().map(|(conn, sock)| (rank(conn), sock)).collect();
}
