//! What the record says of each stream, in its table.

use tokio_postgres::SimpleQueryRow;
use unbroken_core::ids::StreamId;
use unbroken_core::time::UnixMicros;

use super::literal::{or_null, parsed_time, text, time};
use crate::sql::{Stream, Streams, signed};

pub(super) const LOAD: &str =
    "SELECT stream, live_conn, live_changed_at, stale_before, stale_since FROM streams";

pub(super) fn loaded(rows: &[SimpleQueryRow]) -> Option<Streams> {
    rows.iter().map(read).collect::<Option<_>>().map(Streams)
}

/// `None`: it is damaged.
fn read(row: &SimpleQueryRow) -> Option<(StreamId, Stream)> {
    let number = |column| row.get(column).map(str::parse::<i64>).transpose().ok();
    let at = |column| -> Option<Option<UnixMicros>> {
        row.get(column).map_or(Some(None), |text| parsed_time(text).map(Some))
    };
    let stale_before = number("stale_before")?.map(|offset| offset as u64);
    let stream = Stream {
        live_conn: number("live_conn")?.map(|conn| conn as u64),
        live_changed_at: at("live_changed_at")?,
        stale_before: stale_before.zip(at("stale_since")?),
        has_changed: false,
    };
    Some((StreamId::new(row.get("stream")?), stream))
}

/// Two statements that write those that have changed; none if none has.
pub(super) fn saved(streams: &mut Streams) -> Vec<String> {
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    for (name, stream) in streams.0.iter_mut().filter(|(_, stream)| stream.has_changed) {
        stream.has_changed = false;
        let name = text(name.as_str());
        let (before, since) = (stream.stale_before, stream.stale_before);
        rows.push(format!(
            "({name}, {}, {}, {}, {})",
            or_null(stream.live_conn, |conn| signed(conn).to_string()),
            or_null(stream.live_changed_at, time),
            or_null(before, |(offset, _)| signed(offset).to_string()),
            or_null(since, |(_, since)| time(since)),
        ));
        names.push(name);
    }
    if names.is_empty() {
        return Vec::new();
    }
    vec![
        format!("DELETE FROM streams WHERE stream IN ({})", names.join(", ")),
        format!(
            "INSERT INTO streams (stream, live_conn, live_changed_at, stale_before, stale_since) \
             VALUES {}",
            rows.join(", ")
        ),
    ]
}
