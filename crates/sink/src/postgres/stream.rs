//! What the record says of each stream, as the table has it.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row, Transaction};
use unbroken_core::ids::StreamId;
use unbroken_core::record::{Body, GapOutcome, Record, Turn};
use unbroken_core::time::UnixMicros;

use super::rows::{Time, signed};

/// All of them, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(BTreeMap<StreamId, Stream>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stream {
    live_conn: Option<u64>,
    live_changed_at: Option<UnixMicros>,
    stale_before: Option<(u64, UnixMicros)>,
    has_changed: bool,
}

impl Streams {
    pub(super) async fn load(tx: &Transaction<'_>) -> Result<Self, Error> {
        let rows = tx.query_typed(LOAD, &[]).await?;
        rows.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The rules are those of the log's fold.
    pub(super) fn take(&mut self, offset: u64, record: &Record) {
        let stream = match &record.body {
            Body::Connection(_) | Body::GapClosed(_) | Body::SnapshotEnd(_) => {
                self.0.entry(record.stream.clone()).or_default()
            }
            _ => return,
        };
        let before = *stream;
        match &record.body {
            Body::Connection(turn) => stream.turn(turn.conn.0, turn.turn, record.received_at),
            Body::GapClosed(gap) if gap.outcome != GapOutcome::Summarised && !gap.reconciled => {
                stream.stale_before = Some((offset, gap.wall_from));
            }
            Body::SnapshotEnd(end) if end.rows_are_state && !end.keyed => {
                stream.stale_before = None;
            }
            _ => {}
        }
        stream.has_changed |= *stream != before;
    }

    /// Keys last written before this offset may be stale, since that time.
    pub(super) fn doubt(&mut self, stream: &StreamId, stale_before: (u64, UnixMicros)) {
        let stream = self.0.entry(stream.clone()).or_default();
        stream.stale_before = Some(stale_before);
        stream.has_changed = true;
    }

    /// Writes those that have changed.
    pub(super) async fn save(&mut self, tx: &Transaction<'_>) -> Result<(), Error> {
        for (name, stream) in self.0.iter_mut().filter(|(_, stream)| stream.has_changed) {
            let before = stream.stale_before.map(|(offset, _)| signed(offset));
            let since = stream.stale_before.map(|(_, since)| Time(since));
            let params = [
                (&name.as_str() as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT),
                (&stream.live_conn.map(signed), Type::INT8),
                (&stream.live_changed_at.map(Time), Type::TIMESTAMPTZ),
                (&before, Type::INT8),
                (&since, Type::TIMESTAMPTZ),
            ];
            tx.execute_typed(SAVE, &params).await?;
            stream.has_changed = false;
        }
        Ok(())
    }
}

impl Stream {
    /// A stream is Live on one connection; that another is opened or closed beside it (a hand-over)
    /// changes nothing.
    fn turn(&mut self, conn: u64, turn: Turn, at: UnixMicros) {
        let was_live = self.live_conn.is_some();
        match turn {
            Turn::Opened => {}
            Turn::Live => self.live_conn = Some(conn),
            Turn::Doubted | Turn::Closed => {
                self.live_conn = self.live_conn.filter(|held| *held != conn);
            }
        }
        if was_live != self.live_conn.is_some() {
            self.live_changed_at = Some(at);
        }
    }
}

/// Times in microseconds since 1970, exactly.
const LOAD: &str = "SELECT stream, live_conn, \
    (extract(epoch FROM live_changed_at) * 1000000)::int8 AS live_changed_at, stale_before, \
    (extract(epoch FROM stale_since) * 1000000)::int8 AS stale_since FROM streams";

const SAVE: &str = "INSERT INTO streams (stream, live_conn, live_changed_at, stale_before, \
    stale_since) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (stream) DO UPDATE SET \
    live_conn = $2, live_changed_at = $3, stale_before = $4, stale_since = $5";

fn read(row: &Row) -> Result<(StreamId, Stream), Error> {
    let name = StreamId::new(row.try_get::<_, String>("stream")?);
    let number = |column: &str| row.try_get::<_, Option<i64>>(column);
    let stale_before = number("stale_before")?.map(|offset| offset as u64);
    let stream = Stream {
        live_conn: number("live_conn")?.map(|conn| conn as u64),
        live_changed_at: number("live_changed_at")?.map(UnixMicros),
        stale_before: stale_before.zip(number("stale_since")?.map(UnixMicros)),
        has_changed: false,
    };
    Ok((name, stream))
}
