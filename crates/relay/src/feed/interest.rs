//! Who is to be woken by what. A client that wants a few keys, or one stream, costs nothing while
//! records of others come in.
//!
//! Who wants a few keys is given its records as they pass, into a box of its own: it need not find
//! them among those of all others, neither in the ring nor, when it is late, in the log. Recording
//! goes before clients, so that clients are late whenever much is recorded.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;
use unbroken_core::ids::Key;
use unbroken_render::Filter;

use super::chunk::{Chunk, Entry};

/// What one client's box holds, in bytes: some hundred records of usual size.
const BOX_BYTES_MAX: usize = 128 * 1024;

/// A client's number.
pub(super) type TailId = u64;

/// One client.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) notify: Arc<Notify>,
    /// From here on there may be something that it wants; `None`: nothing, up to the ring's end.
    pub(super) first_match: Option<u64>,
    /// What it may want below that.
    boxed: Vec<Arc<Entry>>,
    boxed_bytes: usize,
    interest: Interest,
}

impl Waiter {
    /// Puts a record that it may want into its box, or lets it look for itself from there on.
    /// Returns how many bytes more are in the box.
    fn give(&mut self, entry: &Arc<Entry>, room: usize) -> usize {
        if self.first_match.is_some() {
            return 0;
        }
        let mut bytes = entry.bytes();
        if bytes > room || self.boxed_bytes + bytes > BOX_BYTES_MAX {
            self.first_match = Some(entry.offset);
            bytes = 0;
        } else {
            self.boxed.push(Arc::clone(entry));
            self.boxed_bytes += bytes;
        }
        bytes
    }
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
    /// Who was given something and has not been woken yet.
    given: Vec<TailId>,
    /// Of all boxes.
    boxed_bytes: usize,
    boxed_bytes_max: usize,
}

impl Interests {
    /// Nobody yet; all boxes together hold at most so many bytes.
    pub(super) fn new(boxed_bytes_max: usize) -> Self {
        Self { boxed_bytes_max, ..Self::default() }
    }

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
        let waiter = Waiter {
            notify: Arc::clone(&notify),
            first_match: Some(from),
            boxed: Vec::new(),
            boxed_bytes: 0,
            interest,
        };
        self.waiters.insert(id, waiter);
        (id, notify)
    }

    pub(super) fn remove(&mut self, id: TailId) {
        let Some(waiter) = self.waiters.remove(&id) else { return };
        self.boxed_bytes -= waiter.boxed_bytes;
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
        let place =
            |waiter: &Waiter| waiter.boxed.first().map(|entry| entry.offset).or(waiter.first_match);
        self.waiters.values().filter_map(place).min()
    }

    /// Wakes those who may want something of a chunk, and gives to those who want a few keys.
    pub(super) fn wake(&mut self, chunk: &Chunk) {
        for id in &self.all {
            wake(&mut self.waiters, *id, chunk.first_offset);
        }
        if self.by_source.is_empty() && self.by_key.is_empty() {
            return;
        }
        let mut last_stream = None;
        for (offset, record) in chunk.records() {
            let stream = &record.stream;
            if last_stream != Some(stream) {
                last_stream = Some(stream);
                for name in names(stream.as_str()) {
                    for id in self.by_source.get(name).into_iter().flatten() {
                        wake(&mut self.waiters, *id, chunk.first_offset);
                    }
                }
            }
            if self.by_key.is_empty() {
                continue;
            }
            let Some(ids) = record.body.key().and_then(|key| self.by_key.get(key)) else {
                continue;
            };
            let entry = Arc::new(chunk.detached(offset, record));
            for id in ids {
                let Some(waiter) = self.waiters.get_mut(id) else { continue };
                if waiter.boxed.is_empty() && waiter.first_match.is_none() {
                    self.given.push(*id);
                }
                let room = self.boxed_bytes_max.saturating_sub(self.boxed_bytes);
                self.boxed_bytes += waiter.give(&entry, room);
            }
        }
    }

    /// Wakes those who were given something since the last time. Returns how many.
    pub(super) fn wake_given(&mut self) -> usize {
        let given = std::mem::take(&mut self.given);
        let waiters = given.iter().filter_map(|id| self.waiters.get(id));
        waiters.for_each(|waiter| waiter.notify.notify_one());
        given.len()
    }

    /// Whether somebody was given something since the last time.
    pub(super) fn has_given(&self) -> bool {
        !self.given.is_empty()
    }

    /// Takes what is in a client's box.
    pub(super) fn take_boxed(&mut self, id: TailId) -> Vec<Arc<Entry>> {
        let Some(waiter) = self.waiters.get_mut(&id) else { return Vec::new() };
        self.boxed_bytes -= std::mem::take(&mut waiter.boxed_bytes);
        std::mem::take(&mut waiter.boxed)
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
    use crate::feed::chunk::{Chunk, chunk_of};
    use unbroken_render::Filter;

    fn chunk(first_offset: u64, stream: &str, key: &str) -> Chunk {
        let body = Body::Forgotten { key: key.into() };
        let record = Record { stream: stream.into(), received_at: UnixMicros(0), body };
        chunk_of(JournalId::from_bytes([1; 16]), first_offset, record).expect("one record")
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
                let mut interests = Interests::new(1_000_000);
                let (id, _) = interests.add(7, &filter);
                // It has read all there is.
                interests.waiter(id).expect("it is there").first_match = None;
                interests.wake(&chunk);
                let first_match = interests.waiter(id).expect("it is there").first_match;
                let boxed = interests.take_boxed(id);
                let found = first_match.or(boxed.first().map(|entry| entry.offset));
                assert_eq!(found, is_woken.then_some(chunk.first_offset), "{filter:?}");
                assert_eq!(boxed.len(), usize::from(is_woken && !filter.keys.is_empty()));
                interests.remove(id);
                assert_eq!((interests.count(), interests.broad_count()), (0, 0));
                assert!(interests.by_key.is_empty() && interests.by_source.is_empty());
            }
        }
    }

    /// A client that takes nothing any more must not cost more than its share, and what has no room
    /// in its box it finds for itself.
    #[test]
    fn a_full_box_names_the_place_from_which_its_client_looks_for_itself() {
        let room = chunk(0, "a/s", "anna").entries()[0].bytes() * 3;
        let mut interests = Interests::new(room);
        let filter = Filter { keys: ["anna".into()].into(), ..Filter::default() };
        let ids = [interests.add(0, &filter).0, interests.add(0, &filter).0];
        for id in ids {
            interests.waiter(id).expect("it is there").first_match = None;
        }
        for offset in 0..3 {
            interests.wake(&chunk(offset, "a/s", "anna"));
        }
        assert_eq!((interests.wake_given(), interests.wake_given()), (2, 0), "each once");
        // Together they have room for three records.
        let first_match = |interests: &mut Interests, id| interests.waiter(id)?.first_match;
        assert_eq!(first_match(&mut interests, ids[0]), Some(2));
        assert_eq!(first_match(&mut interests, ids[1]), Some(1));
        assert_eq!(interests.furthest(), Some(0));
        assert_eq!(interests.take_boxed(ids[0]).len(), 2);
        assert_eq!(interests.furthest(), Some(0), "the other one has taken nothing yet");
        assert_eq!(interests.take_boxed(ids[1]).len(), 1);
        assert_eq!(interests.furthest(), Some(1));
        assert_eq!(interests.boxed_bytes, 0);
    }
}
