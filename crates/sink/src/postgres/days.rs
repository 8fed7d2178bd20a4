//! Events in a table for each day, where the schema was made so.

use std::collections::BTreeSet;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Transaction};
use unbroken_core::ids::{SnapshotId, StreamId};

use crate::sql::{Row, signed};

const DAY_MICROS: i64 = 86_400_000_000;

/// Those of these days (since 1970, in UTC) that have no table. Somebody may have dropped one while
/// this instance runs.
const MISSING: &str = "SELECT to_char(day, 'YYYY_MM_DD'), to_char(day, 'YYYY-MM-DD'), \
        to_char(day + 1, 'YYYY-MM-DD') \
    FROM (SELECT DATE '1970-01-01' + day::integer AS day FROM unnest($1::bigint[]) AS day) AS days \
    WHERE to_regclass('events_' || to_char(day, 'YYYY_MM_DD')) IS NULL";

const STAGED: &str = "SELECT DISTINCT floor(extract(epoch FROM received_at) / 86400)::bigint \
    FROM staged WHERE stream = $1 AND snapshot = $2";

/// Whether there is to be one for each day.
pub(super) async fn are_there(tx: &Transaction<'_>) -> Result<bool, Error> {
    let look = "SELECT relkind = 'p' FROM pg_class WHERE oid = 'events'::regclass";
    tx.query_typed_one(look, &[]).await?.try_get(0)
}

/// Makes those that rows need.
pub(super) async fn make_for(tx: &Transaction<'_>, rows: &[Row<'_>]) -> Result<(), Error> {
    let days: BTreeSet<i64> =
        rows.iter().map(|row| row.received_at.0.div_euclid(DAY_MICROS)).collect();
    make(tx, days.into_iter().collect()).await
}

/// Makes those that the items of a bracket need.
pub(super) async fn make_for_staged(
    tx: &Transaction<'_>,
    stream: &StreamId,
    snapshot: SnapshotId,
) -> Result<(), Error> {
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&stream.as_str(), Type::TEXT), (&signed(snapshot.0), Type::INT8)];
    let rows = tx.query_typed(STAGED, &params).await?;
    make(tx, rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?).await
}

async fn make(tx: &Transaction<'_>, days: Vec<i64>) -> Result<(), Error> {
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&days, Type::INT8_ARRAY)];
    for row in tx.query_typed(MISSING, &params).await? {
        let [name, from, to]: [String; 3] = [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?];
        let table = format!(
            "CREATE TABLE events_{name} PARTITION OF events \
             FOR VALUES FROM ('{from} 00:00:00+00') TO ('{to} 00:00:00+00')"
        );
        tx.batch_execute(&table).await?;
    }
    Ok(())
}
