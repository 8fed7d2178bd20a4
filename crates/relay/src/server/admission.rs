//! How many connections there may be.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::{App, Entered};

/// The places of all listeners together.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Semaphore>);

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _entered: Entered,
}

impl Places {
    pub(super) fn new(connections_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS))))
    }

    /// A place, if there is one.
    pub(super) fn take(&self, app: &App) -> Option<Place> {
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else {
            app.figures.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        Some(Place { _permit: permit, _entered: app.figures.connections.enter() })
    }
}
