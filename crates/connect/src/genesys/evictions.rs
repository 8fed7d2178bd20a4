//! Channels that are gone before their time: somebody else makes channels with the same client.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use unbroken_core::connector::{Class, Failure};
use unbroken_core::ids::{Label, StreamId};

/// Counts them, for each stream alone: one act of somebody else can take all channels at once.
#[derive(Debug)]
pub(super) struct Evictions {
    of: BTreeMap<StreamId, VecDeque<Instant>>,
    most: usize,
    window: Duration,
}

impl Evictions {
    /// So many within a window are too many.
    pub(super) fn new(most: usize, window: Duration) -> Self {
        Self { of: BTreeMap::new(), most, window }
    }

    /// A channel of this stream was gone before its time.
    pub(super) fn note(&mut self, stream: &StreamId, now: Instant) {
        let count = {
            let seen = self.of.entry(stream.clone()).or_default();
            seen.push_back(now);
            while seen.len() > self.most.max(1) {
                seen.pop_front();
            }
            seen.len()
        };
        tracing::warn!(
            stream = %stream,
            count,
            "a channel is gone before its time: does another program use the same OAuth client?"
        );
    }

    /// Whether the stream may go on; it is forgiven once told, so that it is tried again later.
    ///
    /// # Errors
    /// Two programs fight for the account's channels: neither will ever win.
    pub(super) fn weigh(&mut self, stream: &StreamId, now: Instant) -> Result<(), Failure> {
        let Some(seen) = self.of.get_mut(stream) else { return Ok(()) };
        while seen.front().is_some_and(|at| now.saturating_duration_since(*at) > self.window) {
            seen.pop_front();
        }
        if seen.len() < self.most.max(1) {
            return Ok(());
        }
        let (count, minutes) = (seen.len(), self.window.as_secs().div_ceil(60));
        seen.clear();
        let what = Label::new(format!(
            "channel was taken away {count} times in {minutes} min: another program makes channels \
             with the same OAuth client; give each program a client of its own"
        ));
        Err(Failure { class: Class::Fatal, code: None, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fight_is_seen_and_one_eviction_is_not_one() {
        let mut evictions = Evictions::new(3, Duration::from_secs(600));
        let (a, b) = (StreamId::from("g/a"), StreamId::from("g/b"));
        let begun = Instant::now();
        let at = |s: u64| begun + Duration::from_secs(s);
        for stream in [&a, &b] {
            evictions.note(stream, at(0));
            assert_eq!(evictions.weigh(stream, at(0)), Ok(()), "all at once is one act");
        }
        evictions.note(&a, at(60));
        assert_eq!(evictions.weigh(&a, at(60)), Ok(()));
        evictions.note(&a, at(120));
        let failure = evictions.weigh(&a, at(121)).unwrap_err();
        assert_eq!(failure.class, Class::Fatal);
        assert!(failure.what.as_str().contains("3 times in 10 min"), "{}", failure.what);
        assert_eq!(evictions.weigh(&b, at(121)), Ok(()));
        assert_eq!(evictions.weigh(&a, at(122)), Ok(()), "a person is told once, then it is tried");
    }

    #[test]
    fn what_is_long_ago_counts_no_more() {
        let mut evictions = Evictions::new(2, Duration::from_secs(60));
        let (a, begun) = (StreamId::from("g/a"), Instant::now());
        evictions.note(&a, begun);
        evictions.note(&a, begun + Duration::from_secs(61));
        assert_eq!(evictions.weigh(&a, begun + Duration::from_secs(61)), Ok(()));
    }
}
