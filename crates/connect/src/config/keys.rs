//! The keys to subscribe to: listed, or in a file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use unbroken_core::ids::Key;

use crate::genesys::RosterError;

/// Why the keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("agents file {} cannot be read", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The vendor could not be asked for them.
    #[error("agents cannot be recorded")]
    Unfit(#[source] RosterError),
}

/// The listed keys and those of the file (one a line; blank lines and lines that begin with `#` do
/// not count), sorted, each once.
///
/// # Errors
/// If the file cannot be read.
pub fn read_keys(listed: &[String], file: Option<&Path>) -> Result<Vec<Key>, KeysError> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|source| KeysError::Unreadable { path: path.to_owned(), source })?,
        None => String::new(),
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let all: BTreeSet<&str> =
        listed.iter().map(String::as_str).chain(lines).filter(|key| !key.is_empty()).collect();
    Ok(all.into_iter().map(Key::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_adds_to_the_list() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agents");
        std::fs::write(&path, "# team 1\n b \n\na\n").unwrap();
        let keys = read_keys(&["c".into(), "a".into()], Some(&path)).unwrap();
        assert_eq!(keys, ["a", "b", "c"].map(Key::from));
        let error = read_keys(&[], Some(&dir.path().join("none"))).unwrap_err();
        assert!(error.to_string().contains("none"));
    }
}
