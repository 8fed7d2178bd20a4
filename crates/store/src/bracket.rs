//! Snapshot brackets: items wait in `staged` until their End publishes them or an Abort drops them.

use rusqlite::{Transaction, params};
use unbroken_core::ids::{Label, SnapshotId};
use unbroken_core::record::{Change, SnapshotBegin, SnapshotEnd};
use unbroken_core::time::UnixMicros;

use crate::column::{payload, signed, split};
use crate::stream::Stream;
use crate::words::Word;

pub(crate) fn begin(
    tx: &Transaction<'_>,
    stream: &mut Stream,
    offset: u64,
    at: UnixMicros,
    begin: &SnapshotBegin,
) -> rusqlite::Result<()> {
    if let Some(other) = stream.state.staged {
        abort(tx, stream, offset, at, other)?;
    }
    stream.state.staged = Some(begin.snapshot);
    let (tag_epoch, tag) = split(begin.tag);
    tx.prepare_cached(
        "INSERT INTO snapshots (stream, snapshot, status, tag_epoch, tag, rows_are_state,
             begun_offset, begun_at)
         VALUES (?1, ?2, 'open', ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (stream, snapshot) DO UPDATE SET status = 'open', tag_epoch = ?3, tag = ?4,
             rows_are_state = ?5, begun_offset = ?6, begun_at = ?7",
    )?
    .execute(params![
        stream.id,
        signed(begin.snapshot.0),
        tag_epoch,
        tag,
        begin.rows_are_state,
        signed(offset),
        at.0
    ])?;
    Ok(())
}

pub(crate) fn stage(
    tx: &Transaction<'_>,
    stream: &mut Stream,
    offset: u64,
    at: UnixMicros,
    snapshot: SnapshotId,
    change: &Change,
) -> rusqlite::Result<()> {
    let agent = stream.key(tx, &change.key)?;
    let (epoch, position) = split(change.position);
    tx.prepare_cached(
        "INSERT INTO staged (offset, stream, epoch, position, ordinal, agent, event_id, kind,
             origin, effect, deleted, occurred_at, received_at, snapshot, payload, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        signed(offset),
        stream.id,
        epoch,
        position,
        change.ordinal,
        agent,
        change.event_id.as_ref().map(Label::as_str),
        change.kind.as_ref().map(Label::as_str),
        change.origin.word(),
        change.effect.word(),
        change.deleted,
        change.occurred_at.map(|at| at.0),
        at.0,
        signed(snapshot.0),
        payload(&change.payload),
        change.digest.to_be_bytes().as_slice(),
    ])?;
    Ok(())
}

/// Items become events (those that the log still had when this store was built) and state.
pub(crate) fn publish(
    tx: &Transaction<'_>,
    stream: i64,
    first_offset: u64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO events (offset, stream, epoch, position, ordinal, agent, event_id, kind,
             origin, effect, deleted, occurred_at, received_at, snapshot, payload)
         SELECT offset, stream, epoch, position, ordinal, agent, event_id, kind,
             origin, effect, deleted, occurred_at, received_at, snapshot, payload
         FROM staged WHERE stream = ?1 AND offset >= ?2 ORDER BY offset",
    )?
    .execute(params![stream, signed(first_offset)])?;
    // In offset order, so that of two items of one key the later wins.
    tx.prepare_cached(
        "INSERT INTO agents (agent, stream, offset, epoch, position, present, digest,
             occurred_at, received_at, payload)
         SELECT agent, stream, offset, epoch, position, deleted = 0, digest,
             occurred_at, received_at, CASE WHEN deleted THEN '' ELSE payload END
         FROM staged WHERE stream = ?1 ORDER BY offset
         ON CONFLICT (agent) DO UPDATE SET offset = excluded.offset, epoch = excluded.epoch,
             position = excluded.position, present = excluded.present,
             digest = excluded.digest, occurred_at = excluded.occurred_at,
             received_at = excluded.received_at, payload = excluded.payload
         WHERE agents.offset < excluded.offset",
    )?
    .execute([stream])?;
    tx.prepare_cached("DELETE FROM staged WHERE stream = ?1")?.execute([stream])?;
    Ok(())
}

pub(crate) fn end(
    tx: &Transaction<'_>,
    stream: i64,
    offset: u64,
    at: UnixMicros,
    end: &SnapshotEnd,
) -> rusqlite::Result<()> {
    let (tag_epoch, tag) = split(end.tag);
    let (converging_epoch, converging) = split(end.converging_until);
    tx.prepare_cached(
        "INSERT INTO snapshots (stream, snapshot, status, tag_epoch, tag, rows_are_state, items,
             rows, converging_epoch, converging_until, witness, ended_offset, ended_at)
         VALUES (?1, ?2, 'published', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (stream, snapshot) DO UPDATE SET status = 'published', tag_epoch = ?3,
             tag = ?4, rows_are_state = ?5, items = ?6, rows = ?7, converging_epoch = ?8,
             converging_until = ?9, witness = ?10, ended_offset = ?11, ended_at = ?12",
    )?
    .execute(params![
        stream,
        signed(end.snapshot.0),
        tag_epoch,
        tag,
        end.rows_are_state,
        signed(end.count),
        signed(end.rows),
        converging_epoch,
        converging,
        end.witness.word(),
        signed(offset),
        at.0,
    ])?;
    Ok(())
}

/// Whatever bracket is open is dropped: brackets of one stream never overlap.
pub(crate) fn abort(
    tx: &Transaction<'_>,
    stream: &mut Stream,
    offset: u64,
    at: UnixMicros,
    named: SnapshotId,
) -> rusqlite::Result<()> {
    let open = stream.state.staged.take().filter(|open| *open != named);
    for snapshot in open.into_iter().chain([named]) {
        tx.prepare_cached(
            "UPDATE snapshots SET status = 'aborted', ended_offset = ?3, ended_at = ?4
             WHERE stream = ?1 AND snapshot = ?2 AND status = 'open'",
        )?
        .execute(params![stream.id, signed(snapshot.0), signed(offset), at.0])?;
    }
    tx.prepare_cached("DELETE FROM staged WHERE stream = ?1")?.execute([stream.id])?;
    Ok(())
}
