//! Where things are in a data directory.

use std::path::{Path, PathBuf};

/// The log's directory.
pub fn journal_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("journal")
}

/// The SQLite store.
pub fn store_path(data_dir: &Path) -> PathBuf {
    data_dir.join("store.sqlite")
}

/// The control socket.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("control")
}
