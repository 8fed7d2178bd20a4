//! The present value of every key as records, for a sink that begins with state.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use unbroken_core::fold::{Fold, KeyState};
use unbroken_core::ids::{GapId, Key, StreamId};
use unbroken_core::record::{
    Body, Change, Effect, GapClosed, GapOpened, GapOutcome, Origin, Record,
};
use unbroken_core::time::UnixMicros;
use unbroken_journal::{JournalError, Reader};

use crate::Selection;

/// What the log before an offset adds up to.
#[derive(Debug, Default)]
pub(crate) struct Image {
    /// Rows that were written in the interval asked for, in the order of their offsets.
    pub(crate) rows: Vec<(u64, Record)>,
    /// The rows of the ledger that were open at its end.
    pub(crate) open_gaps: Vec<(StreamId, GapOpened)>,
    /// Keys last written before this offset may be stale, since that time.
    pub(crate) stale: Vec<(StreamId, (u64, UnixMicros))>,
}

impl Image {
    /// What the log adds up to before the end of an interval of its offsets, of what was written
    /// in that interval.
    ///
    /// The newest image stands for it: a key that was written since is told by the log. An image
    /// that is older is brought up to date. This reads the log between the two: it may take long.
    ///
    /// # Errors
    /// The log cannot be read, or not far enough back to bring an older image up to date.
    pub(crate) fn of(
        reader: &Reader,
        written: Range<u64>,
        selection: &Selection,
    ) -> Result<Self, JournalError> {
        let found = reader.newest_image()?;
        let (offset, mut fold) = found.unwrap_or_else(|| (0, Fold::new(true)));
        each(reader, offset..written.end, |offset, record| fold.apply(offset, record))?;
        let mut ledger = Ledger::default();
        each(reader, written.end..offset, |_, record| ledger.take(record))?;
        let mut image = Self::default();
        for (id, stream) in fold.streams {
            for (key, value) in stream.keys.iter_unordered() {
                image.rows.push((value.offset, row(&id, key, value, Body::Change)));
            }
            if let Some(staged) = stream.staged {
                let snapshot = staged.snapshot;
                let item = |change| Body::SnapshotItem { snapshot, change };
                for (key, value) in &staged.items {
                    image.rows.push((value.offset, row(&id, key, value, item)));
                }
            }
            // What came later is told by the log.
            let stale = stream.stale_before.filter(|(before, _)| *before <= written.end);
            image.stale.extend(stale.map(|stale| (id.clone(), stale)));
            let open = stream.open_gaps.into_values().map(|gap| (id.clone(), gap.opened));
            image.open_gaps.extend(open);
        }
        image.stale.retain(|(stream, _)| selection.accepts_stream(stream));
        ledger.set_back(&mut image.open_gaps);
        // Given again from a newer image, each has the place that it had.
        image.open_gaps.sort_by(|(a, left), (b, right)| (a, left.gap).cmp(&(b, right.gap)));
        image.open_gaps.retain(|(stream, gap)| selection.accepts(&opening(stream, gap)));
        image.rows.retain(|(at, _)| written.contains(at));
        image.rows.sort_unstable_by_key(|(at, _)| *at);
        Ok(image)
    }
}

/// A ledger's rows since an offset: those that the log itself opens behind it were not open there,
/// and those that it closes without opening them were.
#[derive(Debug, Default)]
struct Ledger {
    opened: BTreeSet<(StreamId, GapId)>,
    closed: BTreeMap<(StreamId, GapId), GapOpened>,
}

impl Ledger {
    fn take(&mut self, record: &Record) {
        match &record.body {
            Body::GapOpened(gap) => {
                self.opened.insert((record.stream.clone(), gap.gap));
            }
            // It had ended long before: this only says what became known of it.
            Body::GapClosed(gap) if gap.outcome == GapOutcome::Summarised => {}
            Body::GapClosed(gap) => {
                let id = (record.stream.clone(), gap.gap);
                if !self.opened.contains(&id) {
                    self.closed.insert(id, before_it_closed(gap));
                }
            }
            _ => {}
        }
    }

    fn set_back(self, open_gaps: &mut Vec<(StreamId, GapOpened)>) {
        open_gaps.retain(|(stream, gap)| !self.opened.contains(&(stream.clone(), gap.gap)));
        open_gaps.extend(self.closed.into_iter().map(|((stream, _), gap)| (stream, gap)));
    }
}

/// Its beginning may have moved on meanwhile, where events came late.
fn before_it_closed(gap: &GapClosed) -> GapOpened {
    let GapClosed { gap, after, wall_from, cause, .. } = *gap;
    GapOpened { gap, after, wall_from, cause }
}

fn opening(stream: &StreamId, gap: &GapOpened) -> Record {
    let body = Body::GapOpened(gap.clone());
    Record { stream: stream.clone(), received_at: gap.wall_from, body }
}

/// Reads the records of an interval, which may be empty.
fn each(
    reader: &Reader,
    range: Range<u64>,
    mut take: impl FnMut(u64, &Record),
) -> Result<(), JournalError> {
    if range.is_empty() {
        return Ok(());
    }
    let mut batches = reader.batches(range.start)?;
    while let Some(batch) = batches.next_shared()? {
        let entries = batch.entries_from(range.start);
        entries.take_while(|(at, _)| *at < range.end).for_each(|(at, record)| take(at, record));
        if batch.end_offset() >= range.end {
            break;
        }
    }
    Ok(())
}

/// The fold keeps of a change what makes state: neither the vendor's id of the event nor its kind.
fn row(stream: &StreamId, key: &Key, value: &KeyState, body: impl Fn(Change) -> Body) -> Record {
    let change = Change {
        key: key.clone(),
        position: value.version,
        bookmark: None,
        ordinal: 0,
        event_id: None,
        kind: None,
        deleted: !value.present,
        origin: Origin::Snapshot,
        effect: Effect::State,
        occurred_at: value.occurred_at,
        digest: value.digest,
        payload: value.payload.clone(),
    };
    Record { stream: stream.clone(), received_at: value.received_at, body: body(change) }
}
