//! The store's crash points: the moments at which what is in its file changes.
//!
//! They are for the proof build alone, whose binary ends itself there. In any other build they are
//! nothing.

#[cfg(feature = "proof")]
use std::sync::OnceLock;

/// A moment of the store at which a process may die. Each says what is on disk then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The file is there, and empty.
    FileCreated,
    /// The file has its tables, and no checkpoint.
    SchemaCreated,
    /// The file has its tables and a checkpoint, and no records.
    StoreCreated,
    /// A transaction is open, and nothing is written in it.
    GroupBegun,
    /// A group and its checkpoint are written, and not committed.
    GroupWritten,
    /// A group is committed, and not told.
    GroupCommitted,
    /// What is committed is about to be folded into the file.
    SyncBegun,
    /// The file is synced, and retention is not told.
    Synced,
    /// The place of the new file is clear.
    RebuildBegun,
    /// The new file holds all records, and is not synced.
    RebuildFed,
    /// The new file is whole and closed, beside the old one.
    RebuildBuilt,
    /// What lay beside the old file is folded back and gone.
    RebuildSettled,
    /// The new file has the old one's name, which is not synced.
    RebuildRenamed,
    /// The new file is in place.
    RebuildDone,
}

#[cfg(feature = "proof")]
static WATCHER: OnceLock<fn(Point)> = OnceLock::new();

/// Has `watcher` called at each point that is passed, from then on. The first one stays.
#[cfg(feature = "proof")]
pub fn watch(watcher: fn(Point)) {
    let _ = WATCHER.set(watcher);
}

/// The process is at this point.
#[cfg(feature = "proof")]
pub(crate) fn pass(point: Point) {
    if let Some(watcher) = WATCHER.get() {
        watcher(point);
    }
}

/// The process is at this point.
#[cfg(not(feature = "proof"))]
#[inline(always)]
pub(crate) fn pass(_: Point) {}
