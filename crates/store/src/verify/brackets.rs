//! Items of brackets: whether their rows belong into `events` is known only when the bracket ends.

use std::collections::BTreeMap;

use unbroken_core::fold::Fold;
use unbroken_core::ids::{SnapshotId, StreamId};
use unbroken_core::record::{Body, Record};

use super::tables::{RecordRow, Table, event_differs};
use super::{Finding, Verification};
use crate::StoreError;
use crate::row::EventRow;

/// What was found at an item's offset in `events`.
enum Row {
    Missing,
    Equal,
    Differs(&'static str),
}

struct Open {
    snapshot: SnapshotId,
    items: Vec<(u64, Row)>,
}

/// The open bracket of each stream.
#[derive(Default)]
pub(super) struct Brackets {
    open: BTreeMap<StreamId, Open>,
}

impl Brackets {
    /// Follows one record; `adopt` as long as a bracket may have begun before the log does.
    pub(super) fn follow(
        &mut self,
        offset: u64,
        record: &Record,
        adopt: bool,
        events: &mut Table<'_, EventRow>,
        report: &mut Verification,
    ) -> Result<(), StoreError> {
        let stream = &record.stream;
        match &record.body {
            Body::SnapshotBegin(begin) => {
                self.drop_open(stream, report);
                let open = Open { snapshot: begin.snapshot, items: Vec::new() };
                self.open.insert(stream.clone(), open);
            }
            Body::SnapshotItem { snapshot, change } => {
                if adopt && !self.open.contains_key(stream) {
                    let open = Open { snapshot: *snapshot, items: Vec::new() };
                    self.open.insert(stream.clone(), open);
                }
                if let Some(open) = self.open.get_mut(stream).filter(|o| o.snapshot == *snapshot) {
                    let row = events.take(offset, report)?;
                    let row = row.map_or(Row::Missing, |row| {
                        event_differs(&row, record, change, Some(*snapshot))
                            .map_or(Row::Equal, Row::Differs)
                    });
                    open.items.push((offset, row));
                }
            }
            Body::SnapshotEnd(end) => match self.open.remove(stream) {
                Some(open) if open.snapshot == end.snapshot => publish(open, report),
                other => dropped(other, report),
            },
            Body::SnapshotAbort { .. } => self.drop_open(stream, report),
            _ => {}
        }
        Ok(())
    }

    /// Brackets that an image knows as open although the log no longer tells of their Begin.
    pub(super) fn add_image(&mut self, image: &Fold) {
        for (stream, fold) in &image.streams {
            if let Some(staged) = &fold.staged {
                let open = Open { snapshot: staged.snapshot, items: Vec::new() };
                self.open.entry(stream.clone()).or_insert(open);
            }
        }
    }

    /// What is still open at the end must not be published.
    pub(super) fn finish(self, report: &mut Verification) {
        for open in self.open.into_values() {
            dropped(Some(open), report);
        }
    }

    fn drop_open(&mut self, stream: &StreamId, report: &mut Verification) {
        dropped(self.open.remove(stream), report);
    }
}

fn publish(open: Open, report: &mut Verification) {
    let table = EventRow::TABLE;
    for (offset, row) in open.items {
        report.rows_checked += 1;
        match row {
            Row::Missing => report.found(Finding::RowMissing { table, offset }),
            Row::Differs(column) => report.found(Finding::RowDiffers { table, offset, column }),
            Row::Equal => {}
        }
    }
}

fn dropped(open: Option<Open>, report: &mut Verification) {
    for (offset, row) in open.into_iter().flat_map(|open| open.items) {
        if !matches!(row, Row::Missing) {
            report.found(Finding::RowExtra { table: EventRow::TABLE, offset });
        }
    }
}
