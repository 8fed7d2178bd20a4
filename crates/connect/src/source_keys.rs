//! The keys of a source, which may change while it runs.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use unbroken_core::ids::Key;

use crate::config::{KeysError, SourceConfig, read_keys};
use crate::genesys::RosterError;

/// Whether keys fit what the source records.
type Weigh = Box<dyn Fn(&[Key]) -> Result<(), RosterError> + Send + Sync>;

pub(crate) struct Keys {
    listed: Vec<String>,
    file: Option<PathBuf>,
    now: RwLock<Arc<[Key]>>,
    /// Set where not every key will do.
    pub(crate) weigh: OnceLock<Weigh>,
}

impl Keys {
    /// As they are configured.
    pub(crate) fn new(config: &SourceConfig, keys: Vec<Key>) -> Self {
        Self {
            listed: config.agents.clone(),
            file: config.agents_file.clone(),
            now: RwLock::new(keys.into()),
            weigh: OnceLock::new(),
        }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Changes a running source's keys. After a change send `Input::KeysChanged`. What the source can
/// do was settled when it began: from no keys to some, or back, needs a restart.
#[derive(Clone, Debug)]
pub struct SourceHandle(pub(crate) Arc<Keys>);

impl SourceHandle {
    /// Reads the agents file again; true if the keys are others than before.
    ///
    /// # Errors
    /// If the file cannot be read, or what it lists cannot be recorded; the keys stay as they were.
    pub fn reload_keys(&self) -> Result<bool, KeysError> {
        let fresh = read_keys(&self.0.listed, self.0.file.as_deref())?;
        if let Some(weigh) = self.0.weigh.get() {
            weigh(&fresh).map_err(KeysError::Unfit)?;
        }
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
