//! Folders that are made anew.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::Failure;

/// Makes an empty folder.
pub(crate) fn make_empty(path: &Path) -> Result<(), Failure> {
    remove(path)?;
    Ok(fs::create_dir_all(path)?)
}

/// Removes a folder with all that is in it, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
