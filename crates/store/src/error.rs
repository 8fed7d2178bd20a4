//! What can go wrong between the log and the store.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::LogError;

/// Why the store could not do what was asked. No variant carries a payload.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or created.
    #[error("store {path}: cannot be opened")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file is a SQLite database, but not one of ours.
    #[error("store {path}: is another program's database")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by another release of Unbroken.
    #[error("store {path}: schema version {found}, this release reads {known}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version that this release reads and writes.
        known: i64,
    },
    /// The store was fed from another journal.
    #[error("store {path}: belongs to journal {found}, not to {expected}")]
    OtherJournal {
        /// The file.
        path: PathBuf,
        /// The journal that it was fed from.
        found: String,
        /// The journal at hand.
        expected: String,
    },
    /// The store holds records that the log does not: the log has lost its end.
    #[error("store {path}: has come to offset {checkpoint}, but the log ends at {end}")]
    BeyondLog {
        /// The file.
        path: PathBuf,
        /// The offset that it would read next.
        checkpoint: u64,
        /// The log's next offset.
        end: u64,
    },
    /// The log no longer holds what the store would read next.
    #[error("store {path}: would read offset {checkpoint} next, but the log begins at {oldest}")]
    Lapsed {
        /// The file.
        path: PathBuf,
        /// The offset that it would read next.
        checkpoint: u64,
        /// The log's first offset.
        oldest: u64,
    },
    /// The log begins after offset 0 and holds no image from which state could be taken.
    #[error("log: begins at offset {oldest} and holds no state image")]
    NoImage {
        /// The log's first offset.
        oldest: u64,
    },
    /// Records were handed over with an offset missing between them.
    #[error("log: offset {found} came where {expected} was due")]
    Hole {
        /// The offset that was due.
        expected: u64,
        /// The offset that came.
        found: u64,
    },
    /// A transaction failed; nothing of it was kept.
    #[error("store: records up to offset {offset} could not be written")]
    Write {
        /// The last offset of the group, exclusive.
        offset: u64,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The log could not be read.
    #[error("log: could not be read")]
    Log(#[source] LogError),
    /// A query failed.
    #[error("store: {what} could not be read")]
    Read {
        /// What was asked for.
        what: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A file could not be created, renamed or removed.
    #[error("store {path}: {what} failed")]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl StoreError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Open { source, .. } | Self::Write { source, .. } | Self::Read { source, .. }
                if is_damage(source) =>
            {
                Some("the file is damaged: make it again from the log with `unbroken rebuild`")
            }
            Self::Open { .. } | Self::File { .. } => {
                Some("check that the directory exists, is writable and has space")
            }
            Self::Foreign { .. } => Some("name another file for the store"),
            Self::Version { found, known, .. } if found > known => {
                Some("use the release that wrote it, or make it again with `unbroken rebuild`")
            }
            Self::Version { .. } | Self::OtherJournal { .. } => {
                Some("make it again from the log with `unbroken rebuild`")
            }
            Self::BeyondLog { .. } => Some(
                "the log has lost records that the store holds: check it with `unbroken verify`, \
                 keep a copy of the store, then make it again with `unbroken rebuild`",
            ),
            Self::Lapsed { .. } => Some(
                "retention has removed records before they were read: make the store again with \
                 `unbroken rebuild`, and raise retain_bytes_max",
            ),
            Self::NoImage { .. } | Self::Log(_) => Some("check the log with `unbroken verify`"),
            Self::Write { .. } => Some("check the space on the disk; nothing is lost from the log"),
            Self::Hole { .. } | Self::Read { .. } => None,
        }
    }
}

/// SQLite cannot make sense of the file, or we cannot of what it read: a table or column that we
/// made is gone, a row contradicts another. The disk, and other processes, are no part of it.
fn is_damage(source: &rusqlite::Error) -> bool {
    match source {
        rusqlite::Error::SqliteFailure(failure, _) => !matches!(
            failure.code,
            ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::NoLargeFileSupport
                | ErrorCode::OperationInterrupted
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
        ),
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => true,
        _ => false,
    }
}
