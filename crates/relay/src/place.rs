//! The relay's files in the data directory.

use std::path::{Path, PathBuf};

/// The first token, of scope admin; one line.
pub fn token_file(data_dir: &Path) -> PathBuf {
    data_dir.join("relay.token")
}

/// Digests of the tokens that were given out.
pub fn ledger_file(data_dir: &Path) -> PathBuf {
    data_dir.join("relay-tokens.json")
}

/// The Unix socket.
pub fn socket_file(data_dir: &Path) -> PathBuf {
    data_dir.join("relay.sock")
}

/// The address that the relay listens on; there while it runs.
pub fn address_file(data_dir: &Path) -> PathBuf {
    data_dir.join("relay.addr")
}
