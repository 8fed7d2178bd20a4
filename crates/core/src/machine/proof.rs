//! What the model checker needs of a machine, in the proof build only: states that differ only in
//! when they were reached count as one.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use crate::backoff::Jitter;
use crate::ids::{AppendId, ConnId, RequestId, StreamId};
use crate::machine::link::Link;
use crate::machine::mutant::Mutant;
use crate::machine::stream::Stream;
use crate::machine::timer::TimerTable;
use crate::machine::{Machine, Phase};
use crate::time::Millis;

/// What is due later than this, in milliseconds, is of no small world, and comes no nearer.
pub const FAR_MS: u64 = 10_000_000;

/// How far ahead something is, in milliseconds.
pub fn ahead_ms(now: Millis, at: Millis) -> u64 {
    let ahead_ms = at.since(now);
    if ahead_ms >= FAR_MS { 2 * FAR_MS } else { ahead_ms }
}

impl Machine {
    /// The same machine with a guard taken out.
    #[must_use]
    pub fn with_mutant(mut self, mutant: Option<Mutant>) -> Self {
        self.shared.mutant = mutant;
        self
    }

    /// The guard that is taken out.
    pub fn mutant(&self) -> Option<Mutant> {
        self.shared.mutant
    }

    /// Shifts every moment so that `now` becomes `to`, and forgets what only tells histories apart.
    /// What happened longer ago than `to` counts as having happened then.
    pub fn normalise(&mut self, now: Millis, to: Millis) {
        let shift = |at: &mut Millis| *at = Millis(to.0 + ahead_ms(now, *at));
        let age = |at: &mut Millis| *at = Millis(to.0.saturating_sub(now.0.saturating_sub(at.0)));
        self.shared.jitter = Jitter::new(0);
        self.shared.token.timers.shift(shift);
        self.shared.purse.moments_mut().into_iter().for_each(shift);
        let mut requests_in_flight = false;
        for stream in &mut self.streams {
            stream.timers.shift(shift);
            if let Phase::Waiting { until, .. } = &mut stream.phase {
                shift(until);
            }
            if let Some(run) = &mut stream.run {
                age(&mut run.begun_at);
                if let Some(at) = &mut run.since {
                    age(at);
                }
                requests_in_flight |= run.request.is_some();
            }
            for link in [&mut stream.link, &mut stream.spare].into_iter().flatten() {
                if let Some(acked) = &mut link.acked {
                    age(&mut acked.at);
                }
                if let Some(at) = &mut link.expected_at {
                    age(at);
                }
                if let Some(at) = &mut link.closes_at {
                    shift(at);
                }
                if let Some(at) = &mut link.poisoned_at {
                    age(at);
                }
            }
            stream.tombstones.stood_at_mut().into_iter().for_each(age);
            age(&mut stream.heard_at);
            if let Some(at) = &mut stream.live_since {
                age(at);
            }
            if let Some(at) = &mut stream.outage.stale_since {
                age(at);
            }
            stream.outage.attempts = stream.outage.attempts.min(2);
            stream.forget_counts();
        }
        if !requests_in_flight {
            self.shared.last_request = RequestId(0);
        }
        self.forget_numbers();
    }

    /// Numbers that only have to differ from one another are counted anew.
    fn forget_numbers(&mut self) {
        let appended = self.shared.appended.0;
        let renumber = |id: &mut AppendId| id.0 -= appended;
        renumber(&mut self.shared.last_append);
        self.shared.appended = AppendId(0);
        let mut offsets = BTreeSet::new();
        for stream in &mut self.streams {
            stream.marks_mut().for_each(renumber);
            stream.seen.last_conn = ConnId(0);
            stream.seen.open_conn = None;
            stream.offsets_mut().for_each(|offset| {
                offsets.insert(*offset);
            });
        }
        let ranks: Vec<u64> = offsets.into_iter().collect();
        let rank = |offset: u64| ranks.partition_point(|known| *known < offset) as u64;
        for stream in &mut self.streams {
            stream.offsets_mut().for_each(|offset| *offset = rank(*offset));
            stream.tombstones.renumber(rank);
        }
        self.shared.clock = ranks.len() as u64;
    }

    /// The last unit known to be durable.
    pub fn appended(&self) -> AppendId {
        self.shared.appended
    }

    /// Everything but the configuration, which does not change.
    pub fn hash_state<H: Hasher>(&self, hasher: &mut H) {
        let Self { config: _, shared, streams, outputs, life } = self;
        (shared, streams, outputs, life).hash(hasher);
    }

    /// The request that a stream waits for; an answer to any other changes nothing.
    pub fn awaited(&self, stream: &StreamId) -> Option<RequestId> {
        self.stream(stream)?.run.as_ref()?.request
    }

    /// Gives the awaited request the first number, and every socket the one that `conn` says.
    pub fn renumber(&mut self, conn: impl Fn(ConnId) -> ConnId, last: ConnId) {
        for stream in &mut self.streams {
            if let Some(request) = stream.run.as_mut().and_then(|run| run.request.as_mut()) {
                *request = RequestId(1);
                self.shared.last_request = RequestId(1);
            }
            stream.conns_mut().for_each(|at| *at = conn(*at));
        }
        self.shared.last_conn = last;
    }

    /// The sockets that something is known to have come on, those that are gone among them.
    pub fn conns(&mut self) -> BTreeSet<ConnId> {
        self.streams.iter_mut().flat_map(|stream| stream.conns_mut().map(|conn| *conn)).collect()
    }

    /// How many events wait in the fullest of a stream's windows.
    pub fn waiting(&self, stream: &StreamId) -> usize {
        let Some(stream) = self.stream(stream) else { return 0 };
        let parked = |link: &Option<Link>| link.as_ref().map_or(0, |link| link.parked.len());
        let stashed = stream.stash.as_ref().map_or(0, |(_, events)| events.len());
        let expected = stream.spare.iter().flat_map(|link| link.expected.values()).map(Vec::len);
        let windows = [stream.held.len(), parked(&stream.link), parked(&stream.spare), stashed];
        windows.into_iter().chain([expected.sum()]).max().unwrap_or(0)
    }

    /// Of how many keys a stream keeps something that is no state: what was heard of them last, and
    /// that they are gone. `None`: of a key that state does not know, or not of all that are gone.
    pub fn kept(&self, stream: &StreamId) -> Option<usize> {
        let Some(stream) = self.stream(stream) else { return Some(0) };
        let keys = &stream.seen.keys;
        let mut echoes = stream.link.iter().flat_map(|link| link.echo.keys());
        let gone = keys.values().filter(|held| !held.present).count();
        let is_exact = echoes.all(|key| keys.contains_key(key)) && gone == stream.tombstones.len();
        let echoes = stream.link.as_ref().map_or(0, |link| link.echo.len());
        is_exact.then_some(gone + echoes)
    }
}

impl Stream {
    fn conns_mut(&mut self) -> impl Iterator<Item = &mut ConnId> {
        let links = [&mut self.link, &mut self.spare].into_iter().flatten();
        let links = links.flat_map(|link| {
            let parked = link.parked.iter_mut().map(|event| &mut event.conn);
            parked.chain([&mut link.conn])
        });
        let stashed = self.stash.iter_mut().flat_map(|(_, events)| events);
        let events = self.held.values_mut().chain(stashed).map(|event| &mut event.conn);
        links.chain(events).chain(self.poison_at.as_mut().map(|(_, conn)| conn))
    }

    fn offsets_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        let staged = self.seen.staged.iter_mut().flat_map(|staged| staged.items.values_mut());
        let values = self.seen.keys.values_mut().chain(staged).map(|value| &mut value.offset);
        values.chain(self.seen.stale_before.iter_mut().map(|(offset, _)| offset))
    }
}

impl TimerTable {
    fn shift(&mut self, mut shift: impl FnMut(&mut Millis)) {
        self.deadlines_mut().for_each(&mut shift);
    }
}
