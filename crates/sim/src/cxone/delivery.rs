//! What is written to a stream next.

use bytes::BytesMut;

use super::hub::State;
use super::message::{event_text, put_event};
use super::session::Session;
use crate::fault::{Bent, Fault};
use crate::server::house::Command;
use crate::server::websocket::{Opcode, put_frame};
use crate::world::World;

/// Most events in one write: large enough that system calls do not count, small enough that a cut
/// or a heartbeat does not wait long.
const BATCH_EVENTS_MAX: u64 = 256;
/// A client whose road is narrow is cut off after so many milliseconds, if too many events wait.
const NARROW_MS: u64 = 200;
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
        let (cursor, len) = (session.cursor, self.world.len());
        if !session.is_live() || session.is_muted || cursor >= len {
            return false;
        }
        let until = len.min(cursor + BATCH_EVENTS_MAX);
        if self.faults.actives.is_empty() {
            for index in cursor..until {
                put(&self.world, session, index, out);
            }
            session.cursor = until;
            return until < len;
        }
        let is_narrow = self.faults.is_active(Fault::SlowConsumer);
        let until = if is_narrow { self.fault_on_narrow_road(conn, cursor, until) } else { until };
        let group = if self.faults.is_active(Fault::Reordering) {
            self.shuffled(cursor, until)
        } else {
            (cursor..until).collect()
        };
        let bends = self.faults.in_force().into_iter().any(Fault::bends_frames);
        for index in &group {
            if bends {
                self.put_bent(conn, *index, out);
            } else if let Some(session) = self.sessions.get(&conn) {
                put(&self.world, session, *index, out);
            }
        }
        let until = cursor + group.len() as u64;
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.cursor = until;
        }
        until < len && !is_narrow && !group.is_empty()
    }

    /// Writes one event, unless a fault has another idea, and notes what became of it.
    fn put_bent(&mut self, conn: u64, index: u64, out: &mut BytesMut) {
        let Some(session) = self.sessions.get(&conn) else { return };
        if !covers(&self.world, session, index) {
            return;
        }
        let text = event_text(&session.id, &self.world.events[index as usize]);
        let (subscription, begins) = (session.subscription, index == session.first);
        let bent = self.bend_frame(index, begins, &text, out);
        if bent == Bent::Not {
            put_frame(Opcode::Text, &text, out);
        }
        let subscriptions = &mut self.world.recorder.subscriptions;
        let Some(noted) = subscription.and_then(|number| subscriptions.get_mut(number)) else {
            return;
        };
        match bent {
            Bent::Garbled => noted.garbled.push(index),
            Bent::Dropped => noted.dropped.push(index),
            Bent::Not | Bent::Written => {}
        }
    }

    /// One event at a time fits through; once there are too many waiting, the stream is closed.
    fn fault_on_narrow_road(&mut self, conn: u64, cursor: u64, until: u64) -> u64 {
        let now_ms = self.clock.now_ms();
        let is_full = self.world.len() - cursor > self.settings.narrow_events / 2;
        let Some(active) = self.faults.active_as(Fault::SlowConsumer) else { return until };
        if !active.conns.contains(&conn) {
            return until;
        }
        if is_full && now_ms >= active.began_ms + NARROW_MS {
            self.cut(conn, Command::Close { code: 1008, reason: "slow consumer" });
            return cursor;
        }
        until.min(cursor + 1)
    }

    /// What was filled is in the hands of the operating system.
    pub(crate) fn delivered(&mut self, conn: u64) {
        let Some(session) = self.sessions.get(&conn) else { return };
        let (Some(number), cursor) = (session.subscription, session.cursor) else { return };
        let subscription = &mut self.world.recorder.subscriptions[number];
        subscription.delivered = subscription.delivered.max(cursor);
        self.fault_on_delivered(conn);
    }

    /// A group of neighbours in another order than they were made; none yet if there are too few.
    fn shuffled(&mut self, cursor: u64, until: u64) -> Vec<u64> {
        let now_us = self.clock.wall_us();
        let waiting = &self.world.events[cursor as usize..until as usize];
        let Some(oldest) = waiting.first() else { return Vec::new() };
        let oldest_us = oldest.wall_us;
        if waiting.len() < 3 && now_us - oldest_us < REORDER_WAIT_US {
            return Vec::new();
        }
        let within = waiting
            .iter()
            .take(REORDER_EVENTS_MAX)
            .take_while(|event| event.wall_us - oldest_us <= REORDER_US_MAX)
            .count() as u64;
        let mut group: Vec<u64> = (cursor..cursor + within).collect();
        if group.len() > 1 {
            self.faults.rng.shuffle(&mut group);
            if group.is_sorted() {
                group.reverse();
            }
            self.fault_on_reordered();
        }
        group
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

/// Whether the subscription covers the event's agent.
fn covers(world: &World, session: &Session, index: u64) -> bool {
    let agent = &world.roster.agent(world.events[index as usize].agent).id;
    session.agents.as_ref().is_none_or(|agents| agents.contains(agent.as_ref()))
}

/// Writes one event if the subscription covers its agent.
fn put(world: &World, session: &Session, index: u64, out: &mut BytesMut) {
    if covers(world, session, index) {
        put_event(&session.id, &world.events[index as usize], out);
    }
}
