//! What can happen next, and what it does.

use unbroken_core::connector::{Connections, Item};
use unbroken_core::ids::ConnId;
use unbroken_core::machine::{FAR_MS, Input, Phase};

use super::node::Node;
use crate::world::{Sock, World, stream};

/// A step. Sockets are named by their rank, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    Emit {
        key: u8,
        deleted: bool,
    },
    Purge,
    Reset,
    Accept(usize),
    RefuseHandshake(usize),
    Answer(usize),
    RefuseAsked(usize),
    CloseIdle(usize),
    Deliver(usize),
    DeliverTwice(usize),
    Garble(usize),
    Drop(usize),
    Beat(usize),
    Mute(usize),
    Announce(usize),
    /// The vendor closes a socket as it has announced.
    Close(usize),
    Break(usize),
    Page {
        upto: usize,
    },
    StalePage {
        upto: usize,
    },
    FailPage,
    Resync,
    Commit,
    Crash {
        survivors: usize,
    },
    /// A second process begins; the first one keeps what is on its way.
    Rival {
        survivors: usize,
    },
    /// The process that has lost the log does something.
    RivalOwes,
    Timer,
}

impl Act {
    /// Whether somebody owes it: it will happen even if nothing more goes wrong.
    pub fn is_owed(self) -> bool {
        matches!(
            self,
            Self::Accept(_)
                | Self::Answer(_)
                | Self::Deliver(_)
                | Self::Close(_)
                | Self::Page { .. }
                | Self::Commit
                | Self::RivalOwes
                | Self::Timer
        )
    }
}

/// A person is needed, and is told why: that it is tried again now and then is not waited for.
pub fn is_blocked(world: &World) -> bool {
    matches!(world.machine.phase(&stream()), Some(Phase::Blocked { .. }))
}

/// What the vendor, the network or a timer owes a process.
fn owed(world: &World) -> Vec<Act> {
    let mut acts = Vec::new();
    for (rank, sock) in world.socks.values().enumerate() {
        if !sock.opened {
            acts.push(Act::Accept(rank));
        } else if sock.asked.is_some() {
            acts.push(Act::Answer(rank));
        } else if !sock.queue.is_empty() {
            acts.push(Act::Deliver(rank));
        }
    }
    if !world.pages.is_empty() {
        acts.push(Act::Page { upto: world.events.len() });
    }
    if !acts.is_empty() {
        return acts;
    }
    let due = world.deadline.filter(|at| at.since(world.now) < FAR_MS && !is_blocked(world));
    let close = |(rank, sock): (usize, &Sock)| sock.closes_at.map(|at| (at, Act::Close(rank)));
    let closes = world.socks.values().enumerate().filter_map(close);
    let timer = due.map(|at| (at, Act::Timer));
    let next = closes.chain(timer).min_by_key(|(at, _)| *at);
    acts.extend(next.map(|(_, act)| act));
    acts
}

fn conn(world: &World, rank: usize) -> ConnId {
    *world.socks.keys().nth(rank).unwrap()
}

impl Node {
    pub fn choices(&self) -> Vec<Act> {
        let world = &self.world;
        let mut acts = owed(world);
        if world.durable < world.log.len() {
            acts.push(Act::Commit);
        }
        if self.rival.is_some() {
            acts.push(Act::RivalOwes);
        }
        self.vendor_faults(&mut acts);
        for (rank, sock) in world.socks.values().enumerate() {
            self.socket_faults(rank, sock, &mut acts);
        }
        acts
    }

    fn vendor_faults(&self, acts: &mut Vec<Act>) {
        let (world, budget) = (&self.world, &self.budget);
        let fresh = world.events.len();
        if budget.emits > 0 {
            let keys = if world.events.is_empty() { 1 } else { 2 };
            acts.extend((0..keys).map(|key| Act::Emit { key, deleted: false }));
            if budget.deletes > 0 {
                let present = world.truth(fresh).into_iter().filter(|(_, made)| made.is_some());
                acts.extend(present.map(|(key, _)| Act::Emit { key, deleted: true }));
            }
        }
        if budget.purges > 0 && world.floor < fresh {
            acts.push(Act::Purge);
        }
        if budget.resets > 0 && fresh > 0 {
            acts.push(Act::Reset);
        }
        if !world.pages.is_empty() && budget.stale_pages > 0 {
            acts.extend((world.surely_shown()..fresh).map(|upto| Act::StalePage { upto }));
        }
        if !world.pages.is_empty() && budget.page_failures > 0 {
            acts.push(Act::FailPage);
        }
        if budget.resyncs > 0 {
            acts.push(Act::Resync);
        }
        let in_flight = world.log.len() - world.durable;
        if budget.crashes > 0 {
            acts.extend((0..=in_flight).map(|survivors| Act::Crash { survivors }));
        }
        if budget.rivals > 0 && self.rival.is_none() {
            acts.extend((0..=in_flight).map(|survivors| Act::Rival { survivors }));
        }
    }

    fn socket_faults(&self, rank: usize, sock: &Sock, acts: &mut Vec<Act>) {
        let budget = &self.budget;
        if budget.breaks > 0 {
            acts.push(Act::Break(rank));
        }
        if !sock.opened {
            if budget.refusals > 0 {
                acts.push(Act::RefuseHandshake(rank));
            }
            return;
        }
        if let Some(asked) = sock.asked {
            if budget.refusals > 0 && asked.is_some() {
                acts.push(Act::RefuseAsked(rank));
            }
            if budget.idle_closes > 0 {
                acts.push(Act::CloseIdle(rank));
            }
            return;
        }
        if let Some(frame) = sock.queue.front() {
            let event = frame.items.iter().any(|item| matches!(item, Item::Event(_)));
            if budget.duplicates > 0 && event {
                acts.push(Act::DeliverTwice(rank));
            }
            if budget.poisons > 0 && event {
                acts.push(Act::Garble(rank));
            }
            if budget.drops > 0 && event {
                acts.push(Act::Drop(rank));
            }
        }
        if sock.subscribed && !sock.mute {
            if budget.beats > 0 {
                acts.push(Act::Beat(rank));
            }
            if budget.mutes > 0 {
                acts.push(Act::Mute(rank));
            }
            if budget.closings > 0 && sock.closes_at.is_none() {
                acts.push(Act::Announce(rank));
            }
        }
    }

    pub fn act(&mut self, act: Act) {
        self.pay(act);
        match act {
            // What the vendor does, every process sees.
            Act::Emit { key, deleted } => self.each(|world| world.emit_as(key, deleted)),
            Act::Purge => self.each(World::purge),
            Act::Reset => self.each(World::reset_epoch),
            Act::Crash { survivors } => {
                self.world.crash(survivors);
            }
            Act::Rival { survivors } => self.start_rival(survivors),
            Act::RivalOwes => self.rival_step(),
            act => {
                perform(&mut self.world, act);
                if let (Act::Accept(_), Some(rival)) = (act, &mut self.rival) {
                    evict(rival);
                }
            }
        }
    }

    fn each(&mut self, mut done: impl FnMut(&mut World)) {
        done(&mut self.world);
        if let Some(rival) = &mut self.rival {
            rival.now = self.world.now;
            done(rival);
        }
    }

    /// Takes a fault from what may still happen.
    fn pay(&mut self, act: Act) {
        let budget = &mut self.budget;
        if matches!(act, Act::Emit { deleted: true, .. }) {
            budget.deletes -= 1;
        }
        let left = match act {
            Act::Emit { .. } => &mut budget.emits,
            Act::Purge => &mut budget.purges,
            Act::Reset => &mut budget.resets,
            Act::RefuseHandshake(_) | Act::RefuseAsked(_) => &mut budget.refusals,
            Act::CloseIdle(_) => &mut budget.idle_closes,
            Act::DeliverTwice(_) => &mut budget.duplicates,
            Act::Garble(_) => &mut budget.poisons,
            Act::Drop(_) => &mut budget.drops,
            Act::Resync => &mut budget.resyncs,
            Act::Beat(_) => &mut budget.beats,
            Act::Mute(_) => &mut budget.mutes,
            Act::Announce(_) => &mut budget.closings,
            Act::Break(_) => &mut budget.breaks,
            Act::StalePage { .. } => &mut budget.stale_pages,
            Act::FailPage => &mut budget.page_failures,
            Act::Crash { .. } => &mut budget.crashes,
            Act::Rival { .. } => &mut budget.rivals,
            _ => return,
        };
        *left -= 1;
    }

    /// A second process opens the log: what is durable, and what of the first one's units reached
    /// the disk before. From here on the log takes nothing from the first, which goes on with its
    /// sockets until it is told.
    fn start_rival(&mut self, survivors: usize) {
        let mut rival = self.world.clone();
        rival.log.drain(..rival.durable + survivors);
        rival.durable = 0;
        self.rival = Some(Box::new(rival));
        self.world.crash(survivors);
    }

    /// The process without the log goes on. What it hands over is refused, and then it is told.
    fn rival_step(&mut self) {
        let Some(mut rival) = self.rival.take() else { return };
        if rival.log.len() > rival.durable {
            return self.refuse_rival(&mut rival);
        }
        rival.now = self.world.now;
        let Some(act) = owed(&rival).first().copied() else { return };
        perform(&mut rival, act);
        if matches!(act, Act::Accept(_)) {
            evict(&mut self.world);
        }
        self.rival = Some(rival);
        // Nothing of what it does is seen by anybody before it hands something over.
        if self.world.rules.caps.connections != Connections::One {
            self.rival_step();
        }
    }

    /// The log takes nothing from a process that has lost it, and the process stops. Without the
    /// fence, what it hands over is written.
    fn refuse_rival(&mut self, rival: &mut World) {
        if self.world.rules.unfenced {
            let unit = rival.log.remove(rival.durable);
            self.world.log.insert(self.world.durable, unit);
            self.world.durable += 1;
            self.stale_commits += 1;
            return;
        }
        let what = "the log belongs to another process".to_owned();
        rival.give(Input::AppendFailed { what });
    }
}

/// A vendor that allows one connection closes the older one.
fn evict(world: &mut World) {
    let one = world.rules.caps.connections == Connections::One;
    let opened = |(conn, sock): (&ConnId, &Sock)| (one && sock.opened).then_some(*conn);
    if let Some(conn) = world.socks.iter().find_map(opened) {
        world.close_sock(conn);
    }
}

fn perform(world: &mut World, act: Act) {
    let at = |world: &World, rank: usize| conn(world, rank);
    match act {
        Act::Accept(rank) => world.accept(at(world, rank)),
        Act::RefuseHandshake(rank) => world.refuse_handshake(at(world, rank)),
        Act::Answer(rank) => world.answer(at(world, rank)),
        Act::RefuseAsked(rank) => world.refuse_asked(at(world, rank)),
        Act::CloseIdle(rank) => world.close_idle(at(world, rank)),
        Act::Deliver(rank) => world.deliver(at(world, rank)),
        Act::DeliverTwice(rank) => world.deliver_twice(at(world, rank)),
        Act::Garble(rank) => world.garble(at(world, rank)),
        Act::Drop(rank) => world.drop_event(at(world, rank)),
        Act::Resync => world.give(Input::Resync { stream: stream(), keys: None }),
        Act::Beat(rank) => world.beat(at(world, rank)),
        Act::Mute(rank) => world.mute(at(world, rank)),
        Act::Announce(rank) => world.announce_close(at(world, rank)),
        Act::Break(rank) => world.break_sock(at(world, rank)),
        Act::Close(rank) => {
            let conn = at(world, rank);
            world.now = world.socks[&conn].closes_at.map_or(world.now, |at| at.max(world.now));
            world.close_sock(conn);
        }
        Act::Page { upto } | Act::StalePage { upto } => world.page(upto),
        Act::FailPage => world.fail_page(),
        Act::Commit => {
            world.durable += 1;
            let append = world.log[world.durable - 1].id;
            world.give(Input::Appended { append });
        }
        Act::Timer => world.tick(),
        act => unreachable!("{act:?} is of the whole"),
    }
}
