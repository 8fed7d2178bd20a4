//! A data directory with a little of everything, the same every time but for the journal's id.

use std::path::Path;

use bytes::Bytes;
use unbroken_core::ids::{AppendId, ConnId, GapId, SnapshotId};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{
    Append, Body, Change, Closer, ConnectionTurn, Effect, GapCause, GapClosed, GapOpened,
    GapOutcome, Mark, Origin, Record, SnapshotBegin, SnapshotEnd, Turn, Witness, digest,
};
use unbroken_core::time::UnixMicros;
use unbroken_journal::{ImagePolicy, Options, open};

/// 2026-11-24T06:00:00Z.
const BEGIN: i64 = 1_795_500_000_000_000;

fn at(second: i64) -> UnixMicros {
    UnixMicros(BEGIN + second * 1_000_000)
}

fn fixed_clock() -> UnixMicros {
    at(0)
}

fn place(sequence: u64) -> Position {
    Position::new(Epoch(1), sequence)
}

fn change(key: &str, sequence: u64, origin: Origin, payload: &'static str) -> Change {
    Change {
        key: key.into(),
        position: Some(place(sequence)),
        bookmark: None,
        ordinal: 0,
        event_id: None,
        kind: Some("event".into()),
        deleted: false,
        origin,
        effect: Effect::State,
        occurred_at: Some(at(i64::try_from(sequence).expect("small"))),
        digest: digest(payload.as_bytes()),
        payload: Bytes::from_static(payload.as_bytes()),
    }
}

fn bodies() -> Vec<Body> {
    let turn = |turn, by, why: &str| {
        Body::Connection(ConnectionTurn { conn: ConnId(1), turn, by, why: why.into() })
    };
    let item = change("anna", 100, Origin::Snapshot, r#"{"state":"Available"}"#);
    let digest = item.digest;
    let gap = (GapId(1), Some(place(102)), at(102), GapCause::Refused);
    vec![
        Body::EpochChanged { epoch: Epoch(1), name: Some("e-1".into()) },
        turn(Turn::Opened, Closer::Us, "first attempt"),
        Body::SnapshotBegin(SnapshotBegin {
            snapshot: SnapshotId(1),
            tag: Some(place(100)),
            rows_are_state: true,
            keys: None,
        }),
        Body::SnapshotItem { snapshot: SnapshotId(1), change: item },
        Body::SnapshotEnd(SnapshotEnd {
            snapshot: SnapshotId(1),
            count: 1,
            rows: 1,
            digest,
            tag: Some(place(100)),
            rows_are_state: true,
            keyed: false,
            converging_until: None,
            witness: Witness::Resumed,
        }),
        turn(Turn::Live, Closer::Us, "proved"),
        Body::Change(change("anna", 101, Origin::Live, r#"{"state":"Break"}"#)),
        Body::Change(change("ben", 102, Origin::Live, r#"{"state":"Available"}"#)),
        turn(Turn::Closed, Closer::Vendor, "closed (1012)"),
        Body::GapOpened(GapOpened { gap: gap.0, after: gap.1, wall_from: gap.2, cause: gap.3 }),
        Body::GapClosed(GapClosed {
            gap: gap.0,
            outcome: GapOutcome::Unrecoverable,
            after: gap.1,
            through: Some(place(110)),
            wall_from: gap.2,
            wall_to: at(111),
            cause: gap.3,
            closed_by: None,
            reconciled: true,
        }),
        Body::Change(change("ben", 111, Origin::Replay, r#"{"state":"Meeting"}"#)),
    ]
}

/// Writes the log, and nothing else. Returns the journal's id.
pub(crate) fn write_log(data_dir: &Path) -> String {
    let mut options = Options::new(data_dir.join("journal"));
    options.wall_clock = fixed_clock;
    options.images = ImagePolicy::Seal;
    let mut opened = open(options).expect("a new journal");
    for (id, body) in (1..).map(AppendId).zip(bodies()) {
        let sequence = match &body {
            Body::Change(change) => change.position,
            Body::SnapshotEnd(end) => end.tag,
            Body::GapClosed(gap) => gap.through,
            _ => None,
        };
        let second = i64::try_from(id.0).expect("small");
        let record = Record { stream: "cx/adherence".into(), received_at: at(second), body };
        let mark = sequence.map(|position| Mark { stream: "cx/adherence".into(), position });
        opened.writer.commit(&[Append { id, records: vec![record], mark }]).expect("a commit");
    }
    let journal = opened.journal.to_string();
    opened.writer.close().expect("a clean stop");
    journal
}
