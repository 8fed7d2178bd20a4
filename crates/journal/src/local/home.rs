//! The journal's directory: its file names, and files that appear whole or not at all.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::JournalError;
use crate::local::disk::{Disk, DiskFile, LockGuard, Locking};

const LOCK: &str = "lock";
const UNFINISHED: &str = ".unfinished";
const SEGMENT: &str = ".segment";
const IMAGE: &str = ".image";
/// Bytes that a repair took out of the log are kept under this ending.
pub(crate) const DAMAGED: &str = ".damaged";

#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
}

/// What the directory holds, sorted.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) segments: Vec<u64>,
    /// By the number of the first batch that they do not hold.
    pub(crate) images: Vec<u64>,
    pub(crate) unfinished: Vec<String>,
    pub(crate) others: Vec<String>,
}

impl Home {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self { disk, dir: dir.to_path_buf() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn lock(&self) -> Result<Box<dyn LockGuard>, JournalError> {
        let path = self.path(LOCK);
        match self.disk.lock(&path) {
            Ok(Locking::Held(guard)) => Ok(guard),
            Ok(Locking::Busy(pid)) => Err(JournalError::Locked { path, pid }),
            Err(error) => Err(JournalError::io("lock", &path, error)),
        }
    }

    pub(crate) fn list(&self) -> Result<Listing, JournalError> {
        let names = self.disk.list(&self.dir).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => JournalError::NotAJournal { dir: self.dir.clone() },
            _ => JournalError::io("list", &self.dir, error),
        })?;
        let mut listing = Listing::default();
        for name in names {
            let number = |ending| name.strip_suffix(ending).and_then(parse_number);
            if let Some(id) = number(SEGMENT) {
                listing.segments.push(id);
            } else if let Some(number) = number(IMAGE) {
                listing.images.push(number);
            } else if name.ends_with(UNFINISHED) {
                listing.unfinished.push(name);
            } else {
                listing.others.push(name);
            }
        }
        listing.segments.sort_unstable();
        listing.images.sort_unstable();
        Ok(listing)
    }

    pub(crate) fn open(&self, name: &str, write: bool) -> Result<Box<dyn DiskFile>, JournalError> {
        let path = self.path(name);
        self.disk.open(&path, write).map_err(|error| JournalError::io("open", &path, error))
    }

    /// The whole file, or `None` if there is none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        let path = self.path(name);
        let file = match self.disk.open(&path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(JournalError::io("open", &path, error)),
        };
        read_from(file.as_ref(), 0)
            .map(Some)
            .map_err(|error| JournalError::io("read", &path, error))
    }

    /// Writes a file so that after a power cut it is there whole, or as it was before.
    pub(crate) fn install(
        &self,
        name: &str,
        parts: &[&[u8]],
    ) -> Result<Box<dyn DiskFile>, JournalError> {
        let temporary = self.path(&format!("{name}{UNFINISHED}"));
        let path = self.path(name);
        let fail = |action| move |error| JournalError::io(action, &self.path(name), error);
        let file = self.disk.create(&temporary).map_err(fail("create"))?;
        let mut position = 0;
        for part in parts {
            file.write_at(position, part).map_err(fail("write"))?;
            position += part.len() as u64;
        }
        file.sync_data().map_err(fail("sync"))?;
        self.disk.rename(&temporary, &path).map_err(fail("rename"))?;
        self.sync_dir()?;
        Ok(file)
    }

    /// Deletes a file and makes that durable at once: of several deletions that are not, any subset
    /// may survive a power cut, and a hole in the middle would look like damage.
    pub(crate) fn remove(&self, name: &str) -> Result<(), JournalError> {
        let path = self.path(name);
        self.disk.remove(&path).map_err(|error| JournalError::io("delete", &path, error))?;
        self.sync_dir()
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), JournalError> {
        let path = self.path(from);
        self.disk
            .rename(&path, &self.path(to))
            .map_err(|error| JournalError::io("rename", &path, error))?;
        self.sync_dir()
    }

    pub(crate) fn sync_dir(&self) -> Result<(), JournalError> {
        self.disk.sync_dir(&self.dir).map_err(|error| JournalError::io("sync", &self.dir, error))
    }
}

pub(crate) fn segment_name(id: u64) -> String {
    format!("{id:020}{SEGMENT}")
}

pub(crate) fn image_name(number: u64) -> String {
    format!("{number:020}{IMAGE}")
}

/// Everything from `position` to the file's end.
pub(crate) fn read_from(file: &dyn DiskFile, position: u64) -> io::Result<Vec<u8>> {
    let len = file.len()?.saturating_sub(position);
    let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    let read = file.read_at(position, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

fn parse_number(text: &str) -> Option<u64> {
    (text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}
