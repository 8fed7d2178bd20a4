//! What is committed at once.

use std::sync::Arc;

use unbroken_core::ids::StreamId;
use unbroken_core::record::{GapOpened, Record};
use unbroken_core::time::UnixMicros;
use unbroken_journal::{JournalId, SharedBatch};

use crate::share::Share;
use crate::{Checkpoint, Fields, Selection};

/// Neighbouring records of the log, or rows of a state image, with the checkpoints before and
/// behind them. It may be empty: then the checkpoint alone moves.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The checkpoint that it follows; `None`: it is the sink's first.
    pub base: Option<Checkpoint>,
    /// The checkpoint behind it.
    pub next: Checkpoint,
    /// Before it, records were lost to this sink.
    pub lapse: Option<Lapse>,
    /// Rows of the ledger that were open when the state image was made that ends with this batch.
    pub open_gaps: Vec<(StreamId, GapOpened)>,
    /// With them: keys of these streams that were last written before an offset may be stale, since
    /// a time.
    pub stale: Vec<(StreamId, (u64, UnixMicros))>,
    /// What the log holds before the end of this batch was all that was known at this time: that of
    /// the last record, or of looking where nothing more was there; `None`: it tells nothing of
    /// that, and what was said before stands.
    pub as_of: Option<UnixMicros>,
    /// What the target does not take, in order. Not among the entries; it is put aside with its
    /// reason in the same commit.
    pub parked: Vec<Parked>,
    content: Content,
    from_offset: u64,
    to_offset: u64,
    selection: Arc<Selection>,
    share: Arc<Share>,
}

/// Records that retention deleted before this sink had them: it was too far behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapse {
    /// The first one.
    pub from_offset: u64,
    /// The offset behind the last one.
    pub to_offset: u64,
}

/// A record that a target refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Its offset.
    pub offset: u64,
    /// Why it is refused.
    pub why: String,
}

#[derive(Clone, Debug)]
enum Content {
    Nothing,
    Log(Vec<SharedBatch>),
    Rows(Arc<[(u64, Record)]>),
}

impl Batch {
    /// The checkpoint alone.
    pub fn of_nothing(base: Option<Checkpoint>, next: Checkpoint) -> Self {
        Self::new(base, next, Content::Nothing, Arc::default())
    }

    /// Records of the log, from the checkpoint before it up to the one behind it.
    pub fn of_log(
        base: Option<Checkpoint>,
        next: Checkpoint,
        batches: Vec<SharedBatch>,
        selection: Arc<Selection>,
    ) -> Self {
        Self::new(base, next, Content::Log(batches), selection)
    }

    /// Rows of a state image, with the offsets at which they were written.
    pub fn of_rows(
        base: Option<Checkpoint>,
        next: Checkpoint,
        rows: Vec<(u64, Record)>,
        selection: Arc<Selection>,
    ) -> Self {
        Self::new(base, next, Content::Rows(rows.into()), selection)
    }

    fn new(
        base: Option<Checkpoint>,
        next: Checkpoint,
        content: Content,
        selection: Arc<Selection>,
    ) -> Self {
        let (from_offset, to_offset) = (base.map_or(0, |base| base.next_offset), next.next_offset);
        Self {
            base,
            next,
            lapse: None,
            open_gaps: Vec::new(),
            stale: Vec::new(),
            as_of: None,
            parked: Vec::new(),
            content,
            from_offset,
            to_offset,
            selection,
            share: Arc::default(),
        }
    }

    /// The log that it is of.
    pub fn journal(&self) -> JournalId {
        self.next.journal
    }

    /// What the sink is to take, in order. Between them this thread rests while recording wants the
    /// processors.
    pub fn entries(&self) -> impl Iterator<Item = (u64, &Record)> {
        let is_parked =
            |offset: &u64| self.parked.binary_search_by_key(offset, |parked| parked.offset).is_ok();
        self.share.paced(self.all().filter(move |(offset, _)| !is_parked(offset)))
    }

    /// What the target does not take, with the records.
    pub fn parked_entries(&self) -> impl Iterator<Item = (&Parked, &Record)> {
        self.all().filter_map(|(offset, record)| {
            let at = self.parked.binary_search_by_key(&offset, |parked| parked.offset).ok()?;
            Some((self.parked.get(at)?, record))
        })
    }

    /// Written in this share of the processors.
    pub(crate) fn sharing(mut self, share: &Arc<Share>) -> Self {
        self.share = Arc::clone(share);
        self
    }

    /// With parts of the payloads alone, and without the names of keys that are not wanted.
    pub(crate) fn of(mut self, fields: &Fields) -> Self {
        let cut = |record: &Record| {
            let mut record = fields.of(record);
            self.selection.cut(&mut record);
            record
        };
        let rows = self.all().map(|(offset, record)| (offset, cut(record))).collect();
        self.content = Content::Rows(rows);
        self
    }

    /// In two halves of about as many entries; `None`: there is one entry at most.
    pub(crate) fn halves(&self) -> Option<[Self; 2]> {
        let offsets: Vec<u64> = self.entries().map(|(offset, _)| offset).collect();
        let middle = (offsets.len() > 1).then(|| offsets.get(offsets.len() / 2).copied())??;
        self.split_at(middle)
    }

    /// Up to an entry, and from it on; `None`: nothing is before it.
    pub(crate) fn split_at(&self, middle: u64) -> Option<[Self; 2]> {
        let is_first = self.entries().next().is_none_or(|(first, _)| first >= middle);
        if is_first { None } else { self.cut_at(middle) }
    }

    /// What follows a checkpoint between its entries; `None`: nothing does.
    pub(crate) fn behind(&self, checkpoint: Checkpoint) -> Option<Self> {
        let is_whole = checkpoint == self.next;
        let [_, rest] = (!is_whole).then(|| self.cut_at(checkpoint.next_offset))??;
        Some(rest)
    }

    /// Before an offset, and from it on. The first one ends in the phase in which it begins.
    fn cut_at(&self, middle: u64) -> Option<[Self; 2]> {
        let (mut first, mut second) = (self.clone(), self.clone());
        first.to_offset = middle;
        first.next = Checkpoint { next_offset: middle, ..self.base? };
        first.open_gaps = Vec::new();
        first.stale = Vec::new();
        first.parked.retain(|parked| parked.offset < middle);
        second.base = Some(first.next);
        second.from_offset = middle;
        second.lapse = None;
        second.parked.retain(|parked| parked.offset >= middle);
        let next_at = second.all().next().map(|(_, record)| record.received_at);
        first.as_of = next_at.or(self.as_of);
        Some([first, second])
    }

    /// Puts the first entry aside; the rest, if there is any, is a batch of its own.
    pub(crate) fn park_first(mut self, why: String) -> (Self, Option<Self>) {
        let Some((offset, _)) = self.entries().next() else { return (self, None) };
        let at = self.parked.partition_point(|parked| parked.offset < offset);
        self.parked.insert(at, Parked { offset, why });
        let second = self.entries().next().map(|(second, _)| second);
        match second.and_then(|second| self.cut_at(second)) {
            Some([first, rest]) => (first, Some(rest)),
            None => (self, None),
        }
    }

    fn all(&self) -> impl Iterator<Item = (u64, &Record)> {
        let (batches, rows): (&[SharedBatch], &[(u64, Record)]) = match &self.content {
            Content::Nothing => (&[], &[]),
            Content::Log(batches) => (batches, &[]),
            Content::Rows(rows) => (&[], rows),
        };
        let logged = batches.iter().flat_map(|batch| batch.entries_from(self.from_offset));
        let rows = rows.iter().map(|(offset, record)| (*offset, record));
        let range = self.from_offset..self.to_offset;
        logged.chain(rows).filter(move |(offset, record)| {
            range.contains(offset) && self.selection.accepts(record)
        })
    }
}
