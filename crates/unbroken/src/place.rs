//! Where things are in a data directory.

use std::path::{Path, PathBuf};

/// The log's directory.
pub fn journal_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("journal")
}

/// Size of the log on disk, in bytes; what cannot be looked at counts as nothing.
pub fn journal_bytes(data_dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(journal_dir(data_dir)) else { return 0 };
    let sizes = entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
    sizes.sum()
}

/// The SQLite store.
pub fn store_path(data_dir: &Path) -> PathBuf {
    data_dir.join("store.sqlite")
}

/// How far the sinks were.
pub fn sinks_path(data_dir: &Path) -> PathBuf {
    data_dir.join("sinks.json")
}

/// Checkpoints and dead letters of sinks whose targets keep none.
pub fn sinks_db_path(data_dir: &Path) -> PathBuf {
    data_dir.join("sinks.db")
}

/// The control socket.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("control")
}
