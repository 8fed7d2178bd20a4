//! Rows of the store as JSON.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use unbroken_store::{GapRow, StateRow};

use crate::clock::wall;
use crate::payload::Payload;
use crate::words;

#[derive(Serialize)]
struct State<'a> {
    key: &'a str,
    occurred_at: Option<String>,
    offset: u64,
    payload: Payload<'a>,
    present: bool,
    received_at: String,
    stale_since: Option<String>,
    stream: &'a str,
    version: Option<String>,
}

/// The present value of a key, as one JSON object.
pub fn state_json(row: &StateRow) -> Box<RawValue> {
    let state = State {
        key: row.key.as_str(),
        occurred_at: row.occurred_at.map(wall),
        offset: row.offset,
        payload: Payload::of(&row.payload),
        present: row.present,
        received_at: wall(row.received_at),
        stale_since: row.stale_since.map(wall),
        stream: row.stream.as_str(),
        version: row.version.map(|position| position.to_string()),
    };
    // Writing JSON into a buffer cannot fail.
    to_raw_value(&state).unwrap_or_else(|_| RawValue::NULL.to_owned())
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
