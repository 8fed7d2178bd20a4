//! Rows as readers get them.

use rusqlite::Row;
use unbroken_core::ids::{ConnId, GapId, Key, Label, SnapshotId, StreamId};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Closer, Effect, GapCause, GapOutcome, Origin, Turn};
use unbroken_core::time::UnixMicros;

use crate::column::{bytes, digest, label, micros, position, unsigned, word};

/// The present value of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRow {
    /// The stream.
    pub stream: StreamId,
    /// The key.
    pub key: Key,
    /// Offset of the write that made it so.
    pub offset: u64,
    /// Position of that write, where there is one.
    pub version: Option<Position>,
    /// False for a tombstone.
    pub present: bool,
    /// Digest of the value; 0 for a tombstone.
    pub digest: u128,
    /// The vendor's time of the value.
    pub occurred_at: Option<UnixMicros>,
    /// When it reached us.
    pub received_at: UnixMicros,
    /// The value may be out of date, since then: an outage ended without bringing it, or the stream
    /// is not Live. That the value came since an outage began makes it no exception: what came
    /// after it is not proved to be here.
    pub stale_since: Option<UnixMicros>,
    /// The vendor's bytes; empty for a tombstone.
    pub payload: Vec<u8>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its offset in the log.
    pub offset: u64,
    /// The stream.
    pub stream: StreamId,
    /// What it is about.
    pub key: Key,
    /// The vendor's position, where it has one.
    pub position: Option<Position>,
    /// Which of the events with this position and key it is.
    pub ordinal: u16,
    /// The vendor's event id, where it has one.
    pub event_id: Option<Label>,
    /// The vendor's name for this kind of event, where it has one.
    pub kind: Option<Label>,
    /// How it came to us.
    pub origin: Origin,
    /// Whether it may touch state.
    pub effect: Effect,
    /// The key is gone.
    pub deleted: bool,
    /// The vendor's time.
    pub occurred_at: Option<UnixMicros>,
    /// When it reached us.
    pub received_at: UnixMicros,
    /// The snapshot that it was an item of.
    pub snapshot: Option<SnapshotId>,
    /// The vendor's bytes.
    pub payload: Vec<u8>,
}

/// One row of the gap ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapRow {
    /// The stream.
    pub stream: StreamId,
    /// Its number, unique in the stream.
    pub gap: GapId,
    /// Why there is doubt.
    pub cause: GapCause,
    /// How it ended; `None` while it is open.
    pub outcome: Option<GapOutcome>,
    /// Everything up to here is in the log.
    pub after: Option<Position>,
    /// The last position of the interval.
    pub through: Option<Position>,
    /// Wall clock of the last moment known to be covered.
    pub wall_from: UnixMicros,
    /// Wall clock of the first moment covered again.
    pub wall_to: Option<UnixMicros>,
    /// The snapshot that reconciled state, if one did.
    pub closed_by: Option<SnapshotId>,
    /// State was brought up to date; `None` while it is open.
    pub reconciled: Option<bool>,
    /// Offset of its opening, where the log still held it when the store was built.
    pub opened_offset: Option<u64>,
    /// Offset of its last close.
    pub closed_offset: Option<u64>,
}

/// What one stream has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRow {
    /// Its name.
    pub stream: StreamId,
    /// The present numbering.
    pub epoch: Epoch,
    /// The vendor's name for it.
    pub epoch_name: Option<Label>,
    /// Where a resume may start.
    pub position: Option<Position>,
    /// The record's last word: some connection of it is Live. Whether the process still runs, only
    /// the process can say.
    pub live: bool,
    /// Since when.
    pub live_changed_at: Option<UnixMicros>,
    /// Keys last written before this offset may be stale, since that time.
    pub stale_before: Option<(u64, UnixMicros)>,
    /// Time of the last event from the stream.
    pub covered_at: Option<UnixMicros>,
    /// Tag of the last snapshot published in this epoch.
    pub snapshot_tag: Option<Position>,
    /// Until the stream has come so far, keys are each valid but need not fit together.
    pub converging_until: Option<Position>,
    /// The snapshot that is coming in: its items are published when it is whole.
    pub staged_snapshot: Option<SnapshotId>,
    /// Keys that are present.
    pub keys_present: u64,
    /// Open rows in the ledger.
    pub gaps_open: u64,
}

/// Bytes that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineRow {
    /// Its offset in the log.
    pub offset: u64,
    /// The stream.
    pub stream: StreamId,
    /// The socket it came from, if any.
    pub conn: Option<ConnId>,
    /// What was wrong.
    pub reason: Label,
    /// Length of the original in bytes.
    pub length: u64,
    /// Digest of the original; 0 where it was too large to be read.
    pub digest: u128,
    /// When it reached us.
    pub received_at: UnixMicros,
    /// The original, or its beginning.
    pub bytes: Vec<u8>,
}

/// A time in which a stream was not Live although it had been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutageRow {
    /// The stream.
    pub stream: StreamId,
    /// The socket that was lost or doubted.
    pub conn: ConnId,
    /// Which of both.
    pub turn: Turn,
    /// Who brought it about.
    pub by: Closer,
    /// Why, in a few words.
    pub cause: Label,
    /// When the stream stopped being Live.
    pub began_at: UnixMicros,
    /// When it was Live again; `None` while it is not.
    pub ended_at: Option<UnixMicros>,
}

// Each reads the columns of the one query that `reader` makes for it, in their order.

impl StateRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let received_at = UnixMicros(row.get(8)?);
        Ok(Self {
            stream: StreamId::new(row.get::<_, String>(0)?),
            key: Key::new(row.get::<_, String>(1)?),
            offset: unsigned(row.get(2)?),
            version: position(row, 3)?,
            present: row.get(5)?,
            digest: digest(row, 6)?,
            occurred_at: micros(row, 7)?,
            received_at,
            payload: bytes(row, 9)?.to_vec(),
            stale_since: stale_since(row, received_at)?,
        })
    }
}

/// The earliest of all doubts. A loss of Live opens no row of the ledger before the way back has
/// failed, so the stream's turns count beside its open rows; and the row begins at the last event,
/// which is earlier. Of a stream that was never Live nothing is sure but that the value came.
fn stale_since(row: &Row<'_>, received_at: UnixMicros) -> rusqlite::Result<Option<UnixMicros>> {
    let (left_behind, turned_at, doubted) = (micros(row, 10)?, micros(row, 12)?, micros(row, 13)?);
    let is_live: bool = row.get(11)?;
    let lost_at = (!is_live).then(|| turned_at.unwrap_or(received_at));
    Ok([left_behind, lost_at, doubted].into_iter().flatten().min())
}

impl EventRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            offset: unsigned(row.get(0)?),
            stream: StreamId::new(row.get::<_, String>(1)?),
            key: Key::new(row.get::<_, String>(2)?),
            position: position(row, 3)?,
            ordinal: row.get(5)?,
            event_id: label(row, 6)?,
            kind: label(row, 7)?,
            origin: word(row, 8)?,
            effect: word(row, 9)?,
            deleted: row.get(10)?,
            occurred_at: micros(row, 11)?,
            received_at: UnixMicros(row.get(12)?),
            snapshot: row.get::<_, Option<i64>>(13)?.map(|id| SnapshotId(unsigned(id))),
            payload: bytes(row, 14)?.to_vec(),
        })
    }
}

impl GapRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let outcome: Option<String> = row.get(3)?;
        Ok(Self {
            stream: StreamId::new(row.get::<_, String>(0)?),
            gap: GapId(unsigned(row.get(1)?)),
            cause: word(row, 2)?,
            outcome: outcome.map(|_| word(row, 3)).transpose()?,
            after: position(row, 4)?,
            through: position(row, 6)?,
            wall_from: UnixMicros(row.get(8)?),
            wall_to: micros(row, 9)?,
            closed_by: row.get::<_, Option<i64>>(10)?.map(|id| SnapshotId(unsigned(id))),
            reconciled: row.get(11)?,
            opened_offset: row.get::<_, Option<i64>>(12)?.map(unsigned),
            closed_offset: row.get::<_, Option<i64>>(13)?.map(unsigned),
        })
    }
}

impl StreamRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let epoch = Epoch(row.get(1)?);
        let sequence: Option<i64> = row.get(3)?;
        let stale_before: Option<i64> = row.get(6)?;
        Ok(Self {
            stream: StreamId::new(row.get::<_, String>(0)?),
            epoch,
            epoch_name: label(row, 2)?,
            position: sequence.map(|sequence| Position::new(epoch, unsigned(sequence))),
            live: row.get(4)?,
            live_changed_at: micros(row, 5)?,
            stale_before: stale_before.map(unsigned).zip(micros(row, 7)?),
            covered_at: micros(row, 8)?,
            snapshot_tag: position(row, 9)?,
            converging_until: position(row, 11)?,
            staged_snapshot: row.get::<_, Option<i64>>(13)?.map(|id| SnapshotId(unsigned(id))),
            keys_present: unsigned(row.get(14)?),
            gaps_open: unsigned(row.get(15)?),
        })
    }
}

impl QuarantineRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            offset: unsigned(row.get(0)?),
            stream: StreamId::new(row.get::<_, String>(1)?),
            conn: row.get::<_, Option<i64>>(2)?.map(|conn| ConnId(unsigned(conn))),
            reason: Label::new(row.get::<_, String>(3)?),
            length: unsigned(row.get(4)?),
            digest: digest(row, 5)?,
            received_at: UnixMicros(row.get(6)?),
            bytes: bytes(row, 7)?.to_vec(),
        })
    }
}

impl OutageRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            stream: StreamId::new(row.get::<_, String>(0)?),
            conn: ConnId(unsigned(row.get(1)?)),
            turn: word(row, 2)?,
            by: word(row, 3)?,
            cause: Label::new(row.get::<_, String>(4)?),
            began_at: UnixMicros(row.get(5)?),
            ended_at: micros(row, 6)?,
        })
    }
}
