//! Which journal this is, and places in it as they are given to the outside.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A journal's name. New when a journal is made, restored, or cut below an offset that a consumer
/// may have seen: the same offset in two journals need not be the same record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(Uuid);

impl JournalId {
    pub(crate) fn fresh() -> Self {
        Self(Uuid::now_v7())
    }

    /// An id of one's own making, for a log that is to be the same byte for byte. It must never be
    /// used twice for logs that a consumer may meet.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(f)
    }
}

impl FromStr for JournalId {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let id = Uuid::try_parse(text).map(Self).map_err(|_| InvalidCursor)?;
        // Other spellings of the same number are refused: cursors are compared as text, too.
        if id.to_string() == text { Ok(id) } else { Err(InvalidCursor) }
    }
}

/// What sinks and relay clients hold: a journal and the offset of the next record they want,
/// written `journal_id:offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The journal.
    pub journal: JournalId,
    /// Everything below this offset has been consumed.
    pub offset: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.journal, self.offset)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (journal, offset) = text.split_once(':').ok_or(InvalidCursor)?;
        // `u64::from_str` takes a leading plus; a cursor has one spelling only.
        if !offset.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidCursor);
        }
        let offset = offset.parse().map_err(|_| InvalidCursor)?;
        Ok(Self { journal: journal.parse()?, offset })
    }
}

/// The text is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cursor is not of the form `journal_id:offset`")]
pub struct InvalidCursor;
