//! The views say what an analyst would read into them.

use rusqlite::Connection;
use tempfile::TempDir;
use unbroken_core::ids::{ConnId, GapId, Label};
use unbroken_core::record::{
    Body, Change, Closer, ConnectionTurn, GapCause, GapClosed, GapOpened, GapOutcome, Record, Turn,
};
use unbroken_core::time::UnixMicros;
use unbroken_store::{StoreReader, open_or_build};

use crate::world::{MemoryLog, change, record};

const STREAM: &str = "cxone/adherence";
/// 2024-01-01T00:00:00Z.
const START: i64 = 1_704_067_200_000_000;

fn at(second: i64) -> i64 {
    START + second * 1_000_000
}

struct Tables {
    dir: TempDir,
    connection: Connection,
}

fn tables(records: Vec<Record>) -> Tables {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let log = MemoryLog::new("journal-1");
    log.append(records, Vec::new());
    drop(open_or_build(&path, &log).unwrap());
    Tables { dir, connection: Connection::open(&path).unwrap() }
}

impl Tables {
    /// Rows as text, columns joined by `|`, NULL as `-`.
    fn rows(&self, sql: &str) -> Vec<String> {
        let mut statement = self.connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let text = |column| {
                let value: rusqlite::types::Value = row.get(column)?;
                Ok(match value {
                    rusqlite::types::Value::Null => "-".to_owned(),
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    rusqlite::types::Value::Real(number) => number.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    rusqlite::types::Value::Blob(_) => "blob".to_owned(),
                })
            };
            Ok((0..columns).map(text).collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }
}

fn event(second: i64, sequence: u64, key: &str, payload: &str) -> Record {
    let occurred_at = Some(UnixMicros(at(second)));
    record(
        STREAM,
        at(second),
        Body::Change(Change { occurred_at, ..change(key, sequence, payload) }),
    )
}

fn turn(second: i64, conn: u64, turn: Turn, why: &str) -> Record {
    let why = Label::from(why);
    let turn = ConnectionTurn { conn: ConnId(conn), turn, by: Closer::Transport, why };
    record(STREAM, at(second), Body::Connection(turn))
}

fn gap_opened(second: i64, gap: u64) -> Record {
    let wall_from = UnixMicros(at(second));
    let cause = GapCause::NoReplay;
    let gap = GapOpened { gap: GapId(gap), after: None, wall_from, cause };
    record(STREAM, at(second), Body::GapOpened(gap))
}

fn gap_closed(from: i64, to: i64, gap: u64, outcome: GapOutcome, reconciled: bool) -> Record {
    let gap = GapClosed {
        gap: GapId(gap),
        outcome,
        after: None,
        through: None,
        wall_from: UnixMicros(at(from)),
        wall_to: UnixMicros(at(to)),
        cause: GapCause::NoReplay,
        closed_by: None,
        reconciled,
    };
    record(STREAM, at(to), Body::GapClosed(gap))
}

#[test]
fn adherence_now_shows_value_staleness_and_live() {
    let deleted = Change { deleted: true, ..change("agent-gone", 4, "") };
    let tables = tables(vec![
        turn(0, 1, Turn::Live, "proved"),
        event(
            1,
            1,
            "agent-1",
            concat!(
                r#"{"agentId":"agent-1","state":"Available","activity":"Open","#,
                r#""scheduledActivity":"Open","since":"2023-12-31T23:59:59Z","inAdherence":true}"#
            ),
        ),
        event(2, 2, "agent-2", r#"{"adherence":{"state":"Lunch"},"other":1}"#),
        event(3, 3, "agent-3", "not json"),
        record(STREAM, at(4), Body::Change(deleted)),
        turn(5, 1, Turn::Closed, "reset"),
        gap_closed(5, 9, 1, GapOutcome::Unproven, false),
        event(10, 5, "agent-2", r#"{"state":"Back"}"#),
        gap_opened(11, 2),
    ]);
    assert_eq!(
        tables.rows(
            "SELECT agent, state, activity, scheduled_activity, in_adherence, since, stale_since,
                    gap_since, live, live_changed_at FROM adherence_now ORDER BY agent"
        ),
        [
            "agent-1|Available|Open|Open|1|2023-12-31T23:59:59Z|2024-01-01T00:00:05.000Z|\
             2024-01-01T00:00:11.000Z|0|2024-01-01T00:00:05.000Z",
            "agent-2|Back|-|-|-|2024-01-01T00:00:10.000Z|-|\
             2024-01-01T00:00:11.000Z|0|2024-01-01T00:00:05.000Z",
            "agent-3|-|-|-|-|2024-01-01T00:00:03.000Z|2024-01-01T00:00:05.000Z|\
             2024-01-01T00:00:11.000Z|0|2024-01-01T00:00:05.000Z",
        ]
    );
    let named = "SELECT stream || ' ' || key || ' ' || present FROM state WHERE present = 0";
    assert_eq!(tables.rows(named), ["cxone/adherence agent-gone 0"]);
}

#[test]
fn bytes_that_are_no_text_do_not_break_a_view() {
    let mut odd = change("agent-1", 1, "");
    odd.payload = bytes::Bytes::from_static(b"\xc3\x28\x00");
    let tables = tables(vec![record(STREAM, at(0), Body::Change(odd))]);
    assert_eq!(tables.rows("SELECT agent, state, value FROM adherence_now"), ["agent-1|-|blob"]);
    assert_eq!(tables.rows("SELECT agent, state FROM adherence_intervals"), ["agent-1|-"]);
}

#[test]
fn an_interval_across_a_gap_is_not_certain() {
    let left = Change { deleted: true, ..change("agent-2", 9, "") };
    let tables = tables(vec![
        event(0, 1, "agent-1", r#"{"state":"A"}"#),
        event(10, 2, "agent-1", r#"{"state":"B"}"#),
        gap_opened(15, 1),
        gap_closed(15, 20, 1, GapOutcome::Unrecoverable, true),
        event(30, 3, "agent-1", r#"{"state":"C"}"#),
        gap_opened(40, 2),
        gap_closed(40, 45, 2, GapOutcome::Repaired, true),
        event(50, 4, "agent-1", r#"{"state":"D"}"#),
        event(55, 5, "agent-2", r#"{"state":"E"}"#),
        gap_opened(60, 3),
        record(STREAM, at(70), Body::Change(left)),
    ]);
    assert_eq!(
        tables.rows(
            "SELECT agent, state, valid_from, seconds, certain, gap_from, gap_to
             FROM adherence_intervals ORDER BY agent, from_us"
        ),
        [
            "agent-1|A|2024-01-01T00:00:00.000Z|10|1|-|-",
            "agent-1|B|2024-01-01T00:00:10.000Z|20|0|2024-01-01T00:00:15.000Z|\
             2024-01-01T00:00:20.000Z",
            "agent-1|C|2024-01-01T00:00:30.000Z|20|1|-|-",
            "agent-1|D|2024-01-01T00:00:50.000Z|-|0|2024-01-01T00:01:00.000Z|-",
            "agent-2|E|2024-01-01T00:00:55.000Z|15|0|2024-01-01T00:01:00.000Z|-",
        ]
    );
}

#[test]
fn a_late_event_takes_its_place_in_the_vendors_time() {
    let tables = tables(vec![
        event(0, 1, "agent-1", r#"{"state":"A"}"#),
        event(20, 3, "agent-1", r#"{"state":"C"}"#),
        event(10, 2, "agent-1", r#"{"state":"B"}"#),
    ]);
    assert_eq!(
        tables.rows("SELECT state, seconds FROM adherence_intervals ORDER BY from_us"),
        ["A|10", "B|10", "C|-"]
    );
}

#[test]
fn an_outage_lasts_from_not_live_to_live_again() {
    let tables = tables(vec![
        turn(0, 1, Turn::Opened, "handshake"),
        turn(1, 1, Turn::Live, "proved"),
        turn(10, 1, Turn::Closed, "reset"),
        turn(12, 2, Turn::Opened, "handshake"),
        turn(13, 2, Turn::Closed, "refused"),
        turn(15, 3, Turn::Opened, "handshake"),
        turn(16, 3, Turn::Live, "proved"),
        // A hand-over: the old socket is closed after the new one is Live.
        turn(20, 4, Turn::Opened, "handshake"),
        turn(21, 4, Turn::Live, "proved"),
        turn(22, 3, Turn::Closed, "handed over"),
        // Doubt on a socket that stays open.
        turn(30, 4, Turn::Doubted, "mute"),
        turn(33, 4, Turn::Live, "proved"),
        turn(40, 4, Turn::Closed, "idle"),
    ]);
    assert_eq!(
        tables.rows("SELECT conn, turn, by, cause, began_at, seconds FROM outages ORDER BY offset"),
        [
            "1|closed|transport|reset|2024-01-01T00:00:10.000Z|6",
            "4|doubted|transport|mute|2024-01-01T00:00:30.000Z|3",
            "4|closed|transport|idle|2024-01-01T00:00:40.000Z|-",
        ]
    );
    let reader = StoreReader::open(&tables.dir.path().join("store.sqlite")).unwrap();
    let outages = reader.outages().unwrap();
    assert_eq!(outages.len(), 3);
    assert_eq!(outages[2].ended_at, None);
    assert!(!reader.streams().unwrap()[0].live);
}
