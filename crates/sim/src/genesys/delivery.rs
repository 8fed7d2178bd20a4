//! What is written to a socket next.

use bytes::BytesMut;
use serde::Deserialize;

use super::hub::State;
use super::wire;
use crate::fault::Fault;
use crate::server::websocket::{Opcode, put_frame};

/// Most events looked at for one write.
const BATCH_EVENTS_MAX: u64 = 512;

/// What a client says on its socket.
#[derive(Deserialize)]
struct ClientMessage {
    message: String,
}

impl State {
    /// Writes the frames that are due on a socket; returns whether there are more.
    pub(super) fn fill(&mut self, conn: u64, out: &mut BytesMut) -> bool {
        let now_ms = self.clock.now_ms();
        let Some(session) = self.sessions.get(&conn) else { return false };
        let (cursor, len) = (session.cursor, self.world.len());
        if !session.is_live() || cursor >= len || now_ms < session.held_until_ms {
            return false;
        }
        let until = len.min(cursor + BATCH_EVENTS_MAX);
        for index in cursor..until {
            self.put_event(conn, index, out);
        }
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.cursor = until;
        }
        until < len
    }

    /// Writes one event for each of the channel's topics that tell of it.
    fn put_event(&mut self, conn: u64, index: u64, out: &mut BytesMut) {
        let Some(session) = self.sessions.get(&conn) else { return };
        let Some(channel) = self.channels.get(&session.channel) else { return };
        let Some(event) = usize::try_from(index).ok().and_then(|at| self.world.events.get(at))
        else {
            return;
        };
        let told = self.world.topics(event).into_iter().flatten();
        let topics: Vec<&String> = told.filter_map(|topic| channel.topics.get(&topic)).collect();
        if topics.is_empty() {
            return;
        }
        let mut frames = Vec::with_capacity(topics.len());
        for (at, topic) in topics.into_iter().enumerate() {
            frames.push(frame(topic, &event.body, index, at));
        }
        let subscription = session.subscription;
        if self.drops(index) {
            let subscriptions = &mut self.world.recorder.subscriptions;
            if let Some(noted) = subscription.and_then(|number| subscriptions.get_mut(number)) {
                noted.dropped.push(index);
            }
            return;
        }
        let repeats = self.repeats(conn);
        for text in &frames {
            for _ in 0..=repeats {
                put_frame(Opcode::Text, text, out);
            }
        }
    }

    /// What was filled is in the hands of the operating system.
    pub(super) fn delivered(&mut self, conn: u64) {
        let Some(session) = self.sessions.get(&conn) else { return };
        let (Some(number), cursor) = (session.subscription, session.cursor) else { return };
        if let Some(noted) = self.world.recorder.subscriptions.get_mut(number) {
            noted.delivered = noted.delivered.max(cursor);
        }
    }

    /// The heartbeat, and the payload of the ping that follows it.
    pub(super) fn heartbeat(&mut self, conn: u64) -> Option<(String, [u8; 16])> {
        let session = self.sessions.get(&conn)?;
        if session.is_quiet {
            self.fault_on_quiet(conn);
            return None;
        }
        let number = session.subscription.unwrap_or(usize::MAX) as u64;
        let mut payload = [0; 16];
        payload[..8].copy_from_slice(&number.to_be_bytes());
        payload[8..].copy_from_slice(&session.cursor.to_be_bytes());
        self.fault_on_heartbeat(conn);
        Some((wire::metadata("WebSocket Heartbeat"), payload))
    }

    /// The client answered a ping: it has read everything before it.
    pub(super) fn pong(&mut self, payload: &[u8]) {
        let Some((number, cursor)) = payload.split_first_chunk::<8>() else { return };
        let Ok(cursor) = cursor.try_into().map(u64::from_be_bytes) else { return };
        let number = usize::try_from(u64::from_be_bytes(*number)).unwrap_or(usize::MAX);
        if let Some(noted) = self.world.recorder.subscriptions.get_mut(number) {
            noted.confirmed = noted.confirmed.max(cursor.min(noted.delivered));
        }
    }

    /// The answer to a client's message; what is not understood has none.
    pub(super) fn answer(&mut self, conn: u64, payload: &[u8]) -> Option<String> {
        let session = self.sessions.get(&conn)?;
        let said: ClientMessage = serde_json::from_slice(payload).ok()?;
        let is_answered = said.message == "ping" && !session.is_quiet;
        is_answered.then(|| wire::metadata("pong"))
    }

    fn drops(&mut self, index: u64) -> bool {
        self.faults.is_active(Fault::DroppedFrames) && self.fault_on_event(index)
    }
}

/// The envelope. It has no number, no id of its own and no time; the correlation id is a trace.
fn frame(topic: &str, body: &[u8], index: u64, at: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len() + topic.len() + 128);
    text.extend_from_slice(b"{\"topicName\":\"");
    text.extend_from_slice(topic.as_bytes());
    text.extend_from_slice(b"\",\"version\":\"2\",\"eventBody\":");
    text.extend_from_slice(body);
    let trace = fastrand::Rng::with_seed(index << 2 | at as u64).u128(..);
    let tail = format!(",\"metadata\":{{\"CorrelationId\":\"{trace:032x}\"}}}}");
    text.extend_from_slice(tail.as_bytes());
    text
}
