//! Conversations: who takes part, in which sessions, and the segments of those.

use std::cell::OnceCell;
use std::sync::Arc;

use super::roster::uuid;
use super::stamp::whole_ms;

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Alerting,
    Connected,
    Held,
    WrapUp,
    Over,
}

/// The customer, the queue and the agent, in this order.
pub(super) const CUSTOMER: usize = 0;
pub(super) const QUEUE: usize = 1;
pub(super) const AGENT: usize = 2;

/// Somebody who takes part, in one session.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) id: String,
    pub(super) session: String,
    pub(super) connected_us: Option<i64>,
    pub(super) ended_us: Option<i64>,
}

/// A part of a session. Times are whole milliseconds, in microseconds since 1970.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) party: usize,
    pub(super) kind: &'static str,
    pub(super) start_us: i64,
    pub(super) end_us: Option<i64>,
    /// Its number in the ledger, once it has one.
    pub(super) fact: Option<usize>,
}

/// One call.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) id: String,
    /// What its events are about, in the ledger.
    pub(super) key: Arc<str>,
    pub(super) agent: usize,
    pub(super) queue: usize,
    pub(super) stage: Stage,
    pub(super) begun_us: i64,
    pub(super) ended_us: Option<i64>,
    pub(super) parties: Vec<Party>,
    pub(super) segments: Vec<Segment>,
    pub(super) number: u32,
    moved_us: i64,
    /// What analytics show of it for ever, once it has been asked for.
    pub(super) told: OnceCell<String>,
}

impl Conversation {
    /// A customer that came through a queue rings at an agent's.
    pub(super) fn begin(agent: usize, queue: usize, now_us: i64, rng: &mut fastrand::Rng) -> Self {
        let now_us = whole_ms(now_us);
        let id = uuid(rng);
        let mut party = |connected_us| Party {
            id: uuid(rng),
            session: uuid(rng),
            connected_us,
            ended_us: None,
        };
        let parties = vec![party(Some(now_us)), party(Some(now_us)), party(None)];
        let mut conversation = Self {
            key: format!("conversation/{id}").into(),
            id,
            agent,
            queue,
            stage: Stage::Alerting,
            begun_us: now_us,
            ended_us: None,
            parties,
            segments: Vec::new(),
            number: rng.u32(1_000_000..10_000_000),
            moved_us: now_us,
            told: OnceCell::new(),
        };
        conversation.open(CUSTOMER, "interact", now_us);
        conversation.open(QUEUE, "interact", now_us);
        conversation.open(AGENT, "alert", now_us);
        conversation
    }

    /// The next stage; returns the agent's routing status in it. Never within the millisecond of
    /// the last one, where two segments could not be told apart.
    pub(super) fn advance(&mut self, now_us: i64, rng: &mut fastrand::Rng) -> &'static str {
        let now_us = whole_ms(now_us).max(self.moved_us + 1_000);
        self.moved_us = now_us;
        match self.stage {
            Stage::Alerting if rng.u8(0..10) == 0 => {
                self.end(now_us);
                self.stage = Stage::Over;
                return "NOT_RESPONDING";
            }
            Stage::Alerting => {
                self.close(QUEUE, now_us);
                self.parties[QUEUE].ended_us = Some(now_us);
                self.parties[AGENT].connected_us = Some(now_us);
                self.turn("interact", Stage::Connected, now_us);
            }
            Stage::Connected if rng.u8(0..4) == 0 => self.turn("hold", Stage::Held, now_us),
            Stage::Held => self.turn("interact", Stage::Connected, now_us),
            Stage::Connected => {
                self.end(now_us);
                self.open(AGENT, "wrapup", now_us);
                self.stage = Stage::WrapUp;
            }
            Stage::WrapUp | Stage::Over => {
                self.close(AGENT, now_us);
                self.stage = Stage::Over;
                return "IDLE";
            }
        }
        "INTERACTING"
    }

    /// Whether analytics that know what happened by then know all of it.
    pub(super) fn is_past(&self, as_of_us: i64) -> bool {
        self.stage == Stage::Over && self.moved_us <= as_of_us
    }

    fn turn(&mut self, kind: &'static str, stage: Stage, now_us: i64) {
        self.close(AGENT, now_us);
        self.open(AGENT, kind, now_us);
        self.stage = stage;
    }

    fn end(&mut self, now_us: i64) {
        self.ended_us = Some(now_us);
        for party in 0..self.parties.len() {
            self.close(party, now_us);
            self.parties[party].ended_us.get_or_insert(now_us);
        }
    }

    fn open(&mut self, party: usize, kind: &'static str, start_us: i64) {
        self.segments.push(Segment { party, kind, start_us, end_us: None, fact: None });
    }

    fn close(&mut self, party: usize, end_us: i64) {
        for segment in self.segments.iter_mut().filter(|segment| segment.party == party) {
            segment.end_us.get_or_insert(end_us);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_ends_and_no_two_of_a_session_begin_together() {
        let mut rng = fastrand::Rng::with_seed(8);
        let mut kinds = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let mut conversation = Conversation::begin(0, 0, 1_000, &mut rng);
            while conversation.stage != Stage::Over {
                // All in one millisecond.
                conversation.advance(1_500, &mut rng);
            }
            assert!(conversation.ended_us.is_some());
            let mut starts = std::collections::BTreeSet::new();
            for segment in &conversation.segments {
                assert!(segment.end_us.unwrap() > segment.start_us, "{segment:?}");
                assert!(starts.insert((segment.party, segment.start_us)), "{segment:?}");
                kinds.insert(segment.kind);
            }
        }
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["alert", "hold", "interact", "wrapup"]);
    }
}
