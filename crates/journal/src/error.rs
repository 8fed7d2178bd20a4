//! What can go wrong with the log, and what a person can do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::identity::{Cursor, JournalId};

/// Why the journal could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("{path}: {action} failed")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// There is no space left. Nothing half-written counts: the next open cuts it.
    #[error("{path}: no space left to write")]
    Full {
        /// The file that could not grow.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Another process writes this journal.
    #[error("{path}: the journal is in use by {}", holder(*pid))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, where it left its number.
        pid: Option<u32>,
    },
    /// A later version of Unbroken wrote this.
    #[error("{path}: format {found} is newer than {known}, the newest this version reads")]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// Bytes that were durable are not what was written.
    #[error("{path}: corrupt at byte {position} (offset {offset}): {what}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The byte in it.
        position: u64,
        /// The offset of the first record concerned.
        offset: u64,
        /// What was expected or found.
        what: String,
    },
    /// There is no journal in the directory.
    #[error("{dir}: no journal here")]
    NotAJournal {
        /// The directory.
        dir: PathBuf,
    },
    /// An earlier write or sync failed; the writer accepts nothing more.
    #[error("journal writer stopped after an earlier failure")]
    Stopped,
    /// One batch would be too large to be read back with bounded memory.
    #[error("batch of {bytes} bytes: the limit is {max}")]
    BatchTooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// The cursor was given out by another journal.
    #[error("cursor {cursor}: this journal is {journal}")]
    AnotherJournal {
        /// The cursor.
        cursor: Cursor,
        /// This journal.
        journal: JournalId,
    },
    /// The records at this offset were deleted by retention.
    #[error("offset {offset}: the oldest record kept is {oldest}")]
    PastRetention {
        /// The offset asked for.
        offset: u64,
        /// The oldest offset that can be read.
        oldest: u64,
    },
    /// The offset lies beyond the log's durable end.
    #[error("offset {offset}: the log ends at {end}")]
    BeyondEnd {
        /// The offset asked for.
        offset: u64,
        /// The offset that the next record will get.
        end: u64,
    },
    /// The committer's thread could not be started.
    #[error("journal committer: no thread")]
    NoThread(#[source] io::Error),
}

impl JournalError {
    /// The next step, where a person can take one.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Io { .. } => {
                "check the disk and the directory's owner, then start again: everything \
                 acknowledged is kept"
            }
            Self::Full { .. } => {
                "free space or lower `retain_bytes_max`, then start again: everything \
                 acknowledged is kept"
            }
            Self::Locked { .. } => {
                "stop the other process, or give this one its own data directory"
            }
            Self::NewerFormat { .. } => "use the newer version of Unbroken that wrote it",
            Self::Corrupt { .. } => {
                "restore the directory from a backup, or run `unbroken repair`, which cuts the log \
                 before the damage, keeps the damaged bytes beside it and gives the journal a new \
                 id"
            }
            Self::NotAJournal { .. } => "check the path of the data directory",
            Self::Stopped => "restart the process: it resumes from the last durable batch",
            Self::BatchTooLarge { .. } => "lower the size of frames that the source accepts",
            Self::AnotherJournal { .. } | Self::BeyondEnd { .. } => {
                "the journal was made again or cut: read the state anew, then follow from its \
                 cursor"
            }
            Self::PastRetention { .. } => {
                "read the state anew, then follow from its cursor; keep more with `retain_age_ms` \
                 or `retain_bytes_max`"
            }
            Self::NoThread(_) => return None,
        })
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        // The disk, the user's share of it, and the largest file the process may write.
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { path, source },
            _ => Self::Io { action, path, source },
        }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}
