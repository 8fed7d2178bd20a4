//! Who is to be woken by what. A client that wants a few keys, or one stream, costs nothing while
//! records of others come in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;
use unbroken_core::ids::Key;

use super::chunk::Chunk;
use super::filter::Filter;

/// A client's number.
pub(super) type TailId = u64;

/// One client.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) notify: Arc<Notify>,
    /// From here on there may be something that it wants; `None`: nothing, up to the ring's end.
    pub(super) first_match: Option<u64>,
    interest: Interest,
}

/// By what it is found when records come.
#[derive(Debug)]
enum Interest {
    All,
    Source(String),
    Keys(BTreeSet<Key>),
}

/// All clients.
#[derive(Debug, Default)]
pub(super) struct Interests {
    waiters: BTreeMap<TailId, Waiter>,
    next: TailId,
    all: BTreeSet<TailId>,
    by_source: HashMap<String, BTreeSet<TailId>>,
    by_key: HashMap<Key, BTreeSet<TailId>>,
}

impl Interests {
    /// A client that has read everything below `from`.
    pub(super) fn add(&mut self, from: u64, filter: &Filter) -> (TailId, Arc<Notify>) {
        let id = self.next;
        self.next += 1;
        let interest = match (&filter.source, filter.keys.is_empty()) {
            (_, false) => Interest::Keys(filter.keys.clone()),
            (Some(source), true) => Interest::Source(source.clone()),
            (None, true) => Interest::All,
        };
        match &interest {
            Interest::All => drop(self.all.insert(id)),
            Interest::Source(source) => {
                self.by_source.entry(source.clone()).or_default().insert(id);
            }
            Interest::Keys(keys) => {
                for key in keys {
                    self.by_key.entry(key.clone()).or_default().insert(id);
                }
            }
        }
        let notify = Arc::new(Notify::new());
        let waiter = Waiter { notify: Arc::clone(&notify), first_match: Some(from), interest };
        self.waiters.insert(id, waiter);
        (id, notify)
    }

    pub(super) fn remove(&mut self, id: TailId) {
        let Some(waiter) = self.waiters.remove(&id) else { return };
        match &waiter.interest {
            Interest::All => drop(self.all.remove(&id)),
            Interest::Source(source) => leave(&mut self.by_source, source, id),
            Interest::Keys(keys) => {
                for key in keys {
                    leave(&mut self.by_key, key, id);
                }
            }
        }
    }

    pub(super) fn waiter(&mut self, id: TailId) -> Option<&mut Waiter> {
        self.waiters.get_mut(&id)
    }

    pub(super) fn count(&self) -> usize {
        self.waiters.len()
    }

    /// How many are woken by every record.
    pub(super) fn broad_count(&self) -> usize {
        self.all.len()
    }

    /// Where the client is that is furthest behind, if one is behind the ring's end.
    pub(super) fn furthest(&self) -> Option<u64> {
        self.waiters.values().filter_map(|waiter| waiter.first_match).min()
    }

    /// Wakes those who may want something of a chunk.
    pub(super) fn wake(&mut self, chunk: &Chunk) {
        for id in &self.all {
            wake(&mut self.waiters, *id, chunk.first_offset);
        }
        if self.by_source.is_empty() && self.by_key.is_empty() {
            return;
        }
        let mut last_stream = None;
        for entry in &chunk.entries {
            let stream = &entry.record.stream;
            if last_stream != Some(stream) {
                last_stream = Some(stream);
                for name in names(stream.as_str()) {
                    for id in self.by_source.get(name).into_iter().flatten() {
                        wake(&mut self.waiters, *id, chunk.first_offset);
                    }
                }
            }
            let wanting = entry.key().and_then(|key| self.by_key.get(key));
            for id in wanting.into_iter().flatten() {
                wake(&mut self.waiters, *id, chunk.first_offset);
            }
        }
    }

    /// Wakes everybody.
    pub(super) fn wake_all(&self) {
        for waiter in self.waiters.values() {
            waiter.notify.notify_one();
        }
    }

    /// Everybody has to look from its own place on: what was in the ring is gone.
    pub(super) fn doubt_all(&mut self, end: u64) {
        for waiter in self.waiters.values_mut() {
            waiter.first_match.get_or_insert(end);
        }
    }
}

fn wake(waiters: &mut BTreeMap<TailId, Waiter>, id: TailId, first_offset: u64) {
    if let Some(waiter) = waiters.get_mut(&id)
        && waiter.first_match.is_none()
    {
        waiter.first_match = Some(first_offset);
        waiter.notify.notify_one();
    }
}

fn leave<K: std::hash::Hash + Eq>(sets: &mut HashMap<K, BTreeSet<TailId>>, name: &K, id: TailId) {
    if let Some(set) = sets.get_mut(name) {
        set.remove(&id);
        if set.is_empty() {
            sets.remove(name);
        }
    }
}

/// The names by which a stream is meant: its own, and what stands before each slash in it.
fn names(stream: &str) -> impl Iterator<Item = &str> {
    let before = stream.match_indices('/').filter_map(|(at, _)| stream.get(..at));
    before.chain(std::iter::once(stream))
}

#[cfg(test)]
mod tests {
    use unbroken_core::record::{Body, Record};
    use unbroken_core::time::UnixMicros;
    use unbroken_journal::JournalId;

    use super::Interests;
    use crate::feed::Filter;
    use crate::feed::chunk::{Chunk, Gathering};

    fn chunk(first_offset: u64, stream: &str, key: &str) -> Chunk {
        let mut gathering = Gathering::new(JournalId::from_bytes([1; 16]), first_offset);
        let body = Body::Forgotten { key: key.into() };
        let record = Record { stream: stream.into(), received_at: UnixMicros(0), body };
        gathering.take(first_offset, record, &Filter::default());
        gathering.finish().expect("one record")
    }

    /// Ten thousand clients that wait for something else must cost nothing while records come.
    #[test]
    fn a_client_is_woken_by_what_it_may_want_and_by_nothing_else() {
        let of_source =
            |source: &str| Filter { source: Some(source.to_owned()), ..Filter::default() };
        let of_key = |key: &str| Filter { keys: [key.into()].into(), ..Filter::default() };
        let filters = [
            (Filter::default(), [true, true]),
            (of_source("a"), [true, false]),
            (of_source("a/s"), [true, false]),
            (of_source("b"), [false, true]),
            (of_key("anna"), [true, false]),
            (of_key("bert"), [false, true]),
            (Filter { source: Some("b".to_owned()), ..of_key("anna") }, [true, false]),
        ];
        for (filter, woken_by) in filters {
            for (chunk, is_woken) in
                [chunk(7, "a/s", "anna"), chunk(8, "b/s", "bert")].into_iter().zip(woken_by)
            {
                let mut interests = Interests::default();
                let (id, _) = interests.add(7, &filter);
                // It has read all there is.
                interests.waiter(id).expect("it is there").first_match = None;
                interests.wake(&chunk);
                let first_match = interests.waiter(id).expect("it is there").first_match;
                assert_eq!(first_match, is_woken.then_some(chunk.first_offset), "{filter:?}");
                interests.remove(id);
                assert_eq!((interests.count(), interests.broad_count()), (0, 0));
                assert!(interests.by_key.is_empty() && interests.by_source.is_empty());
            }
        }
    }
}
