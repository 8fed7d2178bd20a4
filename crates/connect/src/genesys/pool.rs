//! The channels of a source, by stream.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use unbroken_core::ids::StreamId;

use crate::genesys::channel::Channel;

/// Channels that are ours: one for each stream, two during a hand-over.
#[derive(Default)]
pub(super) struct Pool(Mutex<BTreeMap<StreamId, Vec<Arc<Channel>>>>, Arc<AtomicUsize>);

/// Room for a second channel, while it is being made.
pub(super) struct Room(Arc<AtomicUsize>);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamId, Vec<Arc<Channel>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The channel whose socket was lost last. Others that are not in use are forgotten: the vendor
    /// lets those go first.
    pub(super) fn idle(&self, stream: &StreamId) -> Option<Arc<Channel>> {
        let is_idle = |channel: &Arc<Channel>| !channel.is_busy.load(Ordering::Relaxed);
        let mut all = self.lock();
        let channels = all.get_mut(stream)?;
        let last = channels.iter().rev().find(|channel| is_idle(channel)).cloned();
        channels.retain(|one| !is_idle(one) || last.as_ref().is_some_and(|l| Arc::ptr_eq(l, one)));
        last
    }

    /// Room for one more channel beside one that the stream has in use; `None`: with it there would
    /// be more than `most`, and the vendor would take another one of ours away. A stream without
    /// one is always let in.
    pub(super) fn room(&self, stream: &StreamId, most: usize) -> Option<Room> {
        let all = self.lock();
        let busy = |channels: &Vec<Arc<Channel>>| {
            channels.iter().filter(|channel| channel.is_busy.load(Ordering::Relaxed)).count()
        };
        let is_second = all.get(stream).is_some_and(|channels| busy(channels) > 0);
        let in_use: usize = all.values().map(busy).sum();
        if is_second && in_use + self.1.load(Ordering::Relaxed) >= most {
            return None;
        }
        self.1.fetch_add(1, Ordering::Relaxed);
        Some(Room(Arc::clone(&self.1)))
    }

    /// A new one.
    pub(super) fn add(&self, stream: &StreamId, channel: &Arc<Channel>) {
        self.lock().entry(stream.clone()).or_default().push(Arc::clone(channel));
    }

    /// It is no longer ours.
    pub(super) fn forget(&self, stream: &StreamId, channel: &Arc<Channel>) {
        if let Some(channels) = self.lock().get_mut(stream) {
            channels.retain(|other| !Arc::ptr_eq(other, channel));
        }
    }
}
