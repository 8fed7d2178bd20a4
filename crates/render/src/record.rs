//! A record as a tree or as a row.

use serde_json::{Value, json};
use unbroken_core::bookmark::Bookmark;
use unbroken_core::directive::{Act, Directive};
use unbroken_core::position::Position;
use unbroken_core::record::{
    Body, Change, GapClosed, Quarantined, Record, SnapshotBegin, SnapshotEnd,
};

use crate::clock::wall;
use crate::payload::payload_json;
use crate::words;

/// The kind of a record, in one word.
pub fn kind(body: &Body) -> &'static str {
    match body {
        Body::Change(_) => "change",
        Body::SnapshotBegin(_) => "snapshot_begin",
        Body::SnapshotItem { .. } => "snapshot_item",
        Body::SnapshotEnd(_) => "snapshot_end",
        Body::SnapshotAbort { .. } => "snapshot_abort",
        Body::GapOpened(_) => "gap_opened",
        Body::GapClosed(_) => "gap_closed",
        Body::Progress { .. } => "progress",
        Body::EpochChanged { .. } => "epoch_changed",
        Body::Quarantined(_) => "quarantined",
        Body::Connection(_) => "connection",
        Body::Forgotten { .. } => "forgotten",
        Body::Directive(_) => "directive",
        Body::HistoryOwed(_) => "history_owed",
        Body::HistoryForgone { .. } => "history_forgone",
    }
}

/// Every kind of a record.
pub const RECORD_KINDS: [&str; 15] = [
    "change",
    "snapshot_begin",
    "snapshot_item",
    "snapshot_end",
    "snapshot_abort",
    "gap_opened",
    "gap_closed",
    "progress",
    "epoch_changed",
    "quarantined",
    "connection",
    "forgotten",
    "directive",
    "history_owed",
    "history_forgone",
];

/// Headings of [`record_row`].
pub const RECORD_HEADINGS: [&str; 6] =
    ["offset", "received", "stream", "record", "position", "what"];

/// A row for people.
pub fn record_row(offset: u64, record: &Record) -> [String; 6] {
    let (position, what) = summary(&record.body);
    [
        offset.to_string(),
        wall(record.received_at),
        record.stream.to_string(),
        kind(&record.body).to_owned(),
        position.map_or_else(String::new, |position| position.to_string()),
        what,
    ]
}

/// The fields of a record's kind, as a tree for programs within. Numbers of a payload are what
/// `serde_json` makes of them, which may be less than the vendor wrote: what leaves the program is
/// written by [`super::fields_text`] and its like.
pub fn record_fields(body: &Body) -> Value {
    match body {
        Body::Change(change) => change_json(change),
        Body::SnapshotItem { snapshot, change } => {
            let mut value = change_json(change);
            value["snapshot"] = json!(snapshot.0);
            value
        }
        Body::SnapshotBegin(begin) => snapshot_begin_json(begin),
        Body::SnapshotEnd(end) => snapshot_end_json(end),
        Body::SnapshotAbort { snapshot } => json!({ "snapshot": snapshot.0 }),
        Body::GapOpened(gap) => json!({
            "gap": gap.gap.0, "cause": words::cause(gap.cause), "after": place(gap.after),
            "from": wall(gap.wall_from),
        }),
        Body::GapClosed(gap) => gap_closed_json(gap),
        Body::Progress { position, bookmark } => {
            booked(json!({ "position": place(Some(*position)) }), bookmark.as_ref())
        }
        Body::EpochChanged { epoch, name } => {
            json!({ "epoch": epoch.0, "name": name.as_ref().map(|name| name.as_str()) })
        }
        Body::Quarantined(quarantined) => quarantined_json(quarantined),
        Body::Connection(turn) => json!({
            "conn": turn.conn.0, "turn": words::turn(turn.turn), "by": words::closer(turn.by),
            "why": turn.why.as_str(),
        }),
        Body::Forgotten { key } => json!({ "key": key.as_str() }),
        Body::Directive(directive) => directive_json(directive),
        Body::HistoryOwed(owed) => json!({
            "gap": owed.row.gap.0, "from": wall(owed.row.wall_from), "to": wall(owed.row.wall_to),
            "since": wall(owed.since),
        }),
        Body::HistoryForgone { gap, why } => json!({ "gap": gap.0, "why": why.as_str() }),
    }
}

fn snapshot_begin_json(begin: &SnapshotBegin) -> Value {
    let mut value = json!({
        "snapshot": begin.snapshot.0, "tag": place(begin.tag),
        "rows_are_state": begin.rows_are_state,
    });
    if let Some(keys) = &begin.keys {
        value["keys"] = keys.iter().map(|key| key.as_str()).collect();
    }
    value
}

fn directive_json(directive: &Directive) -> Value {
    let value = json!({
        "act": words::act(&directive.act), "by": directive.by.as_str(),
        "why": directive.why.as_str(),
    });
    match &directive.act {
        Act::Pause | Act::Resume => value,
        Act::SetPosition { position, bookmark } => {
            let mut value = booked(value, bookmark.as_ref());
            value["position"] = place(Some(*position));
            value
        }
        Act::ForgetPosition { epoch } => {
            let mut value = value;
            value["epoch"] = json!(epoch.0);
            value
        }
    }
}

/// Where positions are opaque: with the vendor's own text, as far as it is one.
fn booked(mut value: Value, bookmark: Option<&Bookmark>) -> Value {
    if let Some(bookmark) = bookmark {
        value["bookmark"] = json!(String::from_utf8_lossy(bookmark.as_bytes()));
    }
    value
}

fn change_json(change: &Change) -> Value {
    let value = json!({
        "key": change.key.as_str(),
        "position": place(change.position),
        "ordinal": change.ordinal,
        "event_id": change.event_id.as_ref().map(|id| id.as_str()),
        "kind": change.kind.as_ref().map(|kind| kind.as_str()),
        "deleted": change.deleted,
        "origin": words::origin(change.origin),
        "effect": words::effect(change.effect),
        "occurred_at": change.occurred_at.map(wall),
        "payload": payload_json(&change.payload),
    });
    booked(value, change.bookmark.as_ref())
}

fn snapshot_end_json(end: &SnapshotEnd) -> Value {
    json!({
        "snapshot": end.snapshot.0, "count": end.count, "rows": end.rows, "tag": place(end.tag),
        "rows_are_state": end.rows_are_state, "converging_until": place(end.converging_until),
        "witness": words::witness(end.witness),
    })
}

fn gap_closed_json(gap: &GapClosed) -> Value {
    json!({
        "gap": gap.gap.0, "cause": words::cause(gap.cause), "outcome": words::outcome(gap.outcome),
        "after": place(gap.after), "through": place(gap.through), "from": wall(gap.wall_from),
        "to": wall(gap.wall_to), "closed_by": gap.closed_by.map(|snapshot| snapshot.0),
        "reconciled": gap.reconciled,
    })
}

fn quarantined_json(quarantined: &Quarantined) -> Value {
    json!({
        "conn": quarantined.conn.map(|conn| conn.0), "reason": quarantined.reason.as_str(),
        "length": quarantined.length, "digest": format!("{:032x}", quarantined.digest),
        "payload": payload_json(&quarantined.bytes),
    })
}

fn place(position: Option<Position>) -> Value {
    position.map_or(Value::Null, |p| json!({ "epoch": p.epoch.0, "sequence": p.sequence }))
}

fn summary(body: &Body) -> (Option<Position>, String) {
    match body {
        Body::Change(change) | Body::SnapshotItem { change, .. } => {
            let gone = if change.deleted { " is gone" } else { "" };
            let history = match change.effect {
                unbroken_core::record::Effect::History => ", history",
                unbroken_core::record::Effect::State => "",
            };
            let origin = words::origin(change.origin);
            (change.position, format!("{}{gone} ({origin}{history})", change.key))
        }
        Body::SnapshotBegin(begin) => (begin.tag, format!("snapshot {}", begin.snapshot)),
        Body::SnapshotEnd(end) => {
            let (snapshot, rows, count) = (end.snapshot, end.rows, end.count);
            (end.tag, format!("snapshot {snapshot}: {rows} rows, {count} differed"))
        }
        Body::SnapshotAbort { snapshot } => (None, format!("snapshot {snapshot} given up")),
        Body::GapOpened(gap) => {
            (gap.after, format!("gap {} opened: {}", gap.gap, words::cause_plainly(gap.cause)))
        }
        Body::GapClosed(gap) => {
            (gap.through, format!("gap {} closed: {}", gap.gap, words::outcome(gap.outcome)))
        }
        Body::Progress { position, .. } => {
            (Some(*position), "the vendor has come so far".to_owned())
        }
        Body::EpochChanged { epoch, .. } => (None, format!("numbering {} begins", epoch.0)),
        Body::Quarantined(quarantined) => (None, quarantined.reason.to_string()),
        Body::Connection(turn) => {
            let (conn, word) = (turn.conn, words::turn(turn.turn));
            (None, format!("connection {conn} {word}: {}", turn.why))
        }
        Body::Forgotten { key } => (None, format!("{key} forgotten")),
        Body::Directive(directive) => directive_summary(directive),
        Body::HistoryOwed(owed) => {
            (None, format!("gap {}: the vendor's history is to be asked", owed.row.gap.0))
        }
        Body::HistoryForgone { gap, why } => {
            (None, format!("gap {}: history was asked in vain: {why}", gap.0))
        }
    }
}

fn directive_summary(directive: &Directive) -> (Option<Position>, String) {
    let position = match &directive.act {
        Act::SetPosition { position, .. } => Some(*position),
        Act::Pause | Act::Resume | Act::ForgetPosition { .. } => None,
    };
    let (act, by, why) = (words::act(&directive.act), &directive.by, &directive.why);
    let why = if why.as_str().is_empty() { String::new() } else { format!(": {why}") };
    (position, format!("{act} by {by}{why}"))
}
