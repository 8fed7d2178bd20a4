//! What a client has read, by its answers to our pings.
//!
//! A ping follows what was sent, one at a time, and says up to where that was. Every WebSocket
//! library answers by itself and in order; who has answered has read everything before.

/// Of one connection.
#[derive(Debug)]
pub(crate) struct Probe {
    /// Everything below was sent.
    sent: u64,
    /// Something was sent that no ping has followed.
    is_dirty: bool,
    /// The ping that was not answered yet: what it confirms, and when it was sent.
    asked: Option<(u64, u64)>,
    /// Everything below was read.
    confirmed: u64,
}

impl Probe {
    /// A client that has everything below.
    pub(crate) fn new(next: u64) -> Self {
        Self { sent: next, is_dirty: false, asked: None, confirmed: next }
    }

    /// Something was sent, or there was nothing to be sent, up to here.
    pub(crate) fn advance(&mut self, next: u64, was_sent: bool) {
        self.sent = self.sent.max(next);
        self.is_dirty |= was_sent;
        if !self.is_dirty && self.asked.is_none() {
            self.confirmed = self.confirmed.max(self.sent);
        }
    }

    /// The payload of the ping that is due.
    pub(crate) fn poll_ping(&mut self, now_ms: u64) -> Option<[u8; 8]> {
        if !self.is_dirty || self.asked.is_some() {
            return None;
        }
        self.is_dirty = false;
        self.asked = Some((self.sent, now_ms));
        Some(self.sent.to_be_bytes())
    }

    /// The client has answered.
    pub(crate) fn handle_pong(&mut self, payload: &[u8]) {
        let Some((next, _)) = self.asked.filter(|(next, _)| *payload == next.to_be_bytes()) else {
            return;
        };
        self.asked = None;
        self.confirmed = self.confirmed.max(next);
        self.advance(next, false);
    }

    /// Everything below was read.
    pub(crate) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// Since when a ping has gone without an answer.
    pub(crate) fn silent_since_ms(&self) -> Option<u64> {
        self.asked.map(|(_, at_ms)| at_ms)
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
        probe.advance(13, true);
        assert_eq!((probe.poll_ping(6), probe.confirmed()), (None, 10));
        assert_eq!(probe.silent_ms(9), 4);
        probe.handle_pong(&ping);
        assert_eq!((probe.confirmed(), probe.silent_ms(9)), (12, 0));
        let ping = probe.poll_ping(9).unwrap();
        probe.handle_pong(b"nonsense");
        probe.handle_pong(&12_u64.to_be_bytes());
        assert_eq!(probe.confirmed(), 12);
        probe.handle_pong(&ping);
        assert_eq!(probe.confirmed(), 13);
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
