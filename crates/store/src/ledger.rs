//! Rows that are written once and never summed up: the gap ledger, the quarantine, the turns of
//! connections.

use rusqlite::{Transaction, params};
use unbroken_core::record::{ConnectionTurn, GapClosed, GapOpened, Quarantined};
use unbroken_core::time::UnixMicros;

use crate::column::{signed, split};
use crate::words::Word;

pub(crate) fn open_gap(
    tx: &Transaction<'_>,
    stream: i64,
    offset: u64,
    gap: &GapOpened,
) -> rusqlite::Result<()> {
    let (after_epoch, after) = split(gap.after);
    tx.prepare_cached(
        "INSERT OR REPLACE INTO gaps (stream, gap, cause, after_epoch, after_position, wall_from,
             opened_offset)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        stream,
        signed(gap.gap.0),
        gap.cause.word(),
        after_epoch,
        after,
        gap.wall_from.0,
        signed(offset)
    ])?;
    Ok(())
}

pub(crate) fn close_gap(
    tx: &Transaction<'_>,
    stream: i64,
    offset: u64,
    gap: &GapClosed,
) -> rusqlite::Result<()> {
    let (after_epoch, after) = split(gap.after);
    let (through_epoch, through) = split(gap.through);
    tx.prepare_cached(
        "INSERT INTO gaps (stream, gap, cause, outcome, after_epoch, after_position,
             through_epoch, through_position, wall_from, wall_to, closed_by, reconciled,
             closed_offset)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (stream, gap) DO UPDATE SET cause = ?3, outcome = ?4, after_epoch = ?5,
             after_position = ?6, through_epoch = ?7, through_position = ?8, wall_from = ?9,
             wall_to = ?10, closed_by = ?11, reconciled = ?12, closed_offset = ?13",
    )?
    .execute(params![
        stream,
        signed(gap.gap.0),
        gap.cause.word(),
        gap.outcome.word(),
        after_epoch,
        after,
        through_epoch,
        through,
        gap.wall_from.0,
        gap.wall_to.0,
        gap.closed_by.map(|snapshot| signed(snapshot.0)),
        gap.reconciled,
        signed(offset),
    ])?;
    Ok(())
}

pub(crate) fn quarantine(
    tx: &Transaction<'_>,
    stream: i64,
    offset: u64,
    at: UnixMicros,
    poison: &Quarantined,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO quarantine (offset, stream, conn, reason, length, digest, received_at, bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        signed(offset),
        stream,
        poison.conn.map(|conn| signed(conn.0)),
        poison.reason.as_str(),
        signed(poison.length),
        poison.digest.to_be_bytes().as_slice(),
        at.0,
        poison.bytes.as_ref(),
    ])?;
    Ok(())
}

pub(crate) fn insert_turn(
    tx: &Transaction<'_>,
    stream: i64,
    offset: u64,
    at: UnixMicros,
    turn: &ConnectionTurn,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO connections (offset, stream, conn, turn, by, why, received_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        signed(offset),
        stream,
        signed(turn.conn.0),
        turn.turn.word(),
        turn.by.word(),
        turn.why.as_str(),
        at.0
    ])?;
    Ok(())
}

/// An open row of an image, unless the log itself told of it.
pub(crate) fn keep_gap(tx: &Transaction<'_>, stream: i64, gap: &GapOpened) -> rusqlite::Result<()> {
    let (after_epoch, after) = split(gap.after);
    tx.prepare_cached(
        "INSERT OR IGNORE INTO gaps (stream, gap, cause, after_epoch, after_position, wall_from)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        stream,
        signed(gap.gap.0),
        gap.cause.word(),
        after_epoch,
        after,
        gap.wall_from.0
    ])?;
    Ok(())
}
