//! What the writer tells the readers of its own process.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::local::place::Place;
use crate::local::recent::{Recent, Written};

/// A reader that begins inside a segment starts from the nearest of these and not from the
/// segment's beginning.
const INDEX_EVERY_BYTES: u64 = 1024 * 1024;
/// Enough for 4 GiB; older offsets are found from their segment's beginning.
const INDEX_ENTRIES_MAX: usize = 4096;

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug)]
struct State {
    end: Place,
    /// By offset.
    index: BTreeMap<u64, Place>,
    indexed: (u64, u64),
    recent: Recent,
}

impl Shared {
    pub(crate) fn new(end: Place) -> Self {
        let indexed = (end.segment, end.position);
        let index = BTreeMap::from([(end.offset, end)]);
        let state = State { end, index, indexed, recent: Recent::default() };
        Self { state: Mutex::new(state), moved: Condvar::new() }
    }

    pub(crate) fn end(&self) -> Place {
        self.held().end
    }

    /// Tells of the end, and of the batch before it, if it is to be kept for readers.
    pub(crate) fn publish(&self, end: Place, written: Option<Written>) {
        let mut state = self.held();
        let too_old = written.map(|written| state.recent.push(end, written));
        let (segment, position) = state.indexed;
        if segment != end.segment || end.position >= position + INDEX_EVERY_BYTES {
            state.indexed = (end.segment, end.position);
            state.index.entry(end.offset).or_insert(end);
            if state.index.len() > INDEX_ENTRIES_MAX {
                state.index.pop_first();
            }
        }
        state.end = end;
        drop(state);
        self.moved.notify_all();
        // Not while others wait for the lock.
        drop(too_old);
    }

    /// A batch by its number, if it is still kept, and the place behind it.
    pub(crate) fn recent(&self, number: u64) -> Option<(Place, Arc<Written>)> {
        self.held().recent.get(number)
    }

    /// The nearest known place before an offset. Not at it: batches of marks alone may lie at the
    /// same offset and before the place.
    pub(crate) fn nearest(&self, offset: u64) -> Option<Place> {
        self.held().index.range(..offset).next_back().map(|(_, place)| *place)
    }

    /// Waits until the end is as wanted, or the time is up; gives the end as it is then.
    pub(crate) fn wait(&self, until: impl Fn(&Place) -> bool, timeout: Duration) -> Place {
        let waited =
            self.moved.wait_timeout_while(self.held(), timeout, |state| !until(&state.end));
        waited.unwrap_or_else(PoisonError::into_inner).0.end
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
