//! The tables whose rows are one record each, read in step with the log.

use rusqlite::{Connection, Row, Rows, Statement};
use unbroken_core::ids::{ConnId, Label, SnapshotId, StreamId};
use unbroken_core::record::{Change, Closer, ConnectionTurn, Quarantined, Record, Turn};
use unbroken_core::time::UnixMicros;

use super::{Finding, Verification};
use crate::column::{signed, unsigned, word};
use crate::row::{EventRow, QuarantineRow};
use crate::{StoreError, reader};

/// A row that stands for one record.
pub(super) trait RecordRow: Sized {
    const TABLE: &'static str;
    /// Of the rows from an offset on, in offset order, at most so many (-1: all).
    const QUERY: &'static str;
    fn read(row: &Row<'_>) -> rusqlite::Result<Self>;
    fn offset(&self) -> u64;
}

impl RecordRow for EventRow {
    const TABLE: &'static str = "events";
    const QUERY: &'static str = reader::EVENTS_FROM;
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Self::read(row)
    }
    fn offset(&self) -> u64 {
        self.offset
    }
}

impl RecordRow for QuarantineRow {
    const TABLE: &'static str = "quarantine";
    const QUERY: &'static str = reader::QUARANTINE_FROM;
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Self::read(row)
    }
    fn offset(&self) -> u64 {
        self.offset
    }
}

/// A row of `connections`.
pub(super) struct TurnRow {
    offset: u64,
    stream: StreamId,
    conn: ConnId,
    turn: Turn,
    by: Closer,
    why: Label,
    received_at: UnixMicros,
}

impl RecordRow for TurnRow {
    const TABLE: &'static str = "connections";
    const QUERY: &'static str =
        "SELECT c.offset, s.name, c.conn, c.turn, c.by, c.why, c.received_at
         FROM connections c JOIN streams s ON s.id = c.stream
         WHERE c.offset >= ?1 ORDER BY c.offset LIMIT ?2";
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            offset: unsigned(row.get(0)?),
            stream: StreamId::new(row.get::<_, String>(1)?),
            conn: ConnId(unsigned(row.get(2)?)),
            turn: word(row, 3)?,
            by: word(row, 4)?,
            why: Label::new(row.get::<_, String>(5)?),
            received_at: UnixMicros(row.get(6)?),
        })
    }
    fn offset(&self) -> u64 {
        self.offset
    }
}

/// A table's rows, in step with the log.
pub(super) struct Table<'s, R> {
    rows: Rows<'s>,
    next: Option<R>,
}

pub(super) fn prepare<'c, R: RecordRow>(
    connection: &'c Connection,
) -> Result<Statement<'c>, StoreError> {
    connection.prepare(R::QUERY).map_err(failed::<R>)
}

fn failed<R: RecordRow>(source: rusqlite::Error) -> StoreError {
    StoreError::Read { what: R::TABLE, source }
}

impl<'s, R: RecordRow> Table<'s, R> {
    pub(super) fn open(statement: &'s mut Statement<'_>, from: u64) -> Result<Self, StoreError> {
        let rows = statement.query(rusqlite::params![signed(from), -1]).map_err(failed::<R>)?;
        let mut table = Self { rows, next: None };
        table.step()?;
        Ok(table)
    }

    /// The row of this offset, if there is one. Rows passed over belong to no record.
    pub(super) fn take(
        &mut self,
        offset: u64,
        report: &mut Verification,
    ) -> Result<Option<R>, StoreError> {
        while let Some(row) = self.next.take() {
            if row.offset() > offset {
                self.next = Some(row);
                return Ok(None);
            }
            self.step()?;
            if row.offset() == offset {
                return Ok(Some(row));
            }
            report.found(Finding::RowExtra { table: R::TABLE, offset: row.offset() });
        }
        Ok(None)
    }

    /// Compares the row of this offset with its record.
    pub(super) fn check(
        &mut self,
        offset: u64,
        report: &mut Verification,
        differs: impl FnOnce(&R) -> Option<&'static str>,
    ) -> Result<(), StoreError> {
        let found = self.take(offset, report)?;
        report.rows_checked += 1;
        match found.as_ref().map(differs) {
            None => report.found(Finding::RowMissing { table: R::TABLE, offset }),
            Some(Some(column)) => {
                report.found(Finding::RowDiffers { table: R::TABLE, offset, column });
            }
            Some(None) => {}
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), StoreError> {
        let row = self.rows.next().map_err(failed::<R>)?;
        self.next = row.map(R::read).transpose().map_err(failed::<R>)?;
        Ok(())
    }
}

/// The name of the first pair that differs.
macro_rules! first_difference {
    ($($column:literal: $left:expr, $right:expr;)*) => {{
        $(if $left != $right { return Some($column); })*
        None
    }};
}
pub(super) use first_difference;

pub(super) fn event_differs(
    row: &EventRow,
    record: &Record,
    change: &Change,
    snapshot: Option<SnapshotId>,
) -> Option<&'static str> {
    first_difference! {
        "stream": row.stream, record.stream;
        "agent": row.key, change.key;
        "position": row.position, change.position;
        "ordinal": row.ordinal, change.ordinal;
        "event_id": row.event_id, change.event_id;
        "kind": row.kind, change.kind;
        "origin": row.origin, change.origin;
        "effect": row.effect, change.effect;
        "deleted": row.deleted, change.deleted;
        "occurred_at": row.occurred_at, change.occurred_at;
        "received_at": row.received_at, record.received_at;
        "snapshot": row.snapshot, snapshot;
        "payload": row.payload, change.payload;
    }
}

pub(super) fn quarantine_differs(
    row: &QuarantineRow,
    record: &Record,
    poison: &Quarantined,
) -> Option<&'static str> {
    first_difference! {
        "stream": row.stream, record.stream;
        "conn": row.conn, poison.conn;
        "reason": row.reason, poison.reason;
        "length": row.length, poison.length;
        "digest": row.digest, poison.digest;
        "received_at": row.received_at, record.received_at;
        "bytes": row.bytes, poison.bytes;
    }
}

pub(super) fn turn_differs(
    row: &TurnRow,
    record: &Record,
    turn: &ConnectionTurn,
) -> Option<&'static str> {
    first_difference! {
        "stream": row.stream, record.stream;
        "conn": row.conn, turn.conn;
        "turn": row.turn, turn.turn;
        "by": row.by, turn.by;
        "why": row.why, turn.why;
        "received_at": row.received_at, record.received_at;
    }
}
