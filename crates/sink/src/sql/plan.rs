//! What a batch adds up to in tables.

use std::collections::BTreeMap;

use unbroken_core::ids::{Key, SnapshotId, StreamId};
use unbroken_core::record::{Body, Change, Effect, GapClosed, GapOpened, Record};
use unbroken_core::time::UnixMicros;

/// See the module. The rules of state are those of the log's fold.
#[derive(Debug, Default)]
pub(crate) struct Plan<'a> {
    /// Changes, and items of brackets that were published.
    pub(crate) events: Vec<Row<'a>>,
    /// Items of brackets that are still open at the end.
    pub(crate) staged: Vec<Row<'a>>,
    /// Every record that is neither.
    pub(crate) ledger: Vec<(u64, &'a Record)>,
    /// In order.
    pub(crate) gaps: Vec<(&'a StreamId, GapLine<'a>)>,
    /// What becomes of state, one after the other.
    pub(crate) steps: Vec<Step<'a>>,
    step: Step<'a>,
    open: BTreeMap<&'a StreamId, Open<'a>>,
}

/// A change at its place in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) offset: u64,
    pub(crate) stream: &'a StreamId,
    pub(crate) received_at: UnixMicros,
    pub(crate) change: &'a Change,
    /// The bracket that it is an item of.
    pub(crate) snapshot: Option<SnapshotId>,
}

/// A row of the ledger.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GapLine<'a> {
    Opened(&'a GapOpened),
    Closed(&'a GapClosed),
}

/// Brackets first, then keys that were forgotten, then what was written.
#[derive(Debug, Default)]
pub(crate) struct Step<'a> {
    /// What becomes of the items that earlier batches have staged.
    pub(crate) brackets: Vec<(&'a StreamId, Fate)>,
    /// With the offsets of the records that say so.
    pub(crate) forgotten: Vec<(u64, &'a StreamId, &'a Key)>,
    /// The last write of each key.
    pub(crate) writes: BTreeMap<(&'a StreamId, &'a Key), Row<'a>>,
}

/// See [`Step::brackets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is this one that is whole.
    Published(SnapshotId),
    Dropped,
}

/// A bracket that is open.
#[derive(Debug)]
struct Open<'a> {
    items: Vec<Row<'a>>,
    /// Nothing of it is in the table.
    is_begun_here: bool,
}

impl<'a> Plan<'a> {
    pub(crate) fn of(entries: impl Iterator<Item = (u64, &'a Record)>) -> Self {
        let mut plan = Self::default();
        for (offset, record) in entries {
            plan.take(offset, record);
        }
        let open = std::mem::take(&mut plan.open);
        plan.staged.extend(open.into_values().flat_map(|open| open.items));
        plan.end_step();
        plan
    }

    fn take(&mut self, offset: u64, record: &'a Record) {
        let stream = &record.stream;
        let row = |change, snapshot| Row {
            offset,
            stream,
            received_at: record.received_at,
            change,
            snapshot,
        };
        match &record.body {
            Body::Change(change) => {
                let row = row(change, None);
                self.events.push(row);
                if change.effect == Effect::State {
                    self.write(row);
                }
                return;
            }
            Body::SnapshotItem { snapshot, change } => {
                let earlier = || Open { items: Vec::new(), is_begun_here: false };
                let open = self.open.entry(stream).or_insert_with(earlier);
                open.items.push(row(change, Some(*snapshot)));
                return;
            }
            Body::SnapshotBegin(_) => {
                self.end(stream, Fate::Dropped);
                self.open.insert(stream, Open { items: Vec::new(), is_begun_here: true });
            }
            Body::SnapshotEnd(end) => self.end(stream, Fate::Published(end.snapshot)),
            Body::SnapshotAbort { .. } => self.end(stream, Fate::Dropped),
            Body::Forgotten { key } => {
                self.step.writes.remove(&(stream, key));
                self.step.forgotten.push((offset, stream, key));
            }
            Body::GapOpened(gap) => self.gaps.push((stream, GapLine::Opened(gap))),
            Body::GapClosed(gap) => self.gaps.push((stream, GapLine::Closed(gap))),
            Body::Progress { .. }
            | Body::EpochChanged { .. }
            | Body::Quarantined(_)
            | Body::Connection(_)
            | Body::Directive(_)
            | Body::HistoryOwed(_)
            | Body::HistoryForgone { .. } => {}
        }
        self.ledger.push((offset, record));
    }

    fn end(&mut self, stream: &'a StreamId, fate: Fate) {
        let open = self.open.remove(stream);
        if open.as_ref().is_none_or(|open| !open.is_begun_here) {
            // A key that was forgotten before comes back with an item; one after it does not.
            if !self.step.forgotten.is_empty() {
                self.end_step();
            }
            self.step.brackets.push((stream, fate));
        }
        if fate != Fate::Dropped {
            for row in open.into_iter().flat_map(|open| open.items) {
                self.events.push(row);
                self.write(row);
            }
        }
    }

    fn write(&mut self, row: Row<'a>) {
        let held = self.step.writes.entry((row.stream, &row.change.key)).or_insert(row);
        if held.offset < row.offset {
            *held = row;
        }
    }

    fn end_step(&mut self) {
        self.steps.push(std::mem::take(&mut self.step));
    }
}
