//! What all clients share.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use unbroken_journal::{Cursor, JournalError, JournalId, Reader};
use unbroken_render::Filter;

use super::chunk::{Chunk, Entry};
use super::cursor::{After, CursorError, begin};
use super::interest::{Interests, TailId};
use super::ring::Ring;
use super::tail::Tail;

/// Bounds of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedLimits {
    /// The newest records are kept in memory up to this size, in bytes; those that wait for clients
    /// who want a few keys up to as much again.
    pub ring_bytes_max: usize,
    /// Clients that may read older records from the log at the same time.
    pub replays_max: usize,
}

impl Default for FeedLimits {
    /// At 100,000 records a second of usual size the ring holds about half a second, and a client
    /// that is later than that reads from the page cache.
    fn default() -> Self {
        Self { ring_bytes_max: 32 * 1024 * 1024, replays_max: 4 }
    }
}

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Feed(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) reader: Reader,
    pub(super) replays: Semaphore,
    state: Mutex<State>,
    /// There is a client, or it is time to stop.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    /// The ring follows the log; else nothing in it can be believed.
    follows: bool,
    interests: Interests,
    stopped: bool,
}

/// What is there for a client.
#[derive(Debug)]
pub(super) enum Look {
    /// These it may want, and no others below this offset.
    Boxed(Vec<Arc<Entry>>, u64),
    /// It is in the ring.
    Chunk(Arc<Chunk>),
    /// It is older than the ring: to be read from the log, from here on.
    Older(u64),
    /// Nothing that it wants, up to here.
    Nothing(u64),
    /// The service is stopping.
    Stopped,
}

impl Feed {
    /// Of a journal. Nothing is read before somebody asks.
    pub fn new(reader: Reader, limits: FeedLimits) -> Self {
        let state = State {
            ring: Ring::new(limits.ring_bytes_max),
            follows: false,
            interests: Interests::new(limits.ring_bytes_max),
            stopped: false,
        };
        Self(Arc::new(Shared {
            reader,
            replays: Semaphore::new(limits.replays_max),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }))
    }

    /// Which journal it reads.
    pub fn journal(&self) -> JournalId {
        self.0.reader.journal()
    }

    /// The cursor of a reader who has everything below an offset.
    pub fn cursor(&self, offset: u64) -> Cursor {
        self.0.reader.cursor(offset)
    }

    /// The durable end of the log.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn end_offset(&self) -> Result<u64, JournalError> {
        self.0.reader.end_offset()
    }

    /// Where a client begins to read.
    ///
    /// # Errors
    /// Why its cursor cannot be gone on from.
    pub fn begin(&self, after: After) -> Result<u64, CursorError> {
        begin(&self.0.reader, after)
    }

    /// Everything from an offset on that passes the filter, and then what comes.
    pub fn subscribe(&self, from: u64, filter: Filter) -> Tail {
        let mut state = self.0.lock();
        let (id, notify) = state.interests.add(from, &filter);
        drop(state);
        self.0.changed.notify_all();
        Tail::new(self.clone(), id, notify, from, filter)
    }

    /// How many records the client that is furthest behind has still to be given, or to be passed
    /// over.
    ///
    /// # Errors
    /// The log's end cannot be read.
    pub fn lag_max(&self) -> Result<u64, JournalError> {
        let end = self.end_offset()?;
        let furthest = self.0.lock().interests.furthest();
        Ok(furthest.map_or(0, |furthest| end.saturating_sub(furthest)))
    }

    /// How many clients read.
    pub fn tails_count(&self) -> usize {
        self.0.lock().interests.count()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is for a client that has read everything below `position`.
    pub(super) fn look(&self, id: TailId, position: u64) -> Look {
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.stopped {
            return Look::Stopped;
        }
        let end = state.ring.end();
        let boxed = state.interests.take_boxed(id);
        let Some(waiter) = state.interests.waiter(id) else { return Look::Stopped };
        if !boxed.is_empty() {
            return Look::Boxed(boxed, waiter.first_match.unwrap_or(end));
        }
        if !state.follows {
            return Look::Nothing(position);
        }
        let Some(first_match) = waiter.first_match else {
            return Look::Nothing(position.max(end));
        };
        let from = first_match.max(position);
        if from >= end {
            waiter.first_match = None;
            return Look::Nothing(from);
        }
        waiter.first_match = Some(from);
        match state.ring.at(from) {
            Some(chunk) => Look::Chunk(Arc::clone(chunk)),
            None => Look::Older(from),
        }
    }

    pub(super) fn leave(&self, id: TailId) {
        self.lock().interests.remove(id);
    }

    /// Waits until there is a client; false: it is time to stop.
    pub(super) fn wait_for_client(&self) -> bool {
        let waits = |state: &mut State| !state.stopped && state.interests.count() == 0;
        let state = self.changed.wait_while(self.lock(), waits);
        !state.unwrap_or_else(PoisonError::into_inner).stopped
    }

    /// Waits for a time, or until it is time to stop; true: it is.
    pub(super) fn is_stopped_within(&self, time: Duration) -> bool {
        let waits = |state: &mut State| !state.stopped;
        let waited = self.changed.wait_timeout_while(self.lock(), time, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    /// The ring begins anew at an offset.
    pub(super) fn restart(&self, at: u64) {
        let mut state = self.lock();
        let end = state.ring.end();
        state.interests.doubt_all(end);
        state.ring.restart(at);
        state.follows = true;
        state.interests.wake_all();
    }

    /// Nobody follows the log any more.
    pub(super) fn rest(&self) {
        let mut state = self.lock();
        let end = state.ring.end();
        state.interests.doubt_all(end);
        state.ring.restart(end);
        state.follows = false;
    }

    /// Puts a chunk into the ring, and wakes whom it may concern, but for those who want a few
    /// keys. Returns how many clients want everything.
    pub(super) fn publish(&self, chunk: Chunk) -> usize {
        let chunk = Arc::new(chunk);
        let mut state = self.lock();
        let too_old = state.ring.push(Arc::clone(&chunk));
        state.interests.wake(&chunk);
        let broad_count = state.interests.broad_count();
        drop(state);
        // Not while all clients wait for the lock.
        drop(too_old);
        broad_count
    }

    /// Wakes those for whom there is something in their boxes. Returns how many.
    pub(super) fn wake_given(&self) -> usize {
        self.lock().interests.wake_given()
    }

    /// Whether anything is in their boxes that they have not been woken for.
    pub(super) fn has_given(&self) -> bool {
        self.lock().interests.has_given()
    }

    /// How many clients there are.
    pub(super) fn count(&self) -> usize {
        self.lock().interests.count()
    }

    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.interests.wake_all();
        drop(state);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use unbroken_core::record::{Body, Record};
    use unbroken_core::time::UnixMicros;
    use unbroken_journal::Options;

    use super::{Feed, FeedLimits, Look};
    use crate::feed::chunk::{Chunk, chunk_of};
    use unbroken_render::Filter;

    fn chunk(feed: &Feed, offset: u64) -> Chunk {
        let body = Body::Forgotten { key: "k".into() };
        let record = Record { stream: "a/s".into(), received_at: UnixMicros(0), body };
        chunk_of(feed.journal(), offset, record).expect("one record")
    }

    /// The thread that follows the log failed, and begins again further on: a client that had read
    /// everything reads from the log what the ring has never held.
    #[test]
    fn a_ring_that_begins_anew_hides_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let opened = unbroken_journal::open(Options::new(dir.path().join("journal")));
        let feed = Feed::new(opened.expect("a log").reader, FeedLimits::default());
        let shared = &feed.0;
        let wants_nothing = Filter { keys: ["other".into()].into(), ..Filter::default() };
        let ids = [Filter::default(), wants_nothing].map(|filter| {
            let mut state = shared.lock();
            state.interests.add(0, &filter).0
        });
        assert!(matches!(shared.look(ids[0], 0), Look::Nothing(0)), "nothing is followed yet");
        shared.restart(0);
        shared.publish(chunk(&feed, 0));
        for id in ids {
            assert!(matches!(shared.look(id, 0), Look::Chunk(_)), "it has not looked yet");
            assert!(matches!(shared.look(id, 1), Look::Nothing(1)));
        }
        shared.publish(chunk(&feed, 1));
        assert!(matches!(shared.look(ids[0], 1), Look::Chunk(_)));
        assert!(matches!(shared.look(ids[1], 1), Look::Nothing(2)), "it is none of its business");
        assert!(matches!(shared.look(ids[0], 2), Look::Nothing(2)));
        shared.restart(10);
        for id in ids {
            assert!(matches!(shared.look(id, 2), Look::Older(2)), "what lay between is in the log");
        }
        shared.stop();
        assert!(matches!(shared.look(ids[0], 2), Look::Stopped));
    }
}
