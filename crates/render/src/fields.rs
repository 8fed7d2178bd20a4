//! The fields of a record's kind, as they are written.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use unbroken_core::record::{Body, Change, Quarantined};

use crate::clock::wall;
use crate::payload::Payload;
use crate::record::record_fields;
use crate::words;

/// What holds bytes of the vendor's, and everything else.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Fields<'a> {
    Change(Box<ChangeFields<'a>>),
    Quarantined(QuarantinedFields<'a>),
    Other(Value),
}

#[derive(Serialize)]
pub(crate) struct ChangeFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bookmark: Option<Cow<'a, str>>,
    deleted: bool,
    effect: &'static str,
    event_id: Option<&'a str>,
    key: &'a str,
    kind: Option<&'a str>,
    occurred_at: Option<&'a str>,
    ordinal: u16,
    origin: &'static str,
    payload: Payload<'a>,
    position: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<u64>,
}

#[derive(Serialize)]
pub(crate) struct Place {
    epoch: u32,
    sequence: u64,
}

#[derive(Serialize)]
pub(crate) struct QuarantinedFields<'a> {
    conn: Option<u64>,
    digest: String,
    length: u64,
    payload: Payload<'a>,
    reason: &'a str,
}

impl<'a> Fields<'a> {
    /// `occurred_at`: of a change, as it is written.
    pub(crate) fn of(body: &'a Body, occurred_at: Option<&'a str>) -> Self {
        let change =
            |change, snapshot| Self::Change(Box::new(of_change(change, snapshot, occurred_at)));
        match body {
            Body::Change(it) => change(it, None),
            Body::SnapshotItem { snapshot, change: it } => change(it, Some(snapshot.0)),
            Body::Quarantined(quarantined) => Self::Quarantined(of_quarantined(quarantined)),
            _ => Self::Other(record_fields(body)),
        }
    }
}

/// When it happened, by the vendor, if it is a change and says so.
pub(crate) fn occurred_at(body: &Body) -> Option<String> {
    match body {
        Body::Change(change) | Body::SnapshotItem { change, .. } => change.occurred_at.map(wall),
        _ => None,
    }
}

/// The fields of a record's kind, as one JSON object.
pub fn fields_text(body: &Body) -> String {
    let occurred_at = occurred_at(body);
    // Writing JSON into a buffer cannot fail.
    serde_json::to_string(&Fields::of(body, occurred_at.as_deref())).unwrap_or_default()
}

fn of_change<'a>(
    change: &'a Change,
    snapshot: Option<u64>,
    occurred_at: Option<&'a str>,
) -> ChangeFields<'a> {
    let bookmark = change.bookmark.as_ref();
    ChangeFields {
        bookmark: bookmark.map(|bookmark| String::from_utf8_lossy(bookmark.as_bytes())),
        deleted: change.deleted,
        effect: words::effect(change.effect),
        event_id: change.event_id.as_ref().map(|id| id.as_str()),
        key: change.key.as_str(),
        kind: change.kind.as_ref().map(|kind| kind.as_str()),
        occurred_at,
        ordinal: change.ordinal,
        origin: words::origin(change.origin),
        payload: Payload::of(&change.payload),
        position: change.position.map(|p| Place { epoch: p.epoch.0, sequence: p.sequence }),
        snapshot,
    }
}

fn of_quarantined(quarantined: &Quarantined) -> QuarantinedFields<'_> {
    QuarantinedFields {
        conn: quarantined.conn.map(|conn| conn.0),
        digest: format!("{:032x}", quarantined.digest),
        length: quarantined.length,
        payload: Payload::of(&quarantined.bytes),
        reason: quarantined.reason.as_str(),
    }
}
