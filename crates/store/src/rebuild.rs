//! The store made anew from the log.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use unbroken_core::fold::Fold;

use crate::crash::{self, Point};
use crate::log::Groups;
use crate::writer::{Checkpoint, Store};
use crate::{Log, LogExtent, StoreError, schema};

/// Makes the store anew from everything the log holds, and puts it in the place of the file at
/// `path`. That file stays untouched until the new one is complete and synced.
///
/// What the log no longer holds is not in the new store: its events, quarantined bytes, connection
/// turns and closed ledger rows begin at the log's oldest offset. State is complete all the same,
/// because it is taken from the log's newest image where the log does not begin at offset 0; keep a
/// copy of the old file if it holds older events that matter. No process may be feeding the file
/// meanwhile.
///
/// # Errors
/// [`StoreError::NoImage`] if the log has lost its beginning and has no image; otherwise what
/// reading the log or writing the file runs into.
pub fn rebuild(path: &Path, log: &impl Log) -> Result<Checkpoint, StoreError> {
    let fresh = beside(path, ".rebuilding");
    remove_store(&fresh)?;
    crash::pass(Point::RebuildBegun);
    let checkpoint = build(&fresh, log)?;
    crash::pass(Point::RebuildBuilt);
    settle(path)?;
    crash::pass(Point::RebuildSettled);
    let failed = |what| move |source| StoreError::File { path: path.to_owned(), what, source };
    fs::rename(&fresh, path).map_err(failed("replacing it by the new one"))?;
    crash::pass(Point::RebuildRenamed);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))
        .and_then(|directory| directory.sync_all())
        .map_err(failed("syncing its directory"))?;
    crash::pass(Point::RebuildDone);
    Ok(checkpoint)
}

fn build(path: &Path, log: &impl Log) -> Result<Checkpoint, StoreError> {
    let extent = log.extent().map_err(StoreError::Log)?;
    let mut store = Store::open_at(path, &extent.journal_id, extent.oldest_offset)?;
    if let Some((offset, image)) = base(log, &extent)? {
        feed_history(&mut store, log, offset)?;
        store.install(&image)?;
    }
    feed_to_tail(&mut store, log)?;
    crash::pass(Point::RebuildFed);
    store.sync()?;
    Ok(store.checkpoint().clone())
}

/// The image that state is taken from; none is needed where the log begins at the beginning.
pub(crate) fn base(log: &impl Log, extent: &LogExtent) -> Result<Option<(u64, Fold)>, StoreError> {
    let oldest = extent.oldest_offset;
    if oldest == 0 {
        return Ok(None);
    }
    let image = log.newest_image().map_err(StoreError::Log)?;
    image.filter(|(offset, _)| *offset >= oldest).ok_or(StoreError::NoImage { oldest }).map(Some)
}

/// Feeds, as history, what comes before the image.
fn feed_history(store: &mut Store, log: &impl Log, image_offset: u64) -> Result<(), StoreError> {
    let mut groups = Groups::new(log, store.checkpoint().next_offset)?;
    while let Some(mut group) = groups.next_group()? {
        let past_image = group.iter().position(|batch| batch.first_offset >= image_offset);
        let done = past_image.is_some();
        group.truncate(past_image.unwrap_or(group.len()));
        if let Some(last) = group.last_mut() {
            // Its marks are in the image; the rest of it is fed after the image.
            last.records.truncate(offsets_between(last.first_offset, image_offset));
        }
        store.feed_history(&group)?;
        if done {
            break;
        }
    }
    Ok(())
}

/// Feeds what is left, to the tail.
pub(crate) fn feed_to_tail(store: &mut Store, log: &impl Log) -> Result<(), StoreError> {
    let mut groups = Groups::new(log, store.checkpoint().next_offset)?;
    while let Some(group) = groups.next_group()? {
        store.feed(&group)?;
    }
    Ok(())
}

fn offsets_between(from: u64, to: u64) -> usize {
    usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX)
}

/// Leaves nothing beside the old file that SQLite would apply to the new one: a write-ahead log
/// belongs to the file it was written for, but is found by name.
fn settle(path: &Path) -> Result<(), StoreError> {
    if path.exists()
        && let Err(error) = schema::open(path).and_then(|old| fold_back(path, &old))
    {
        // Of a damaged file nothing can be saved, and nothing needs to be.
        tracing::warn!(path = %path.display(), %error, "old store could not be closed cleanly");
    }
    remove(&beside(path, "-wal"))?;
    remove(&beside(path, "-shm"))
}

fn fold_back(path: &Path, old: &Connection) -> Result<(), StoreError> {
    old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .map_err(|source| StoreError::Open { path: path.to_owned(), source })
}

fn remove_store(path: &Path) -> Result<(), StoreError> {
    remove(path)?;
    remove(&beside(path, "-wal"))?;
    remove(&beside(path, "-shm"))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(StoreError::File { path: path.to_owned(), what: "removing it", source })
        }
        _ => Ok(()),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
