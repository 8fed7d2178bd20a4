//! The keys of a source, which may change while it runs.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use unbroken_core::ids::Key;

use crate::config::{KeysError, read_keys};

#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) listed: Vec<String>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) now: RwLock<Arc<[Key]>>,
}

/// Changes a running source's keys. After a change send `Input::KeysChanged`. What the source can
/// do was settled when it began: from no keys to some, or back, needs a restart.
#[derive(Clone, Debug)]
pub struct SourceHandle(pub(crate) Arc<Keys>);

impl SourceHandle {
    /// Reads the agents file again; true if the keys are others than before.
    ///
    /// # Errors
    /// If the file cannot be read; the keys stay as they were.
    pub fn reload_keys(&self) -> Result<bool, KeysError> {
        let fresh = read_keys(&self.0.listed, self.0.file.as_deref())?;
        Ok(self.set_keys(fresh))
    }

    /// Sets the keys; true if they are others than before.
    pub fn set_keys(&self, mut keys: Vec<Key>) -> bool {
        keys.sort_unstable();
        keys.dedup();
        let mut now = self.0.now.write().unwrap_or_else(PoisonError::into_inner);
        let changed = **now != *keys;
        *now = keys.into();
        changed
    }

    /// The present keys.
    pub fn keys(&self) -> Arc<[Key]> {
        Arc::clone(&self.0.now.read().unwrap_or_else(PoisonError::into_inner))
    }
}
