//! A directory that belongs to one sink.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::SinkError;
use crate::crash::pass;

/// How long the lock is waited for: who has it writes a batch.
const LOCK_MAX: Duration = Duration::from_secs(5);

/// How often it is tried meanwhile.
const LOCK_EVERY: Duration = Duration::from_millis(5);

/// Held while something in it is changed.
pub(crate) fn lock(dir: &Path) -> Result<File, SinkError> {
    let path = dir.join("lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let lock = lock.map_err(SinkError::unreachable("taking its lock"))?;
    let begun = Instant::now();
    loop {
        let error = match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(error) => error,
        };
        if matches!(error, TryLockError::Error(_)) || begun.elapsed() > LOCK_MAX {
            return Err(SinkError::unreachable("taking its lock")(error));
        }
        thread::sleep(LOCK_EVERY);
    }
}

/// A file of a directory, on disk, whole or as it was before.
pub(crate) fn write_whole(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let path = dir.join(format!("{name}.new"));
    let mut file = File::create(&path)?;
    file.write_all(bytes)?;
    pass("checkpoint-written", "a new checkpoint is beside the old one, not synced");
    file.sync_all()?;
    pass("checkpoint-synced", "a new checkpoint is beside the old one, synced");
    fs::rename(path, dir.join(name))?;
    pass("checkpoint-renamed", "the new checkpoint has its name, not durably");
    sync_dir(dir)?;
    pass("checkpoint-installed", "the new checkpoint has its name, durably");
    Ok(())
}

/// The names in it, on disk.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
