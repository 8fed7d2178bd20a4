//! The schema: made, and entered.

use std::ops::Range;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Transaction};

use super::PostgresConfig;
use super::fault::fault;
use crate::SinkError;
use crate::sql::signed;

/// Of `schema.sql`. A change of it comes with a migration from each older one.
const VERSION: i32 = 1;

const TABLES: &str = include_str!("schema.sql");

const TABLES_BY_DAY: &str = include_str!("by_day.sql");

/// The row of the table `checkpoint`, which is locked.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) fence: u64,
    pub(super) checkpoint: Option<String>,
    pub(super) log: Option<i16>,
}

/// Makes the schema if it is not there, and enters it. Two who do so at once wait for each other.
pub(super) async fn ready(
    tx: &Transaction<'_>,
    config: &PostgresConfig,
) -> Result<Held, SinkError> {
    let failed = || fault("opening it");
    enter(tx, &config.schema).await.map_err(failed())?;
    let table = format!("{}.checkpoint", quoted(&config.schema));
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&table, Type::TEXT)];
    let lock = "SELECT pg_advisory_xact_lock(hashtext($1))";
    tx.query_typed(lock, &params).await.map_err(failed())?;
    let look = "SELECT to_regclass($1) IS NOT NULL";
    let row = tx.query_typed_one(look, &params).await.map_err(failed())?;
    if !row.try_get::<_, bool>(0).map_err(failed())? {
        make(tx, config).await.map_err(failed())?;
    }
    let read = "SELECT sink, schema_version, fence, checkpoint, log FROM checkpoint FOR UPDATE";
    let row = tx.query_typed_opt(read, &[]).await.map_err(failed())?;
    let row = row.ok_or_else(super::no_checkpoint)?;
    let sink: String = row.try_get(0).map_err(failed())?;
    if sink != config.name {
        let what = format!("schema `{}` is that of the sink `{sink}`", config.schema);
        return Err(SinkError::blocked(what, "give each sink a schema of its own"));
    }
    let version: i32 = row.try_get(1).map_err(failed())?;
    if version != VERSION {
        let what = format!("schema `{}` has version {version}, and not {VERSION}", config.schema);
        return Err(SinkError::blocked(what, "run the release of Unbroken that wrote it last"));
    }
    let fence: i64 = row.try_get(2).map_err(failed())?;
    let checkpoint = row.try_get(3).map_err(failed())?;
    Ok(Held { fence: fence as u64, checkpoint, log: row.try_get(4).map_err(failed())? })
}

/// Everything for this transaction alone, so that a pooler may give the next one to another
/// connection: what an earlier owner of this one has prepared is dropped, too, and its temporary
/// tables never stand before ours. What is committed is on disk, whatever the server's default is.
/// A transaction of ours that nobody ends, since its connection was lost, ends soon: it has the
/// checkpoint, and whoever comes next waits for it.
pub(super) async fn enter(tx: &Transaction<'_>, schema: &str) -> Result<(), Error> {
    let settings = format!(
        "DEALLOCATE ALL; SET LOCAL search_path TO {}, pg_temp; \
         SET LOCAL synchronous_commit TO on; SET LOCAL lock_timeout TO '30s'; \
         SET LOCAL idle_in_transaction_session_timeout TO '30s'; \
         SET LOCAL tcp_keepalives_idle TO 30; SET LOCAL tcp_keepalives_interval TO 10; \
         SET LOCAL tcp_keepalives_count TO 3",
        quoted(schema)
    );
    tx.batch_execute(&settings).await
}

async fn make(tx: &Transaction<'_>, config: &PostgresConfig) -> Result<(), Error> {
    let schema = quoted(&config.schema);
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&config.schema, Type::TEXT)];
    let look = "SELECT to_regnamespace(quote_ident($1)) IS NOT NULL";
    // Who may not make schemas may have been given one.
    if !tx.query_typed_one(look, &params).await?.try_get::<_, bool>(0)? {
        tx.batch_execute(&format!("CREATE SCHEMA {schema}")).await?;
    }
    tx.batch_execute(TABLES).await?;
    if config.by_day {
        tx.batch_execute(TABLES_BY_DAY).await?;
    }
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&VERSION, Type::INT4), (&config.name, Type::TEXT)];
    let insert = "INSERT INTO checkpoint (schema_version, sink) VALUES ($1, $2)";
    tx.execute_typed(insert, &params).await.map(drop)
}

/// A new number for a log. State is that of one log.
pub(super) async fn begin_log(tx: &Transaction<'_>, journal: &str) -> Result<i16, Error> {
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&journal, Type::TEXT)];
    let insert = "INSERT INTO logs (journal) VALUES ($1) RETURNING log";
    let log: i16 = tx.query_typed_one(insert, &params).await?.try_get(0)?;
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&log, Type::INT2)];
    tx.execute_typed("UPDATE checkpoint SET log = $1", &params).await?;
    tx.batch_execute("DELETE FROM state; DELETE FROM staged; DELETE FROM streams").await?;
    Ok(log)
}

/// Where somebody has set the checkpoint back, items of brackets come again.
pub(super) async fn unstage(tx: &Transaction<'_>, log: i16, from: u64) -> Result<(), Error> {
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&log, Type::INT2), (&signed(from), Type::INT8)];
    let delete = "DELETE FROM staged WHERE log = $1 AND log_offset >= $2";
    tx.execute_typed(delete, &params).await.map(drop)
}

/// Behind the last row of a log.
pub(super) async fn rows_end(tx: &Transaction<'_>, log: i16) -> Result<u64, Error> {
    let params: [(&(dyn ToSql + Sync), Type); 1] = [(&log, Type::INT2)];
    let last = "SELECT GREATEST((SELECT max(log_offset) FROM events WHERE log = $1), \
        (SELECT max(log_offset) FROM staged WHERE log = $1), \
        (SELECT max(log_offset) FROM ledger WHERE log = $1), \
        (SELECT max(log_offset) FROM dead_letters WHERE log = $1))";
    let last: Option<i64> = tx.query_typed_one(last, &params).await?.try_get(0)?;
    Ok(last.map_or(0, |last| last as u64 + 1))
}

/// Those of records that are given again, as somebody has set the checkpoint back: what is refused
/// again is put aside again.
pub(super) async fn forget_letters(
    tx: &Transaction<'_>,
    log: i16,
    again: Range<u64>,
) -> Result<(), Error> {
    let [from, to] = [again.start, again.end].map(signed);
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&log, Type::INT2), (&from, Type::INT8), (&to, Type::INT8)];
    let delete = "DELETE FROM dead_letters WHERE log = $1 AND log_offset >= $2 AND log_offset < $3";
    tx.execute_typed(delete, &params).await.map(drop)
}

/// What was lost to this sink may have been about any key: all that are left are given anew.
pub(super) async fn lapse(tx: &Transaction<'_>, log: i16, range: [u64; 2]) -> Result<(), Error> {
    let [from, to] = range.map(signed);
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&log, Type::INT2), (&from, Type::INT8), (&to, Type::INT8)];
    let insert = "INSERT INTO lapses (log, from_offset, to_offset) VALUES ($1, $2, $3) \
        ON CONFLICT (log, from_offset) DO UPDATE SET to_offset = $3";
    tx.execute_typed(insert, &params).await?;
    // Rows of the ledger that are open still are told anew with the image; others have ended.
    let ended = "DELETE FROM gaps WHERE log = $1 AND outcome IS NULL";
    tx.execute_typed(ended, &[(&log, Type::INT2)]).await?;
    tx.batch_execute("DELETE FROM state; DELETE FROM staged; DELETE FROM streams").await
}

/// A name as SQL has it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
