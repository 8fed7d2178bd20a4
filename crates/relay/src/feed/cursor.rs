//! Where a client wants to begin, and whether it can.

use unbroken_journal::{Cursor, JournalError, Reader};

/// What `after` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum After {
    /// The oldest record that is kept.
    #[default]
    Oldest,
    /// The end: only what comes from now on.
    Latest,
    /// Where an earlier answer ended.
    Cursor(Cursor),
}

impl After {
    /// Reads `oldest`, `latest` or a cursor.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        match text {
            "" | "oldest" => Ok(Self::Oldest),
            "latest" => Ok(Self::Latest),
            _ => text.parse().map(Self::Cursor).map_err(|_| CursorError::Invalid),
        }
    }
}

/// Why a cursor cannot be gone on from.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// It is not written as one.
    #[error("cursor is not one that this service gave out")]
    Invalid,
    /// Retention has deleted what follows it.
    #[error("cursor is older than what is kept")]
    Expired {
        /// The oldest that is good.
        oldest: Cursor,
    },
    /// It was given out by another journal.
    #[error("cursor belongs to another journal")]
    JournalChanged {
        /// The oldest of this journal.
        oldest: Cursor,
    },
    /// It lies beyond the end.
    #[error("cursor is ahead of the log")]
    Ahead {
        /// The end.
        latest: Cursor,
    },
    /// The log cannot be read.
    #[error("log cannot be read")]
    Journal(#[source] JournalError),
}

/// The offset of the first record that is to be read.
pub(super) fn begin(reader: &Reader, after: After) -> Result<u64, CursorError> {
    let oldest = || reader.oldest_offset().map_err(CursorError::Journal);
    let latest = || reader.end_offset().map_err(CursorError::Journal);
    let cursor = match after {
        After::Oldest => return oldest(),
        After::Latest => return latest(),
        After::Cursor(cursor) => cursor,
    };
    if cursor.journal != reader.journal() {
        return Err(CursorError::JournalChanged { oldest: reader.cursor(oldest()?) });
    }
    let end = latest()?;
    if cursor.offset > end {
        return Err(CursorError::Ahead { latest: reader.cursor(end) });
    }
    let oldest = oldest()?;
    if cursor.offset < oldest {
        return Err(CursorError::Expired { oldest: reader.cursor(oldest) });
    }
    Ok(cursor.offset)
}
