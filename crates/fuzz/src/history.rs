//! What a machine might hand to the journal: a few units with records of most kinds.

use bytes::Bytes;
use unbroken_core::bookmark::Bookmark;
use unbroken_core::ids::{AppendId, ConnId, GapId, Key, SnapshotId, StreamId};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{
    Append, Body, Change, Closer, ConnectionTurn, Effect, GapCause, GapClosed, GapOpened,
    GapOutcome, Mark, Origin, Quarantined, Record, SnapshotBegin, SnapshotEnd, Turn, Witness,
    digest,
};
use unbroken_core::time::UnixMicros;

/// The `number`th unit of a history, from 1 on: two records of a kind that depends on the number,
/// and the position after them.
pub fn unit(number: u64) -> Append {
    let stream = StreamId::from("north/agents");
    let records = (0..2)
        .map(|ordinal| Record {
            stream: stream.clone(),
            received_at: UnixMicros((number * 1_000 + ordinal) as i64),
            body: body(number, ordinal),
        })
        .collect();
    let mark = Mark { stream, position: position(number, 1) };
    Append { id: AppendId(number), records, mark: Some(mark) }
}

fn position(number: u64, ordinal: u64) -> Position {
    Position::new(Epoch((number / 10) as u32), number * 2 + ordinal)
}

fn body(number: u64, ordinal: u64) -> Body {
    let at = position(number, ordinal);
    let snapshot = SnapshotId(number / 6);
    match (number % 6, ordinal) {
        (1, 0) => Body::GapOpened(opened(number)),
        (1, _) => Body::GapClosed(closed(opened(number - number % 6 + 1))),
        (3, 0) => Body::SnapshotBegin(SnapshotBegin {
            snapshot,
            tag: Some(at),
            rows_are_state: true,
            keys: None,
        }),
        (3, _) => Body::SnapshotItem { snapshot, change: change(at, Origin::Snapshot) },
        (4, 0) => Body::SnapshotEnd(end(snapshot, at)),
        (4, _) => Body::Progress { position: at, bookmark: Bookmark::new(&number.to_le_bytes()) },
        (5, 0) => Body::Quarantined(Quarantined {
            conn: Some(ConnId(number)),
            reason: "body: expected object".into(),
            length: 3,
            digest: 7,
            bytes: Bytes::from_static(b"{x}"),
        }),
        (5, _) => Body::Connection(ConnectionTurn {
            conn: ConnId(number),
            turn: Turn::Opened,
            by: Closer::Us,
            why: "start".into(),
        }),
        _ => Body::Change(change(at, Origin::Live)),
    }
}

fn change(at: Position, origin: Origin) -> Change {
    let deleted = at.sequence.is_multiple_of(7);
    let payload = format!("{{\"state\":{},\"of\":\"{origin:?}\"}}", at.sequence).repeat(3);
    Change {
        key: Key::new(format!("agent-{}", at.sequence % 3)),
        position: Some(at),
        bookmark: None,
        ordinal: 0,
        event_id: None,
        kind: Some("adherence".into()),
        deleted,
        origin,
        effect: Effect::State,
        occurred_at: Some(UnixMicros(at.sequence as i64)),
        digest: if deleted { 0 } else { digest(payload.as_bytes()) },
        payload: payload.into(),
    }
}

fn opened(number: u64) -> GapOpened {
    GapOpened {
        gap: GapId(number),
        after: Some(position(number - 1, 1)),
        wall_from: UnixMicros(number as i64),
        cause: GapCause::Refused,
    }
}

fn closed(opened: GapOpened) -> GapClosed {
    GapClosed {
        gap: opened.gap,
        outcome: GapOutcome::Unrecoverable,
        after: opened.after,
        through: None,
        wall_from: opened.wall_from,
        wall_to: UnixMicros(opened.wall_from.0 + 5),
        cause: opened.cause,
        closed_by: None,
        reconciled: true,
    }
}

fn end(snapshot: SnapshotId, at: Position) -> SnapshotEnd {
    SnapshotEnd {
        snapshot,
        count: 1,
        rows: 4,
        digest: 0,
        tag: Some(at),
        rows_are_state: true,
        keyed: false,
        converging_until: Some(Position { sequence: at.sequence + 4, ..at }),
        witness: Witness::Contiguous,
    }
}
