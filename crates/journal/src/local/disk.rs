//! The one seam for all I/O of the log.
//!
//! Everything that the journal does to a disk goes through [`Disk`] and [`DiskFile`], so that a
//! test can put a disk behind them that tears, loses, fails and fills up
//! ([`SimDisk`](crate::simdisk::SimDisk)).

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

/// A file system, as far as the journal needs one.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Makes the directory (mode 0700) with its parents and makes its name durable. It may exist.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes a file (mode 0600), empty if it exists.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading, and for writing if `write`.
    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn DiskFile>>;

    /// Renames within one directory, replacing the target.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Deletes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The names of the files in a directory, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes every creation, renaming and deletion in the directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the exclusive lock on a file, made if need be. Released when the guard is dropped or
    /// the process ends.
    fn lock(&self, path: &Path) -> io::Result<Locking>;
}

/// An open file.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Reads up to `buffer.len()` bytes; fewer only at the file's end.
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes`. On an error any part of them may have been written.
    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the file's contents and length durable.
    fn sync_data(&self) -> io::Result<()>;

    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
}

/// What came of an attempt to lock.
#[derive(Debug)]
pub enum Locking {
    /// We hold it.
    Held(Box<dyn LockGuard>),
    /// Another process does; its number, where it left one.
    Busy(Option<u32>),
}

/// Holds a lock until it is dropped.
pub trait LockGuard: fmt::Debug + Send + Sync {}

/// The real file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct FileLock {
    file: File,
}

impl LockGuard for FileLock {}

impl Drop for FileLock {
    /// To close the file would not do: a child that another thread is just starting has it, too,
    /// until it becomes its program.
    fn drop(&mut self) {
        // An error leaves it to the closing of the file.
        let _ = self.file.unlock();
    }
}

impl Disk for RealDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            // A directory that somebody else made keeps its mode: it may be a shared mount.
            return Ok(());
        }
        let missing: Vec<&Path> = dir
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && !path.is_dir())
            .collect();
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        for made in missing.into_iter().rev() {
            match made.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => self.sync_dir(parent)?,
                _ => self.sync_dir(Path::new("."))?,
            }
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(write).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            // Names that are not UTF-8 are not ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Locking> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                writeln!(file, "{}", std::process::id())?;
                Ok(Locking::Held(Box::new(FileLock { file })))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                Ok(Locking::Busy(text.trim().parse().ok()))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl DiskFile for File {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match FileExt::read_at(self, rest, position + read as u64) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, position)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }
}

#[cfg(test)]
mod tests {
    use super::{Disk, FileLock, Locking, RealDisk};

    #[test]
    fn a_lock_that_was_given_up_is_free_although_a_child_holds_its_file_too() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        assert!(matches!(RealDisk.lock(&path), Ok(Locking::Held(_))));
        let file = std::fs::File::options().write(true).open(&path).expect("it was made");
        file.try_lock().expect("it is free");
        let of_a_child = file.try_clone().expect("another descriptor of it");
        let guard = FileLock { file };
        assert!(matches!(RealDisk.lock(&path), Ok(Locking::Busy(_))));
        drop(guard);
        assert!(matches!(RealDisk.lock(&path), Ok(Locking::Held(_))));
        drop(of_a_child);
    }
}
