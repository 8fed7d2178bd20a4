//! What is in the columns of tables and files, next to what is in the log.

use serde_json::{Value, json};
use unbroken_core::ids::{GapId, SnapshotId};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{
    Body, Change, Effect, GapCause, GapClosed, GapOpened, GapOutcome, Origin, SnapshotBegin, digest,
};
use unbroken_core::time::UnixMicros;

use crate::house::{House, change, config, snapshot_end};
use crate::postgres::Database;
use crate::redshift::Cluster;
use crate::shelf::Target;
use crate::staleness::Tables;
use crate::tables::{Files, duckdb};

const RECEIVED: i64 = 1_795_478_399_000_071;

fn at(epoch: u32, sequence: u64) -> Position {
    Position { epoch: Epoch(epoch), sequence }
}

/// Each field of a change has each kind of value in one of them.
fn changes() -> Vec<Change> {
    let of = |number, payload: &'static [u8]| Change {
        payload: payload.into(),
        digest: digest(payload),
        ..change(number, Origin::Live)
    };
    vec![
        Change {
            position: Some(at(3, u64::MAX - 1)),
            event_id: Some("\\N".into()),
            ordinal: 7,
            kind: None,
            origin: Origin::Replay,
            effect: Effect::History,
            occurred_at: None,
            ..of(1, b"{\"n\": 1.10, \"n\":\"twice\"}")
        },
        Change {
            key: "it's \\a \"b\"\tü\n".into(),
            position: Some(at(0, 1 << 63)),
            kind: Some("état".into()),
            origin: Origin::Backfill,
            occurred_at: Some(UnixMicros(1_795_478_398_999_999)),
            ..of(2, b"not \xff JSON")
        },
        Change { deleted: true, origin: Origin::Synthetic, ..of(3, b"") },
        Change { occurred_at: Some(UnixMicros(-1)), ..of(4, b"12345678901234567890.50") },
    ]
}

/// In a bracket that is published.
fn write(house: &mut House) -> Vec<Value> {
    let snapshot = SnapshotId(u64::MAX);
    let begin = SnapshotBegin { snapshot, tag: None, rows_are_state: true, keys: None };
    let item = Change { position: Some(at(1, 2)), ..change(9, Origin::Snapshot) };
    let changes = changes();
    let expected = (0..).zip(&changes).map(|(offset, change)| row(offset, change, None));
    let mut expected: Vec<Value> = expected.collect();
    expected.push(row(changes.len() as u64 + 1, &item, Some(snapshot)));
    let changes = changes.into_iter().map(Body::Change);
    let bracket = [
        Body::SnapshotBegin(begin),
        Body::SnapshotItem { snapshot, change: item },
        snapshot_end(snapshot, 1),
    ];
    house.append_at(UnixMicros(RECEIVED), changes.chain(bracket));
    expected
}

/// As the tables' columns are said to have it. Unsigned numbers are in signed ones.
fn row(offset: u64, change: &Change, snapshot: Option<SnapshotId>) -> Value {
    let text = std::str::from_utf8(&change.payload).ok();
    let text = text.filter(|text| serde_json::from_str::<Value>(text).is_ok());
    let bytes = text.is_none().then(|| hex(&change.payload));
    json!([
        offset,
        "cx/a",
        change.key.to_string(),
        change.position.map(|it| it.epoch.0),
        change.position.map(|it| it.sequence as i64),
        change.ordinal,
        change.event_id.as_ref().map(|it| it.as_str()),
        change.kind.as_ref().map(|it| it.as_str()),
        change.origin,
        change.effect,
        change.deleted,
        change.occurred_at.map(|at| at.0),
        RECEIVED,
        snapshot.map(|it| it.0 as i64),
        text,
        bytes,
    ])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time in microseconds, without a float's rounding.
fn micros(column: &str) -> String {
    format!("(extract(epoch FROM {column}) * 1000000)::int8")
}

async fn rows_say_what_the_log_says(tables: &impl Tables, snapshot: &str) {
    let mut house = House::new();
    let expected = write(&mut house);
    let running = house.drain(tables.sink(), config()).await;
    assert_eq!(running.progress.counts().parked, 0);
    running.stop().await;
    let told = tables.rows(&format!(
        "SELECT json_build_array(log_offset, stream, key, epoch, position, ordinal, event_id, \
             kind, origin, effect, deleted, {}, {}, {snapshot}, payload::text, \
             encode(payload_bytes, 'hex')) FROM events ORDER BY log_offset",
        micros("occurred_at"),
        micros("received_at"),
    ));
    let told: Vec<Value> =
        told.iter().map(|row| serde_json::from_str(row).expect("JSON")).collect();
    assert_eq!(told, expected);
}

/// The last close of a row wins, and an open one has no outcome.
async fn the_ledger_of_gaps_says_what_the_log_says(tables: &impl Tables) {
    let mut house = House::new();
    let opened = |gap, after, cause| GapOpened {
        gap: GapId(gap),
        after,
        wall_from: UnixMicros(10 + gap as i64),
        cause,
    };
    let first = opened(1, Some(at(2, u64::MAX)), GapCause::Refused);
    let closed = |outcome, reconciled| GapClosed {
        gap: first.gap,
        outcome,
        after: first.after,
        through: Some(at(4, 7)),
        wall_from: first.wall_from,
        wall_to: UnixMicros(RECEIVED),
        cause: first.cause,
        closed_by: None,
        reconciled,
    };
    let second = opened(2, None, GapCause::NoReplay);
    house.append([
        Body::GapOpened(first.clone()),
        Body::GapClosed(closed(GapOutcome::Unproven, false)),
        Body::GapClosed(closed(GapOutcome::Unrecoverable, true)),
        Body::GapOpened(second),
    ]);
    house.drain(tables.sink(), config()).await.stop().await;
    let told = tables.rows(&format!(
        "SELECT json_build_array(stream, gap, cause, outcome, after_epoch, after_position, \
             through_epoch, through_position, {}, {}, reconciled) FROM gaps ORDER BY gap",
        micros("wall_from"),
        micros("wall_to"),
    ));
    let told: Vec<Value> =
        told.iter().map(|row| serde_json::from_str(row).expect("JSON")).collect();
    let none = Value::Null;
    let expected = [
        json!(["cx/a", 1, "refused", "unrecoverable", 2, -1, 4, 7, 11, RECEIVED, true]),
        json!(["cx/a", 2, "no_replay", none, none, none, none, none, 12, none, none]),
    ];
    assert_eq!(told, expected);
}

/// Files have unsigned numbers, and a row for each record.
#[tokio::test]
async fn columns_of_files_say_what_the_log_says() {
    let (files, mut house) = (Files::new(), House::new());
    let expected = write(&mut house);
    house.drain(files.sink(), config()).await.stop().await;
    let query = format!(
        "SELECT json_array(log_offset, stream, key, epoch, position::HUGEINT, ordinal, event_id, \
             kind, origin, effect, deleted, epoch_us(occurred_at), epoch_us(received_at), \
             snapshot::HUGEINT, payload, lower(hex(payload_bytes))) \
         FROM '{}/day=*/*.parquet' WHERE record IN ('change', 'snapshot_item') \
         ORDER BY log_offset",
        files.dir().display()
    );
    let told: Vec<Value> =
        duckdb(&query).iter().map(|row| serde_json::from_str(row).expect("JSON")).collect();
    let unsigned = |row: Value| match row {
        Value::Array(mut columns) => {
            for at in [4, 13] {
                let signed = columns[at].as_i64();
                columns[at] = signed.map_or(Value::Null, |signed| (signed as u64).into());
            }
            Value::Array(columns)
        }
        other => other,
    };
    let expected: Vec<Value> = expected.into_iter().map(unsigned).collect();
    assert_eq!(told, expected);
}

macro_rules! trials {
    ($name:ident, $tables:expr, $snapshot:literal) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn rows_say_what_the_log_says() {
                super::rows_say_what_the_log_says(&$tables, $snapshot).await;
            }

            #[tokio::test]
            async fn the_ledger_of_gaps_says_what_the_log_says() {
                super::the_ledger_of_gaps_says_what_the_log_says(&$tables).await;
            }
        }
    };
}

trials!(postgres, Database::new(), "snapshot");
trials!(postgres_by_day, Database::by_day(), "snapshot");
trials!(redshift, Cluster::new(), "snapshot_id");
