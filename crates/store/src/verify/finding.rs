//! What a verification found.

use unbroken_core::ids::{GapId, Key, SnapshotId, StreamId};

/// One way in which the store is not what the log says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The store was fed from another journal; nothing else was compared.
    #[error("store: belongs to journal {found}, not to {expected}")]
    OtherJournal {
        /// The journal that it was fed from.
        found: String,
        /// The journal at hand.
        expected: String,
    },
    /// The store holds records that the log does not; nothing else was compared.
    #[error("checkpoint: store has come to offset {checkpoint}, but the log ends at {end}")]
    BeyondLog {
        /// The store's next offset.
        checkpoint: u64,
        /// The log's next offset.
        end: u64,
    },
    /// The log no longer holds what the store would read next; nothing else was compared.
    #[error(
        "checkpoint: store would read offset {checkpoint} next, but the log begins at {oldest}"
    )]
    Lapsed {
        /// The store's next offset.
        checkpoint: u64,
        /// The log's first offset.
        oldest: u64,
    },
    /// The log's beginning is gone and its newest image is newer than the store, so that state
    /// could not be compared. Feeding the store to the log's end mends that.
    #[error("state: cannot be compared, store is at {checkpoint} and the newest image at {image}")]
    StateUnknown {
        /// The store's next offset.
        checkpoint: u64,
        /// The image's offset.
        image: u64,
    },
    /// SQLite finds that the file itself is damaged: pages, indices, the form of rows.
    #[error("file: is damaged: {what}")]
    Damaged {
        /// The first thing that SQLite says of it. It names tables and pages, no values.
        what: String,
    },
    /// A row that the log calls for is not there.
    #[error("{table}: row of offset {offset} is missing")]
    RowMissing {
        /// The table.
        table: &'static str,
        /// The record's offset.
        offset: u64,
    },
    /// A row is there that the log does not call for.
    #[error("{table}: row of offset {offset} is in no record of the log")]
    RowExtra {
        /// The table.
        table: &'static str,
        /// The offset that it claims.
        offset: u64,
    },
    /// A row differs from its record.
    #[error("{table}: row of offset {offset} differs from its record in {column}")]
    RowDiffers {
        /// The table.
        table: &'static str,
        /// The record's offset.
        offset: u64,
        /// The first column that differs.
        column: &'static str,
    },
    /// A key of the fold is not in the state.
    #[error("agents: key {key} of {stream} is missing")]
    KeyMissing {
        /// The stream.
        stream: StreamId,
        /// The key.
        key: Key,
    },
    /// A key is in the state that the fold does not have.
    #[error("agents: key {key} of {stream} is in no record of the log")]
    KeyExtra {
        /// The stream.
        stream: StreamId,
        /// The key.
        key: Key,
    },
    /// A key's state differs from the fold's.
    #[error("agents: key {key} of {stream} differs from the fold of the log in {column}")]
    KeyDiffers {
        /// The stream.
        stream: StreamId,
        /// The key.
        key: Key,
        /// The first column that differs.
        column: &'static str,
    },
    /// A stream's row differs from the fold's, or is missing.
    #[error("streams: {stream} differs from the fold of the log in {column}")]
    StreamDiffers {
        /// The stream.
        stream: StreamId,
        /// The first column that differs; `name` if the whole row is missing or extra.
        column: &'static str,
    },
    /// A row of the gap ledger differs from the log's, is missing or extra.
    #[error("gaps: row {gap} of {stream} differs from the log in {column}")]
    GapDiffers {
        /// The stream.
        stream: StreamId,
        /// The row.
        gap: GapId,
        /// The first column that differs; `gap` if the whole row is missing or extra.
        column: &'static str,
    },
    /// A row of a snapshot's bracket differs from the log's, is missing or extra.
    #[error("snapshots: bracket {snapshot} of {stream} differs from the log in {column}")]
    SnapshotDiffers {
        /// The stream.
        stream: StreamId,
        /// The bracket.
        snapshot: SnapshotId,
        /// The first column that differs; `snapshot` if the whole row is missing or extra.
        column: &'static str,
    },
}

/// Most findings that are kept; one broken page can make thousands, and the first tell enough.
const FINDINGS_MAX: usize = 100;

/// The outcome of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Where the store stands: it was compared up to here.
    pub checkpoint: u64,
    /// Where the log ends: the store has yet to read what lies between.
    pub log_end: u64,
    /// Rows compared with their records.
    pub rows_checked: u64,
    /// Rows older than the log, for which there is nothing to compare with.
    pub rows_unchecked: u64,
    /// Keys compared with the fold.
    pub keys_checked: u64,
    /// The first findings.
    pub findings: Vec<Finding>,
    /// How many there were.
    pub findings_count: u64,
}

impl Verification {
    /// Nothing was found.
    pub fn is_clean(&self) -> bool {
        self.findings_count == 0
    }

    pub(super) fn found(&mut self, finding: Finding) {
        self.findings_count += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}
