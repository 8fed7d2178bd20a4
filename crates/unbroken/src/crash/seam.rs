//! A file system that passes a point at each change it makes, and may die there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use unbroken_journal::disk::{Disk, DiskFile, Locking};

use super::aim::pass;
use super::file::CrashFile;

const UNFINISHED: &str = ".unfinished";
const DAMAGED: &str = ".damaged";

thread_local! {
    /// The point after the next sync of the directory. A name and its sync are of one thread.
    static NEXT_SYNC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Files that have no name of their own yet, by the one they have.
type Unnamed = Mutex<HashMap<PathBuf, Arc<AtomicBool>>>;

/// See the module.
#[derive(Debug)]
pub(super) struct CrashDisk<D> {
    inner: D,
    unnamed: Unnamed,
}

impl<D> CrashDisk<D> {
    pub(super) fn new(inner: D) -> Self {
        Self { inner, unnamed: Unnamed::default() }
    }

    fn is_named(&self, path: &Path) -> Arc<AtomicBool> {
        let mut unnamed = self.unnamed.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(unnamed.entry(path.to_owned()).or_default())
    }

    fn note_named(&self, path: &Path) {
        let mut unnamed = self.unnamed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(is_named) = unnamed.remove(path) {
            is_named.store(true, Ordering::Relaxed);
        }
    }
}

impl<D: Disk> Disk for CrashDisk<D> {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.create_dir(dir)?;
        pass("directory-made");
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.inner.create(path)?;
        let kind = kind(path);
        pass(&format!("{kind}-created"));
        Ok(Box::new(CrashFile::made(file, kind, self.is_named(path))))
    }

    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = self.inner.open(path, write)?;
        Ok(if write { Box::new(CrashFile::found(file, kind(path))) } else { file })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)?;
        self.note_named(from);
        if from.to_string_lossy().ends_with(UNFINISHED) {
            named(kind(to), "renamed", "installed");
        } else {
            named("aside", "renamed", "synced");
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)?;
        let is_unfinished = path.to_string_lossy().ends_with(UNFINISHED);
        let kind = if is_unfinished { "unfinished" } else { kind(path) };
        named(kind, "removed", "removal-synced");
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.sync_dir(dir)?;
        if let Some(name) = NEXT_SYNC.take() {
            pass(&name);
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Locking> {
        let locking = self.inner.lock(path)?;
        pass("locked");
        Ok(locking)
    }
}

/// A name has changed; it is durable with the next sync of the directory.
fn named(kind: &str, now: &str, then: &str) {
    NEXT_SYNC.set(Some(format!("{kind}-{then}")));
    pass(&format!("{kind}-{now}"));
}

/// What a file is, by its name.
fn kind(path: &Path) -> &'static str {
    let name = path.to_string_lossy();
    let name = name.strip_suffix(UNFINISHED).unwrap_or(&name);
    if name.ends_with(DAMAGED) {
        "damaged"
    } else if name.ends_with(".segment") {
        "segment"
    } else if name.ends_with(".image") {
        "image"
    } else if name.ends_with("published") {
        "published"
    } else {
        "journal"
    }
}
