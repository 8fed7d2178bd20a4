//! The table of brackets as the log tells it.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};
use unbroken_core::fold::Fold;
use unbroken_core::ids::{SnapshotId, StreamId};
use unbroken_core::position::Position;
use unbroken_core::record::{Body, Record, SnapshotBegin, SnapshotEnd, Witness};
use unbroken_core::time::UnixMicros;

use super::tables::first_difference;
use super::{Finding, Verification};
use crate::StoreError;
use crate::column::{micros, position, unsigned, word};

const OPEN: &str = "open";
const ABORTED: &str = "aborted";
const PUBLISHED: &str = "published";

/// What a row says of a bracket that ended whole.
#[derive(Debug, PartialEq, Eq)]
struct Contents {
    items: u64,
    rows: u64,
    converging_until: Option<Position>,
    witness: Witness,
}

/// A row of `snapshots`: one that is there, or one as it should be.
struct Bracket {
    status: String,
    tag: Option<Position>,
    rows_are_state: Option<bool>,
    contents: Option<Contents>,
    begun: Option<(u64, UnixMicros)>,
    ended: Option<(u64, UnixMicros)>,
}

impl Bracket {
    fn read(row: &Row<'_>) -> rusqlite::Result<(StreamId, SnapshotId, Self)> {
        let number = |at: usize| row.get::<_, Option<i64>>(at).map(|number| number.map(unsigned));
        let witness: Option<String> = row.get(10)?;
        let witness = witness.map(|_| word(row, 10)).transpose()?;
        let (items, rows) = (number(6)?, number(7)?);
        let converging_until = position(row, 8)?;
        let contents = items.zip(rows).zip(witness);
        let bracket = Self {
            status: row.get(2)?,
            tag: position(row, 3)?,
            rows_are_state: row.get(5)?,
            contents: contents.map(|((items, rows), witness)| Contents {
                items,
                rows,
                converging_until,
                witness,
            }),
            begun: number(11)?.zip(micros(row, 13)?),
            ended: number(12)?.zip(micros(row, 14)?),
        };
        let snapshot = SnapshotId(unsigned(row.get(1)?));
        Ok((StreamId::new(row.get::<_, String>(0)?), snapshot, bracket))
    }

    /// Whether all that the row tells is older than the log.
    fn is_older(&self, oldest: u64) -> bool {
        oldest > 0 && self.begun.is_none_or(|(offset, _)| offset < oldest)
    }

    /// The first column in which this row is not as expected. What was written before the log
    /// begins is not known, and whatever the row says of it stands.
    fn differs(&self, expected: &Self, oldest: u64) -> Option<&'static str> {
        let told = |at: Option<(u64, UnixMicros)>| at.filter(|(offset, _)| *offset >= oldest);
        let is_told = expected.begun.is_some() || expected.contents.is_some();
        first_difference! {
            "status": self.status, expected.status;
            "begun_offset": told(self.begun), expected.begun;
            "ended_offset": told(self.ended), expected.ended;
            "tag": is_told && self.tag != expected.tag, false;
            "rows_are_state": is_told && self.rows_are_state != expected.rows_are_state, false;
            "items": expected.contents.is_some() && self.contents != expected.contents, false;
        }
    }
}

/// The rows that the table should have.
#[derive(Default)]
pub(super) struct Snapshots {
    rows: BTreeMap<(StreamId, SnapshotId), Bracket>,
    /// The open bracket of each stream.
    open: BTreeMap<StreamId, SnapshotId>,
}

impl Snapshots {
    pub(super) fn follow(&mut self, offset: u64, record: &Record) {
        let (stream, at) = (&record.stream, (offset, record.received_at));
        match &record.body {
            Body::SnapshotBegin(begin) => {
                if let Some(other) = self.open.insert(stream.clone(), begin.snapshot) {
                    self.abort(stream, other, at);
                }
                self.begin(stream, begin, at);
            }
            Body::SnapshotEnd(end) => {
                if let Some(other) = self.open.remove(stream).filter(|open| *open != end.snapshot) {
                    self.abort(stream, other, at);
                }
                self.end(stream, end, at);
            }
            Body::SnapshotAbort { snapshot } => {
                if let Some(other) = self.open.remove(stream) {
                    self.abort(stream, other, at);
                }
                self.abort(stream, *snapshot, at);
            }
            _ => {}
        }
    }

    /// Brackets that an image knows as open although the log no longer tells of their Begin.
    pub(super) fn add_image(&mut self, image: &Fold) {
        for (stream, fold) in &image.streams {
            let Some(staged) = &fold.staged else { continue };
            self.open.insert(stream.clone(), staged.snapshot);
            self.row(stream, staged.snapshot);
        }
    }

    /// Compares with the table; rows of brackets that began before the log does and of which it
    /// tells no more are left alone.
    pub(super) fn compare(
        mut self,
        connection: &Connection,
        oldest: u64,
        report: &mut Verification,
    ) -> Result<(), StoreError> {
        let failed = |source| StoreError::Read { what: "snapshots", source };
        for (stream, snapshot, row) in read(connection).map_err(failed)? {
            match self.rows.remove(&(stream.clone(), snapshot)) {
                Some(expected) => {
                    report.rows_checked += 1;
                    if let Some(column) = row.differs(&expected, oldest) {
                        report.found(Finding::SnapshotDiffers { stream, snapshot, column });
                    }
                }
                None if row.is_older(oldest) => report.rows_unchecked += 1,
                None => {
                    report.found(Finding::SnapshotDiffers { stream, snapshot, column: "snapshot" });
                }
            }
        }
        for (stream, snapshot) in self.rows.into_keys() {
            report.found(Finding::SnapshotDiffers { stream, snapshot, column: "snapshot" });
        }
        Ok(())
    }

    fn row(&mut self, stream: &StreamId, snapshot: SnapshotId) -> &mut Bracket {
        self.rows.entry((stream.clone(), snapshot)).or_insert_with(|| Bracket {
            status: OPEN.to_owned(),
            tag: None,
            rows_are_state: None,
            contents: None,
            begun: None,
            ended: None,
        })
    }

    fn begin(&mut self, stream: &StreamId, begin: &SnapshotBegin, at: (u64, UnixMicros)) {
        let row = self.row(stream, begin.snapshot);
        row.status = OPEN.to_owned();
        (row.tag, row.rows_are_state) = (begin.tag, Some(begin.rows_are_state));
        row.begun = Some(at);
    }

    fn end(&mut self, stream: &StreamId, end: &SnapshotEnd, at: (u64, UnixMicros)) {
        let row = self.row(stream, end.snapshot);
        row.status = PUBLISHED.to_owned();
        (row.tag, row.rows_are_state) = (end.tag, Some(end.rows_are_state));
        row.contents = Some(Contents {
            items: end.count,
            rows: end.rows,
            converging_until: end.converging_until,
            witness: end.witness,
        });
        row.ended = Some(at);
    }

    /// Of a bracket that began before the log does nothing is known, and nothing expected.
    fn abort(&mut self, stream: &StreamId, snapshot: SnapshotId, at: (u64, UnixMicros)) {
        let row = self.rows.get_mut(&(stream.clone(), snapshot));
        if let Some(row) = row.filter(|row| row.status == OPEN) {
            row.status = ABORTED.to_owned();
            row.ended = Some(at);
        }
    }
}

fn read(connection: &Connection) -> rusqlite::Result<Vec<(StreamId, SnapshotId, Bracket)>> {
    let mut statement = connection.prepare(
        "SELECT s.name, n.snapshot, n.status, n.tag_epoch, n.tag, n.rows_are_state, n.items, n.rows,
                n.converging_epoch, n.converging_until, n.witness, n.begun_offset, n.ended_offset,
                n.begun_at, n.ended_at
         FROM snapshots n JOIN streams s ON s.id = n.stream ORDER BY s.name, n.snapshot",
    )?;
    let rows = statement.query_map([], Bracket::read)?;
    rows.collect()
}
