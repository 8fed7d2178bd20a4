//! The channels of a source, by stream.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use unbroken_core::ids::StreamId;

use crate::genesys::channel::Channel;

/// Channels that are ours: one for each stream, two during a hand-over.
#[derive(Default)]
pub(super) struct Pool(Mutex<BTreeMap<StreamId, Vec<Arc<Channel>>>>);

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
