//! What `verify` found.

use std::fmt;

use unbroken_core::ids::StreamId;
use unbroken_core::record::GapOpened;

use crate::JournalId;

/// The result of [`verify`](crate::verify::verify).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The journal.
    pub journal: JournalId,
    /// What is wrong. Empty: nothing.
    pub findings: Vec<Finding>,
    /// A batch that was being written when the process stopped (or is being written now). Not a
    /// finding: nobody was told of it, and the next open cuts it.
    pub torn_tail: Option<TornTail>,
    /// The oldest offset kept.
    pub oldest_offset: u64,
    /// The offset after the last record.
    pub end_offset: u64,
    /// Segments read.
    pub segments: u64,
    /// Batches read.
    pub batches: u64,
    /// Records read.
    pub records: u64,
    /// Images that equal the fold of the log at their place.
    pub images_equal: u64,
    /// Ledger rows that are open at the end: allowed, but worth knowing.
    pub open_gaps: Vec<OpenGap>,
}

/// See [`Report::torn_tail`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: String,
    /// Where it begins, in bytes.
    pub position: u64,
    /// Up to the last byte that is not zero.
    pub bytes: u64,
}

/// A ledger row that is open at the log's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenGap {
    /// The stream.
    pub stream: StreamId,
    /// The row.
    pub gap: GapOpened,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// In which file.
    pub file: String,
    /// At which byte of it.
    pub position: u64,
    /// The offset of the record concerned, or of the record that should be there.
    pub offset: u64,
    /// A sentence for a person. Never a payload.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, file, position, offset, text } = self;
        write!(f, "{kind}: {file} at byte {position} (offset {offset}): {text}")
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// What can be wrong. The names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingKind { $($(#[$doc])* $variant),+ }

        impl FindingKind {
            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

kinds! {
    /// A segment's file is gone.
    SegmentMissing = "segment_missing",
    /// A segment's header is not what was written.
    SegmentDamaged = "segment_damaged",
    /// A durable batch is not what was written.
    BatchDamaged = "batch_damaged",
    /// A batch is whole but cannot be read.
    BatchUnreadable = "batch_unreadable",
    /// A batch was removed.
    BatchMissing = "batch_missing",
    /// A batch is there again.
    BatchRepeated = "batch_repeated",
    /// A batch is not the one that the next one was written after.
    ChainBroken = "chain_broken",
    /// A batch does not begin at the offset at which the one before it ended.
    OffsetsNotDense = "offsets_not_dense",
    /// The log ends before something that was durable.
    TailCut = "tail_cut",
    /// An image is not what was written.
    ImageDamaged = "image_damaged",
    /// An image does not equal the fold of the log at its place.
    ImageDiffers = "image_differs",
    /// An event is in the log twice.
    EventDuplicated = "event_duplicated",
    /// An event has a lower position than the one before it.
    EventOutOfOrder = "event_out_of_order",
    /// A snapshot bracket opens inside another, or its items or end have no beginning.
    BracketUnpaired = "bracket_unpaired",
    /// A bracket's items are not those that its end counts.
    BracketTorn = "bracket_torn",
    /// A ledger row ends that never began.
    GapNotOpened = "gap_not_opened",
    /// A ledger row begins twice.
    GapReopened = "gap_reopened",
    /// A ledger row ends before it begins, or its end tells another beginning.
    GapIncoherent = "gap_incoherent",
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
