//! What the record says of each stream, in its table.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row, Transaction};
use unbroken_core::ids::StreamId;
use unbroken_core::time::UnixMicros;

use super::rows::nearest;
use crate::sql::{Stream, Streams, signed};

pub(super) async fn load(tx: &Transaction<'_>) -> Result<Streams, Error> {
    let rows = tx.query_typed(LOAD, &[]).await?;
    rows.iter().map(read).collect::<Result<_, _>>().map(Streams)
}

/// Writes those that have changed.
pub(super) async fn save(streams: &mut Streams, tx: &Transaction<'_>) -> Result<(), Error> {
    for (name, stream) in streams.0.iter_mut().filter(|(_, stream)| stream.has_changed) {
        let before = stream.stale_before.map(|(offset, _)| signed(offset));
        let since = stream.stale_before.map(|(_, since)| nearest(since));
        let params = [
            (&name.as_str() as &(dyn ToSql + Sync), Type::TEXT),
            (&stream.live_conn.map(signed), Type::INT8),
            (&stream.live_changed_at.map(nearest), Type::TIMESTAMPTZ),
            (&before, Type::INT8),
            (&since, Type::TIMESTAMPTZ),
        ];
        tx.execute_typed(SAVE, &params).await?;
        stream.has_changed = false;
    }
    Ok(())
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
