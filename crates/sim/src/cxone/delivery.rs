//! What is written to a stream next.

use bytes::BytesMut;

use super::hub::State;
use super::message::put_event;
use super::session::Session;
use crate::fault::Fault;
use crate::world::World;

/// Most events in one write: large enough that system calls do not count, small enough that a cut
/// or a heartbeat does not wait long.
const BATCH_EVENTS_MAX: u64 = 256;
/// Reordered events lie within so many places …
const REORDER_EVENTS_MAX: usize = 5;
/// … and so many microseconds. Events wait 40 ms at most for others, which leaves a tick to spare.
const REORDER_US_MAX: i64 = 50_000;
const REORDER_WAIT_US: i64 = 40_000;

impl State {
    /// Writes the frames that are due on a stream; returns whether there are more.
    pub(crate) fn fill(&mut self, conn: u64, out: &mut BytesMut) -> bool {
        self.fill_zombie(conn, out);
        let Some(session) = self.sessions.get_mut(&conn) else { return false };
        if !session.is_live() || session.is_muted || session.cursor >= self.world.len() {
            return false;
        }
        if self.faults.is_active(Fault::Reordering) {
            return self.fill_reordered(conn, out);
        }
        let is_doubling = self.faults.is_active(Fault::Duplicates);
        let until = self.world.len().min(session.cursor + BATCH_EVENTS_MAX);
        let mut repeats = 0;
        for index in session.cursor..until {
            if !put(&self.world, session, index, out) {
                continue;
            }
            if is_doubling && self.faults.rng.u8(0..10) < 3 {
                put(&self.world, session, index, out);
                repeats += 1;
            }
        }
        session.cursor = until;
        let is_more = until < self.world.len();
        self.fault_on_repeated(repeats);
        is_more
    }

    /// What was filled is in the hands of the operating system.
    pub(crate) fn delivered(&mut self, conn: u64) {
        let Some(session) = self.sessions.get(&conn) else { return };
        let (Some(number), cursor) = (session.subscription, session.cursor) else { return };
        let subscription = &mut self.world.recorder.subscriptions[number];
        subscription.delivered = subscription.delivered.max(cursor);
        self.fault_on_delivered(conn);
    }

    /// Groups of neighbours, each in another order than they were made.
    fn fill_reordered(&mut self, conn: u64, out: &mut BytesMut) -> bool {
        let now_us = self.clock.wall_us();
        let len = self.world.len();
        let Some(session) = self.sessions.get_mut(&conn) else { return false };
        let oldest_us = self.world.events[session.cursor as usize].wall_us;
        let is_alone = len - session.cursor < 3;
        if is_alone && now_us - oldest_us < REORDER_WAIT_US {
            return false;
        }
        let waiting = &self.world.events[session.cursor as usize..];
        let within = waiting
            .iter()
            .take(REORDER_EVENTS_MAX)
            .take_while(|event| event.wall_us - oldest_us <= REORDER_US_MAX)
            .count() as u64;
        let mut group: Vec<u64> = (session.cursor..session.cursor + within).collect();
        let changed = group.len() > 1;
        if changed {
            self.faults.rng.shuffle(&mut group);
            if group.is_sorted() {
                group.reverse();
            }
        }
        for index in &group {
            put(&self.world, session, *index, out);
        }
        session.cursor += within;
        let is_more = session.cursor < len;
        if changed {
            self.fault_on_reordered();
        }
        is_more
    }

    /// Frames of the old subscription that haunts this socket.
    fn fill_zombie(&mut self, conn: u64, out: &mut BytesMut) {
        let now_ms = self.clock.now_ms();
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        if !session.is_live() {
            return;
        }
        let Some(zombie) = session.zombie.as_mut() else { return };
        let until = self.world.len().min(zombie.cursor + 32);
        let count = until - zombie.cursor;
        for event in &self.world.events[zombie.cursor as usize..until as usize] {
            put_event(&zombie.id, event, out);
        }
        zombie.cursor = until;
        if now_ms >= zombie.until_ms {
            session.zombie = None;
        }
        self.fault_on_haunted(count);
    }
}

/// Writes one event if the subscription covers its agent.
fn put(world: &World, session: &Session, index: u64, out: &mut BytesMut) -> bool {
    let event = &world.events[index as usize];
    let agent = &world.roster.agent(event.agent).id;
    if session.agents.as_ref().is_some_and(|agents| !agents.contains(agent.as_ref())) {
        return false;
    }
    put_event(&session.id, event, out);
    true
}
