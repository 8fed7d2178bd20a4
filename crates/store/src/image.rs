//! State taken over from one of the journal's images.

use rusqlite::{Transaction, params};
use unbroken_core::fold::{Fold, KeyState, StreamFold};
use unbroken_core::ids::SnapshotId;
use unbroken_core::key_table::KeyTable;
use unbroken_core::record::{Effect, Origin};

use crate::column::{payload, signed, split};
use crate::ledger;
use crate::stream::{Stream, Streams};
use crate::words::Word;

/// Replaces all state by the image's. Events, the ledger's closed rows and the other records stay.
pub(crate) fn install(
    tx: &Transaction<'_>,
    streams: &mut Streams,
    image: &Fold,
    first_offset: u64,
) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM agents", [])?;
    for (name, fold) in &image.streams {
        let stream = streams.stream(tx, name)?;
        stream.state.install(fold);
        stream.changed = true;
        insert_keys(tx, stream, &fold.keys)?;
        install_staged(tx, stream, fold, first_offset)?;
        for gap in fold.open_gaps.values() {
            ledger::keep_gap(tx, stream.id, &gap.opened)?;
        }
    }
    streams.save(tx)
}

fn insert_keys(
    tx: &Transaction<'_>,
    stream: &mut Stream,
    keys: &KeyTable<KeyState>,
) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO agents (agent, stream, offset, epoch, position, present, digest,
             occurred_at, received_at, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for (key, value) in keys.iter() {
        let agent = stream.key(tx, key)?;
        let (epoch, position) = split(value.version);
        insert.execute(params![
            agent,
            stream.id,
            signed(value.offset),
            epoch,
            position,
            value.present,
            value.digest.to_be_bytes().as_slice(),
            value.occurred_at.map(|at| at.0),
            value.received_at.0,
            payload(&value.payload),
        ])?;
    }
    Ok(())
}

/// Items of the open bracket. Those that the log still holds are staged already, as the events that
/// they will become; the older ones will become state only, so an image's value is enough of them.
fn install_staged(
    tx: &Transaction<'_>,
    stream: &mut Stream,
    fold: &StreamFold,
    first_offset: u64,
) -> rusqlite::Result<()> {
    let open = fold.staged.as_ref();
    tx.execute(
        "DELETE FROM staged WHERE stream = ?1 AND (?2 IS NULL OR snapshot <> ?2)",
        params![stream.id, open.map(|staged| signed(staged.snapshot.0))],
    )?;
    let Some(staged) = open else { return Ok(()) };
    keep_bracket(tx, stream.id, staged.snapshot)?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO staged (offset, stream, epoch, position, ordinal, agent, origin, effect,
             deleted, occurred_at, received_at, snapshot, payload, digest)
         VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for (key, value) in staged.items.iter().filter(|(_, value)| value.offset < first_offset) {
        let agent = stream.key(tx, key)?;
        let (epoch, position) = split(value.version);
        insert.execute(params![
            signed(value.offset),
            stream.id,
            epoch,
            position,
            agent,
            Origin::Snapshot.word(),
            Effect::State.word(),
            !value.present,
            value.occurred_at.map(|at| at.0),
            value.received_at.0,
            signed(staged.snapshot.0),
            payload(&value.payload),
            value.digest.to_be_bytes().as_slice(),
        ])?;
    }
    Ok(())
}

fn keep_bracket(tx: &Transaction<'_>, stream: i64, snapshot: SnapshotId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO snapshots (stream, snapshot, status) VALUES (?1, ?2, 'open')",
    )?
    .execute(params![stream, signed(snapshot.0)])?;
    Ok(())
}
