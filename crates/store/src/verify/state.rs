//! State and the streams' rows, compared with the fold.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use unbroken_core::fold::{Fold, KeyState, StreamFold};
use unbroken_core::ids::{Key, StreamId};
use unbroken_core::record::Mark;

use super::tables::first_difference;
use super::{Finding, Verification};
use crate::StoreError;
use crate::column::{digest, unsigned};
use crate::row::{StateRow, StreamRow};

/// Every key of the fold is in the state, and no other, with equal values.
pub(super) fn compare_keys(rows: Vec<StateRow>, fold: &Fold, report: &mut Verification) {
    let mut held: BTreeSet<(StreamId, Key)> = BTreeSet::new();
    for row in rows {
        report.keys_checked += 1;
        let (stream, key) = (row.stream.clone(), row.key.clone());
        let value = fold.streams.get(&stream).and_then(|fold| fold.keys.get(&key));
        match value.map(|value| key_differs(&row, value)) {
            None => report.found(Finding::KeyExtra { stream: stream.clone(), key: key.clone() }),
            Some(Some(column)) => {
                let (stream, key) = (stream.clone(), key.clone());
                report.found(Finding::KeyDiffers { stream, key, column });
            }
            Some(None) => {}
        }
        held.insert((stream, key));
    }
    for (stream, fold) in &fold.streams {
        for key in fold.keys.keys() {
            if !held.contains(&(stream.clone(), key.clone())) {
                let (stream, key) = (stream.clone(), key.clone());
                report.found(Finding::KeyMissing { stream, key });
            }
        }
    }
}

fn key_differs(row: &StateRow, value: &KeyState) -> Option<&'static str> {
    first_difference! {
        "offset": row.offset, value.offset;
        "position": row.version, value.version;
        "present": row.present, value.present;
        "digest": row.digest, value.digest;
        "occurred_at": row.occurred_at, value.occurred_at;
        "received_at": row.received_at, value.received_at;
        "payload": row.payload, value.payload;
    }
}

/// Every stream of the fold has its row, and no other has. `late` are marks that stand right at the
/// checkpoint without a record: the store may have seen the first few of them.
pub(super) fn compare_streams(
    rows: Vec<StreamRow>,
    fold: &Fold,
    late: &[Mark],
    report: &mut Verification,
) {
    let mut rows: BTreeMap<StreamId, StreamRow> =
        rows.into_iter().map(|row| (row.stream.clone(), row)).collect();
    for (stream, fold) in &fold.streams {
        let stream = stream.clone();
        let column = match rows.remove(&stream) {
            None => Some("name"),
            Some(row) => stream_differs(&row, fold, late),
        };
        if let Some(column) = column {
            report.found(Finding::StreamDiffers { stream, column });
        }
    }
    // A stream that so far has only such marks has no row in the fold.
    for stream in rows.into_keys().filter(|name| !late.iter().any(|mark| mark.stream == *name)) {
        report.found(Finding::StreamDiffers { stream, column: "name" });
    }
}

fn stream_differs(row: &StreamRow, fold: &StreamFold, late: &[Mark]) -> Option<&'static str> {
    // The marks touch nothing else, so a fold without keys is enough to move it along.
    let mut moved = StreamFold {
        epoch: fold.epoch,
        position: fold.position,
        converging_until: fold.converging_until,
        ..StreamFold::default()
    };
    let mut reached = vec![(moved.position, moved.converging_until)];
    for mark in late.iter().filter(|mark| mark.stream == row.stream) {
        moved.advance(mark.position);
        reached.push((moved.position, moved.converging_until));
    }
    first_difference! {
        "epoch": row.epoch, fold.epoch;
        "epoch_name": row.epoch_name, fold.epoch_name;
        "position": true, reached.iter().any(|(position, _)| row.position == *position);
        "converging_until": true, reached.contains(&(row.position, row.converging_until));
        "stale_before": row.stale_before, fold.stale_before;
        "covered_at": row.covered_at, fold.covered_at;
        "snapshot_tag": row.snapshot_tag, fold.snapshot_tag;
        "staged_snapshot": row.staged_snapshot, fold.staged.as_ref().map(|s| s.snapshot);
    }
}

/// What waits in open brackets is what the fold has staged: by key, the newest item's offset and
/// digest.
pub(super) fn compare_staged(
    connection: &Connection,
    fold: &Fold,
    report: &mut Verification,
) -> Result<(), StoreError> {
    let mut staged =
        read_staged(connection).map_err(|source| StoreError::Read { what: "staged", source })?;
    for (stream, fold) in &fold.streams {
        for (key, value) in fold.staged.iter().flat_map(|staged| &staged.items) {
            let (stream, key) = (stream.clone(), key.clone());
            let row = staged.remove(&(stream.clone(), key.clone()));
            if row != Some((value.offset, value.digest)) {
                report.found(Finding::KeyDiffers { stream, key, column: "staged" });
            }
        }
    }
    for (stream, key) in staged.into_keys() {
        report.found(Finding::KeyDiffers { stream, key, column: "staged" });
    }
    Ok(())
}

type StagedItems = BTreeMap<(StreamId, Key), (u64, u128)>;

fn read_staged(connection: &Connection) -> rusqlite::Result<StagedItems> {
    let mut statement = connection.prepare(
        "SELECT s.name, k.name, i.offset, i.digest
         FROM staged i JOIN keys k ON k.id = i.agent JOIN streams s ON s.id = i.stream
         ORDER BY i.offset",
    )?;
    let rows = statement.query_map([], |row| {
        let stream = StreamId::new(row.get::<_, String>(0)?);
        let key = Key::new(row.get::<_, String>(1)?);
        Ok(((stream, key), (unsigned(row.get(2)?), digest(row, 3)?)))
    })?;
    rows.collect()
}
