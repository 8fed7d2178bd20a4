//! What a client has read, by its answers to our pings.
//!
//! A ping follows what was sent, and says up to where that was. Every WebSocket library answers by
//! itself and in order; who has answered has read everything before.

use std::collections::VecDeque;

/// Pings that may be unanswered at the same time. A library that is asked more often than it can
/// answer takes it for an attack: Node's `ws` ends the connection at 60 (8.23).
pub(crate) const PINGS_MAX: usize = 16;

/// Of one connection.
#[derive(Debug)]
pub(crate) struct Probe {
    /// Everything below was sent.
    sent: u64,
    /// Something was sent that no ping has followed.
    is_dirty: bool,
    /// Pings that were not answered yet: what each confirms, and when it was sent.
    asked: VecDeque<(u64, u64)>,
    /// Everything below was read.
    confirmed: u64,
}

impl Probe {
    /// A client that has everything below.
    pub(crate) fn new(next: u64) -> Self {
        Self { sent: next, is_dirty: false, asked: VecDeque::new(), confirmed: next }
    }

    /// Something was sent, or there was nothing to be sent, up to here.
    pub(crate) fn advance(&mut self, next: u64, was_sent: bool) {
        self.sent = self.sent.max(next);
        self.is_dirty |= was_sent;
        if !self.is_dirty && self.asked.is_empty() {
            self.confirmed = self.confirmed.max(self.sent);
        }
    }

    /// The payload of the ping that is due.
    pub(crate) fn poll_ping(&mut self, now_ms: u64) -> Option<[u8; 8]> {
        if !self.is_dirty || self.asked.len() >= PINGS_MAX {
            return None;
        }
        self.is_dirty = false;
        self.asked.push_back((self.sent, now_ms));
        Some(self.sent.to_be_bytes())
    }

    /// The client has answered.
    pub(crate) fn handle_pong(&mut self, payload: &[u8]) {
        let is_answered = |(next, _): &(u64, u64)| *payload == next.to_be_bytes();
        let Some(at) = self.asked.iter().position(is_answered) else { return };
        // A library may answer the last of several alone.
        let Some((next, _)) = self.asked.drain(..=at).next_back() else { return };
        self.confirmed = self.confirmed.max(next);
        self.advance(next, false);
    }

    /// Everything below was read.
    pub(crate) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// Since when a ping has gone without an answer.
    pub(crate) fn silent_since_ms(&self) -> Option<u64> {
        self.asked.front().map(|(_, at_ms)| *at_ms)
    }

    /// How long a ping has gone without an answer, in milliseconds.
    pub(crate) fn silent_ms(&self, now_ms: u64) -> u64 {
        self.silent_since_ms().map_or(0, |at_ms| now_ms.saturating_sub(at_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_confirmed_by_the_answer_and_not_before() {
        let mut probe = Probe::new(10);
        assert_eq!(probe.poll_ping(0), None);
        probe.advance(12, true);
        let ping = probe.poll_ping(5).unwrap();
        assert_eq!((probe.poll_ping(6), probe.confirmed()), (None, 10));
        probe.advance(13, true);
        let second = probe.poll_ping(6).unwrap();
        assert_eq!((probe.confirmed(), probe.silent_ms(9)), (10, 4));
        probe.handle_pong(b"nonsense");
        probe.handle_pong(&11_u64.to_be_bytes());
        assert_eq!(probe.confirmed(), 10);
        probe.handle_pong(&ping);
        assert_eq!((probe.confirmed(), probe.silent_ms(9)), (12, 3));
        probe.handle_pong(&second);
        assert_eq!((probe.confirmed(), probe.silent_ms(9)), (13, 0));
    }

    #[test]
    fn the_last_answer_stands_for_those_before_it_and_pings_are_bounded() {
        let mut probe = Probe::new(0);
        for next in 1..=PINGS_MAX as u64 {
            probe.advance(next, true);
            assert!(probe.poll_ping(0).is_some());
        }
        probe.advance(5_000, true);
        assert_eq!(probe.poll_ping(0), None);
        probe.handle_pong(&9_u64.to_be_bytes());
        assert_eq!(probe.confirmed(), 9);
        assert_eq!(probe.poll_ping(0), Some(5_000_u64.to_be_bytes()));
    }

    #[test]
    fn what_need_not_be_sent_need_not_be_confirmed() {
        let mut probe = Probe::new(10);
        probe.advance(50, false);
        assert_eq!((probe.confirmed(), probe.poll_ping(0)), (50, None));
        probe.advance(51, true);
        probe.advance(60, false);
        assert_eq!(probe.confirmed(), 50);
        let ping = probe.poll_ping(0).unwrap();
        probe.advance(70, false);
        probe.handle_pong(&ping);
        assert_eq!(probe.confirmed(), 70);
    }
}
