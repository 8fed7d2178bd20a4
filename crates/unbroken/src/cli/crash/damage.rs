//! Damage to a log that only a repair can get over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a segment's header has the number of its first batch.
const FIRST_NUMBER: std::ops::Range<usize> = 24..32;

/// Flips a bit in the last segment but one, and in every image that stands for what comes after it:
/// an open has to read that segment, and what lies behind it has to be put aside. False: the log is
/// too short for that yet.
pub(super) fn inflict(journal: &Path) -> io::Result<bool> {
    let segments = files(journal, "segment")?;
    let [.., before, last] = segments.as_slice() else { return Ok(false) };
    let bytes = fs::read(before)?;
    let begins = number_in(&bytes);
    // A segment that a crash left without its seal may be the last one for a moment.
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or_default();
    if fs::metadata(last)?.len() == 0 || used < 1_024 {
        return Ok(false);
    }
    for image in files(journal, "image")? {
        if number_of(&image) > begins {
            flip(&image, fs::metadata(&image)?.len() / 2)?;
        }
    }
    flip(before, used as u64 / 2)?;
    Ok(true)
}

/// The files of a kind, in order.
fn files(journal: &Path, kind: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(journal)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == kind) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn number_in(segment: &[u8]) -> u64 {
    let number = segment.get(FIRST_NUMBER).and_then(|bytes| bytes.try_into().ok());
    number.map_or(0, u64::from_le_bytes)
}

fn number_of(image: &Path) -> u64 {
    let name = image.file_stem().and_then(|name| name.to_str());
    name.and_then(|name| name.parse().ok()).unwrap_or_default()
}

fn flip(path: &Path, position: u64) -> io::Result<()> {
    let mut bytes = fs::read(path)?;
    let position = usize::try_from(position).map_err(io::Error::other)?;
    if let Some(byte) = bytes.get_mut(position) {
        *byte ^= 0x20;
    }
    fs::write(path, bytes)
}
