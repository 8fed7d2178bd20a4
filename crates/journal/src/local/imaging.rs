//! The work of a seal that commits need not wait for: the image, and what retention deletes behind
//! it.
//!
//! Until the image is there an open reads more of the log, from the image before it; nothing else
//! depends on when it comes. Retention counts images that it finds, so it can only keep too much.

use std::thread::{self, JoinHandle};

use unbroken_core::fold::Fold;
use unbroken_core::time::UnixMicros;

use crate::JournalError;
use crate::local::home::Home;
use crate::local::image;
use crate::local::place::Place;
use crate::local::retain::{Consumers, Retention, retain};

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) home: Home,
    pub(crate) place: Place,
    pub(crate) fold: Fold,
    pub(crate) now: UnixMicros,
    pub(crate) retention: Retention,
    pub(crate) consumers: Consumers,
}

impl Work {
    pub(crate) fn perform(self) -> Result<(), JournalError> {
        image::write(&self.home, &self.place, &self.fold, self.now)?;
        retain(&self.home, &self.retention, &self.consumers, self.now)
    }
}

/// Work under way. Dropping it waits: whoever opens the journal next must find it at rest.
#[derive(Debug)]
pub(crate) struct Imaging {
    thread: Option<JoinHandle<Result<(), JournalError>>>,
}

impl Imaging {
    pub(crate) fn begin(work: Work) -> Result<Self, JournalError> {
        let thread = thread::Builder::new()
            .name("journal-image".into())
            .spawn(move || work.perform())
            .map_err(JournalError::NoThread)?;
        Ok(Self { thread: Some(thread) })
    }

    pub(crate) fn is_done(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for it, and tells how it ended.
    pub(crate) fn finish(mut self) -> Result<(), JournalError> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Imaging {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The writer is gone, and with it whoever could be told.
            let _ = thread.join();
        }
    }
}
