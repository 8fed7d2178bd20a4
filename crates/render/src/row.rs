//! Rows of the store as JSON.

use serde_json::{Value, json};
use unbroken_store::{GapRow, StateRow};

use crate::clock::wall;
use crate::record::payload_json;
use crate::words;

/// The present value of a key.
pub fn state_json(row: &StateRow) -> Value {
    json!({
        "stream": row.stream.as_str(),
        "key": row.key.as_str(),
        "present": row.present,
        "version": row.version.map(|position| position.to_string()),
        "offset": row.offset,
        "occurred_at": row.occurred_at.map(wall),
        "received_at": wall(row.received_at),
        "stale_since": row.stale_since.map(wall),
        "payload": payload_json(&row.payload),
    })
}

/// A row of the gap ledger.
pub fn gap_json(row: &GapRow) -> Value {
    json!({
        "stream": row.stream.as_str(),
        "gap": row.gap.0,
        "cause": words::cause(row.cause),
        "outcome": row.outcome.map(words::outcome),
        "after": row.after.map(|position| position.to_string()),
        "through": row.through.map(|position| position.to_string()),
        "from": wall(row.wall_from),
        "to": row.wall_to.map(wall),
        "closed_by_snapshot": row.closed_by.map(|snapshot| snapshot.0),
        "reconciled": row.reconciled,
    })
}
