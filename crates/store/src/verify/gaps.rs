//! The gap ledger as the log tells it.

use std::collections::BTreeMap;

use unbroken_core::fold::Fold;
use unbroken_core::ids::{GapId, StreamId};
use unbroken_core::record::{Body, GapClosed, GapOpened, Record};

use super::tables::first_difference;
use super::{Finding, Verification};
use crate::row::GapRow;

/// The rows that the ledger should have. Rows are few: one per interval of doubt.
#[derive(Default)]
pub(super) struct Ledger {
    rows: BTreeMap<(StreamId, GapId), GapRow>,
}

impl Ledger {
    pub(super) fn follow(&mut self, offset: u64, record: &Record) {
        let stream = &record.stream;
        match &record.body {
            Body::GapOpened(gap) => {
                let row = opened(stream, gap, Some(offset));
                self.rows.insert((stream.clone(), gap.gap), row);
            }
            Body::GapClosed(gap) => {
                let held = self.rows.get(&(stream.clone(), gap.gap));
                let row = closed(stream, gap, held.and_then(|row| row.opened_offset), offset);
                self.rows.insert((stream.clone(), gap.gap), row);
            }
            _ => {}
        }
    }

    /// Rows that an image knows as open although the log no longer tells of them.
    pub(super) fn add_image(&mut self, image: &Fold) {
        for (stream, fold) in &image.streams {
            for gap in fold.open_gaps.values() {
                self.rows
                    .entry((stream.clone(), gap.opened.gap))
                    .or_insert_with(|| opened(stream, &gap.opened, None));
            }
        }
    }

    /// Compares with the table; rows that are wholly older than the log are left alone.
    pub(super) fn compare(mut self, rows: Vec<GapRow>, oldest: u64, report: &mut Verification) {
        for row in rows {
            let older = |offset: Option<u64>| offset.is_none_or(|offset| offset < oldest);
            let (stream, gap) = (row.stream.clone(), row.gap);
            match self.rows.remove(&(stream.clone(), gap)) {
                Some(expected) => {
                    report.rows_checked += 1;
                    if let Some(column) = differs(&row, &expected, oldest) {
                        report.found(Finding::GapDiffers { stream, gap, column });
                    }
                }
                None if oldest > 0 && older(row.opened_offset) && older(row.closed_offset) => {
                    report.rows_unchecked += 1;
                }
                None => report.found(Finding::GapDiffers { stream, gap, column: "gap" }),
            }
        }
        for (stream, gap) in self.rows.into_keys() {
            report.found(Finding::GapDiffers { stream, gap, column: "gap" });
        }
    }
}

fn opened(stream: &StreamId, gap: &GapOpened, offset: Option<u64>) -> GapRow {
    GapRow {
        stream: stream.clone(),
        gap: gap.gap,
        cause: gap.cause,
        outcome: None,
        after: gap.after,
        through: None,
        wall_from: gap.wall_from,
        wall_to: None,
        closed_by: None,
        reconciled: None,
        opened_offset: offset,
        closed_offset: None,
    }
}

fn closed(stream: &StreamId, gap: &GapClosed, opened_offset: Option<u64>, offset: u64) -> GapRow {
    GapRow {
        stream: stream.clone(),
        gap: gap.gap,
        cause: gap.cause,
        outcome: Some(gap.outcome),
        after: gap.after,
        through: gap.through,
        wall_from: gap.wall_from,
        wall_to: Some(gap.wall_to),
        closed_by: gap.closed_by,
        reconciled: Some(gap.reconciled),
        opened_offset,
        closed_offset: Some(offset),
    }
}

fn differs(row: &GapRow, expected: &GapRow, oldest: u64) -> Option<&'static str> {
    let told = |offset: Option<u64>| offset.filter(|offset| *offset >= oldest);
    first_difference! {
        "cause": row.cause, expected.cause;
        "outcome": row.outcome, expected.outcome;
        "after_position": row.after, expected.after;
        "through_position": row.through, expected.through;
        "wall_from": row.wall_from, expected.wall_from;
        "wall_to": row.wall_to, expected.wall_to;
        "closed_by": row.closed_by, expected.closed_by;
        "reconciled": row.reconciled, expected.reconciled;
        "opened_offset": told(row.opened_offset), told(expected.opened_offset);
        "closed_offset": row.closed_offset, expected.closed_offset;
    }
}
