//! Reading the store beside the process that writes it.

use std::path::Path;

use rusqlite::{Connection, Row, params};
use unbroken_core::ids::{Key, StreamId};

use crate::column::{signed, unsigned};
use crate::row::{EventRow, GapRow, OutageRow, QuarantineRow, StateRow, StreamRow};
use crate::writer::{Checkpoint, read_checkpoint};
use crate::{StoreError, schema};

/// The columns of [`EventRow`], from an offset on, at most so many (-1: all).
pub(crate) const EVENTS_FROM: &str =
    "SELECT e.offset, s.name, k.name, e.epoch, e.position, e.ordinal, e.event_id, e.kind,
            e.origin, e.effect, e.deleted, e.occurred_at, e.received_at, e.snapshot, e.payload
     FROM events e JOIN keys k ON k.id = e.agent JOIN streams s ON s.id = e.stream
     WHERE e.offset >= ?1 ORDER BY e.offset LIMIT ?2";

/// The columns of [`QuarantineRow`], likewise.
pub(crate) const QUARANTINE_FROM: &str =
    "SELECT q.offset, s.name, q.conn, q.reason, q.length, q.digest, q.received_at, q.bytes
     FROM quarantine q JOIN streams s ON s.id = q.stream
     WHERE q.offset >= ?1 ORDER BY q.offset LIMIT ?2";

/// Which keys to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateFilter {
    /// Only this stream.
    pub stream: Option<StreamId>,
    /// Only this key.
    pub key: Option<Key>,
    /// Tombstones too.
    pub tombstones: bool,
}

/// State, exact at a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Every record before its `next_offset` is in `rows`, none at or after it.
    pub checkpoint: Checkpoint,
    /// By stream, then key.
    pub rows: Vec<StateRow>,
    /// Brackets of snapshots, of any stream, that are open: their items before the checkpoint are
    /// not in `rows`. Who is to read on from there has to look again, or to begin where they do.
    pub brackets: Vec<OpenBracket>,
}

/// A bracket whose end has not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBracket {
    /// Its stream.
    pub stream: StreamId,
    /// Where it begins; `None` if the log had lost that when this store was built.
    pub begun_offset: Option<u64>,
    /// Items that wait for its end.
    pub items_count: u64,
}

/// A read-only view of a store file. Each call reads one moment of it, and never holds up the
/// writer.
#[derive(Debug)]
pub struct StoreReader {
    connection: Connection,
}

impl StoreReader {
    /// Opens an existing store.
    ///
    /// # Errors
    /// If there is no such file, or it is not a store of this release.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: schema::open_read_only(path)? })
    }

    /// How far the store has come.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        read_checkpoint(&self.connection)
            .and_then(|checkpoint| checkpoint.ok_or(rusqlite::Error::QueryReturnedNoRows))
            .map_err(|source| StoreError::Read { what: "checkpoint", source })
    }

    /// The present value of each key, with the checkpoint that it is exact at.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn state(&self, filter: &StateFilter) -> Result<State, StoreError> {
        let failed = |source| StoreError::Read { what: "state", source };
        // One read transaction, so that rows and checkpoint are of the same moment.
        let tx = self.connection.unchecked_transaction().map_err(failed)?;
        let checkpoint = self.checkpoint()?;
        let rows = self.state_rows(filter)?;
        let brackets = self.brackets()?;
        tx.commit().map_err(failed)?;
        Ok(State { checkpoint, rows, brackets })
    }

    fn brackets(&self) -> Result<Vec<OpenBracket>, StoreError> {
        self.rows(
            "brackets",
            "SELECT s.name, b.begun_offset,
                    (SELECT count(*) FROM staged i WHERE i.stream = s.id)
             FROM streams s
             LEFT JOIN snapshots b ON b.stream = s.id AND b.snapshot = s.staged_snapshot
             WHERE s.staged_snapshot IS NOT NULL ORDER BY s.name",
            [],
            |row| {
                Ok(OpenBracket {
                    stream: StreamId::new(row.get::<_, String>(0)?),
                    begun_offset: row.get::<_, Option<i64>>(1)?.map(unsigned),
                    items_count: unsigned(row.get(2)?),
                })
            },
        )
    }

    /// As [`StoreReader::state`], in the transaction that is open, if one is.
    pub(crate) fn state_rows(&self, filter: &StateFilter) -> Result<Vec<StateRow>, StoreError> {
        self.rows(
            "state",
            "WITH doubts AS (SELECT stream, min(wall_from) AS since FROM gaps
                             WHERE outcome IS NULL GROUP BY stream)
             SELECT s.name, k.name, a.offset, a.epoch, a.position, a.present, a.digest,
                    a.occurred_at, a.received_at, a.payload,
                    CASE WHEN a.offset < s.stale_before THEN s.stale_since END,
                    s.live, s.live_changed_at, d.since
             FROM agents a JOIN keys k ON k.id = a.agent JOIN streams s ON s.id = a.stream
             LEFT JOIN doubts d ON d.stream = s.id
             WHERE (?1 IS NULL OR s.name = ?1) AND (?2 IS NULL OR k.name = ?2)
               AND (?3 OR a.present = 1)
             ORDER BY s.name, k.name",
            params![
                filter.stream.as_ref().map(StreamId::as_str),
                filter.key.as_ref().map(Key::as_str),
                filter.tombstones
            ],
            StateRow::read,
        )
    }

    /// At most `limit` events after an offset (from the first on with `None`), in offset order.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn events(&self, after: Option<u64>, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let from = after.map_or(0, |after| after.saturating_add(1));
        self.rows("events", EVENTS_FROM, params![signed(from), limit], EventRow::read)
    }

    /// The gap ledger, by stream, then number.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn gaps(&self) -> Result<Vec<GapRow>, StoreError> {
        self.rows(
            "gaps",
            "SELECT s.name, g.gap, g.cause, g.outcome, g.after_epoch, g.after_position,
                    g.through_epoch, g.through_position, g.wall_from, g.wall_to, g.closed_by,
                    g.reconciled, g.opened_offset, g.closed_offset
             FROM gaps g JOIN streams s ON s.id = g.stream ORDER BY s.name, g.gap",
            [],
            GapRow::read,
        )
    }

    /// What each stream has come to, by name.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn streams(&self) -> Result<Vec<StreamRow>, StoreError> {
        self.rows(
            "streams",
            "SELECT s.name, s.epoch, s.epoch_name, s.position, s.live, s.live_changed_at,
                    s.stale_before, s.stale_since, s.covered_at, s.snapshot_tag_epoch,
                    s.snapshot_tag, s.converging_epoch, s.converging_until, s.staged_snapshot,
                    (SELECT count(*) FROM agents a WHERE a.stream = s.id AND a.present = 1),
                    (SELECT count(*) FROM gaps g WHERE g.stream = s.id AND g.outcome IS NULL)
             FROM streams s ORDER BY s.name",
            [],
            StreamRow::read,
        )
    }

    /// What could not be understood, in offset order.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn quarantine(&self) -> Result<Vec<QuarantineRow>, StoreError> {
        self.rows("quarantine", QUARANTINE_FROM, params![0, -1], QuarantineRow::read)
    }

    /// The outages of all streams, oldest first.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn outages(&self) -> Result<Vec<OutageRow>, StoreError> {
        self.rows(
            "outages",
            "SELECT stream, conn, turn, by, cause, began_us, ended_us FROM outages
             ORDER BY offset",
            [],
            OutageRow::read,
        )
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn rows<T>(
        &self,
        what: &'static str,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let read_all = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map(params, read)?;
            rows.collect::<rusqlite::Result<Vec<T>>>()
        };
        read_all().map_err(|source| StoreError::Read { what, source })
    }
}
