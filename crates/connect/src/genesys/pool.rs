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

    /// A channel whose socket was lost and that may still be there. Others that are not in use are
    /// forgotten: the vendor lets those go first.
    pub(super) fn reusable(&self, stream: &StreamId) -> Option<Arc<Channel>> {
        let mut all = self.lock();
        let channels = all.get_mut(stream)?;
        channels.retain(|channel| channel.is_busy.load(Ordering::Relaxed) || channel.is_reusable());
        channels.iter().rev().find(|channel| channel.is_reusable()).cloned()
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
