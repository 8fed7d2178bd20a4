//! Which of the client's streams speak of an agent, and when they were Live.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;

use super::input::{Evidence, LiveInterval};

/// See the module.
#[derive(Debug)]
pub(super) struct Streams<'a> {
    /// By agent: the streams that the client has records of it from.
    of_agent: HashMap<&'a str, BTreeSet<&'a str>>,
    live: &'a [LiveInterval],
}

impl<'a> Streams<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        let mut of_agent: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for stored in &evidence.stored {
            of_agent.entry(&stored.key).or_default().insert(&stored.stream);
        }
        Self { of_agent, live: &evidence.live }
    }

    /// Whether a stream may speak of an agent: of one without any record each may.
    pub(super) fn may_speak(&self, stream: &str, agent: &str) -> bool {
        self.of_agent.get(agent).is_none_or(|streams| streams.contains(stream))
    }

    /// When a stream that may speak of the agent was Live, in order, touching intervals joined.
    pub(super) fn live(&self, agent: &str) -> Vec<(i64, i64)> {
        let of_agent = self.live.iter().filter(|live| self.may_speak(&live.stream, agent));
        let mut spans: Vec<_> = of_agent.map(|live| (live.from_us, live.to_us)).collect();
        spans.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (from_us, to_us) in spans {
            match joined.last_mut() {
                Some(last) if from_us <= last.1 => last.1 = last.1.max(to_us),
                _ => joined.push((from_us, to_us)),
            }
        }
        joined
    }

    pub(super) fn is_live_at(&self, agent: &str, at_us: i64) -> bool {
        self.live.iter().any(|live| {
            (live.from_us..live.to_us).contains(&at_us) && self.may_speak(&live.stream, agent)
        })
    }

    /// Whether a stream that may speak of the agent entered Live within these bounds.
    pub(super) fn has_become_live(&self, agent: &str, within_us: RangeInclusive<i64>) -> bool {
        self.live
            .iter()
            .any(|live| within_us.contains(&live.from_us) && self.may_speak(&live.stream, agent))
    }
}
