//! The schema: made, and entered.

use std::time::Duration;

use tokio_postgres::{Error, SimpleQueryMessage};
use unbroken_render::wall_now;

use super::fault::is_made_twice;
use super::link::Connection;
use super::literal::{text, time};
use super::{RedshiftConfig, no_checkpoint, random_name};
use crate::SinkError;
use crate::crash::pass;

/// Of `schema.sql`. A change of it comes with a migration from each older one.
const VERSION: i32 = 1;

const TABLES: &str = include_str!("schema.sql");

/// What opening is called.
pub(super) const OPENING: &str = "opening it";

/// Who loses against another one that makes the schema looks again so often, and so much later.
const LOOKS_MAX: u32 = 20;
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A statement waits so long for a lock, or for a slot, in milliseconds.
const STATEMENT_MS_MAX: u32 = 600_000;

/// The row of the table `checkpoint`; it is nobody else's while the lock is held.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) sink: String,
    pub(super) fence: u64,
    pub(super) checkpoint: Option<String>,
    pub(super) log: Option<i16>,
}

/// For this session.
pub(super) async fn enter(to: &Connection, schema: &str) -> Result<(), SinkError> {
    let settings = [
        format!("SET search_path TO {schema}"),
        format!("SET statement_timeout TO {STATEMENT_MS_MAX}"),
        "SET timezone TO 'UTC'".to_owned(),
    ];
    to.run(OPENING, settings).await
}

/// Makes the schema if it is not there. Of two who do so at once the one or the other loses, at any
/// of the statements, and finds it made.
pub(super) async fn ready(to: &Connection, config: &RedshiftConfig) -> Result<(), SinkError> {
    let mut looks = 0;
    loop {
        let made = match is_there(to, config).await.map_err(|error| to.means(OPENING, error))? {
            (_, true) => return Ok(()),
            (has_schema, false) => make(to, config, has_schema).await,
        };
        looks += 1;
        match made {
            Ok(()) => return Ok(()),
            Err(Failed::Unmade(error)) => return Err(error),
            Err(Failed::Asking(error)) if looks < LOOKS_MAX && is_made_twice(&error) => {
                to.run(OPENING, ["ROLLBACK"]).await?;
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(Failed::Asking(error)) => return Err(to.means(OPENING, error)),
        }
    }
}

enum Failed {
    Asking(Error),
    Unmade(SinkError),
}

/// Whether there is a schema of the name, and the tables in it.
async fn is_there(to: &Connection, config: &RedshiftConfig) -> Result<(bool, bool), Error> {
    let schema = text(&config.schema);
    let name = format!("SELECT nspname FROM pg_namespace WHERE nspname = {schema}");
    let table = format!(
        "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = \
         pg_class.relnamespace WHERE nspname = {schema} AND relname = 'checkpoint'"
    );
    let is_row = |it: &SimpleQueryMessage| matches!(it, SimpleQueryMessage::Row(_));
    let has_schema = to.asked(&name).await?.iter().any(is_row);
    Ok((has_schema, to.asked(&table).await?.iter().any(is_row)))
}

async fn make(to: &Connection, config: &RedshiftConfig, has_schema: bool) -> Result<(), Failed> {
    let mut all = vec!["BEGIN".to_owned()];
    // Who may not make schemas may have been given one.
    if !has_schema {
        all.push(format!("CREATE SCHEMA {}", config.schema));
    }
    let tables = TABLES.split(";\n").map(str::trim).filter(|table| !table.is_empty());
    all.extend(tables.map(str::to_owned));
    let folder = random_name().map_err(Failed::Unmade)?;
    all.push(format!(
        "INSERT INTO checkpoint (schema_version, sink, folder, fence) \
         VALUES ({VERSION}, {}, '{folder}', 0)",
        text(&config.name)
    ));
    for statement in all {
        to.asked(&statement).await.map_err(Failed::Asking)?;
    }
    pass("tables-made", "the schema and its tables are made, not committed");
    to.asked("COMMIT").await.map_err(Failed::Asking)?;
    pass("schema-made", "the schema is there, and nobody has it");
    Ok(())
}

/// Where the schema's objects are. That never changes.
pub(super) async fn folder(to: &Connection) -> Result<String, SinkError> {
    let rows = to.rows(OPENING, "SELECT folder FROM checkpoint").await?;
    let [row] = rows.as_slice() else { return Err(no_checkpoint()) };
    row.get("folder").map(str::to_owned).ok_or_else(no_checkpoint)
}

/// Takes the lock, for the rest of the transaction, and reads the row. The lock is waited for
/// before anything is read: what is read is what the one before has left.
pub(super) async fn lock(to: &Connection, doing: &'static str) -> Result<Held, SinkError> {
    to.run(doing, ["BEGIN", "LOCK commit_lock"]).await?;
    let read = "SELECT schema_version, sink, fence, checkpoint, log FROM checkpoint";
    let rows = to.rows(doing, read).await?;
    let [row] = rows.as_slice() else { return Err(no_checkpoint()) };
    let word = |column| row.get(column).map(str::to_owned).ok_or_else(no_checkpoint);
    let version: i32 = word("schema_version")?.parse().map_err(|_| no_checkpoint())?;
    if version != VERSION {
        let what = format!("the schema has version {version}, and not {VERSION}");
        return Err(SinkError::blocked(what, "run the release of Unbroken that wrote it last"));
    }
    Ok(Held {
        sink: word("sink")?,
        fence: word("fence")?.parse().map_err(|_| no_checkpoint())?,
        checkpoint: row.get("checkpoint").map(str::to_owned),
        log: row.get("log").map(str::parse).transpose().map_err(|_| no_checkpoint())?,
    })
}

/// A new number for a log. State is that of one log.
pub(super) async fn begin_log(
    to: &Connection,
    doing: &'static str,
    journal: &str,
) -> Result<i16, SinkError> {
    let rows = to.rows(doing, "SELECT COALESCE(MAX(log), 0) + 1 AS log FROM logs").await?;
    let log = rows.first().and_then(|row| row.get("log")?.parse().ok());
    let log: i16 = log.ok_or_else(no_checkpoint)?;
    let insert = format!(
        "INSERT INTO logs (log, journal, began_at) VALUES ({log}, {}, {})",
        text(journal),
        time(wall_now())
    );
    to.run(doing, [insert.as_str(), "DELETE FROM state", "DELETE FROM staged"]).await?;
    to.run(doing, ["DELETE FROM streams"]).await?;
    Ok(log)
}

/// What was lost to this sink may have been about any key: all that are left are given anew.
pub(super) fn lapse(log: i16, [from, to]: [i64; 2]) -> [String; 6] {
    let at = time(wall_now());
    [
        format!("DELETE FROM lapses WHERE log = {log} AND from_offset = {from}"),
        format!(
            "INSERT INTO lapses (log, from_offset, to_offset, told_at) \
             VALUES ({log}, {from}, {to}, {at})"
        ),
        // Rows of the ledger that are open still are told anew with the image; others have ended.
        format!("DELETE FROM gaps WHERE log = {log} AND outcome IS NULL"),
        "DELETE FROM state".to_owned(),
        "DELETE FROM staged".to_owned(),
        "DELETE FROM streams".to_owned(),
    ]
}

/// Behind the last row of a log.
pub(super) async fn rows_end(to: &Connection, log: i16) -> Result<u64, SinkError> {
    let last = ["events", "staged", "ledger", "dead_letters"]
        .map(|table| format!("SELECT MAX(log_offset) AS last FROM {table} WHERE log = {log}"));
    let last = last.join(" UNION ALL ");
    let asked = format!("SELECT MAX(last) AS last FROM ({last}) AS tables");
    let rows = to.rows(OPENING, &asked).await?;
    let last = rows.first().and_then(|row| row.get("last")?.parse::<i64>().ok());
    Ok(last.map_or(0, |last| last as u64 + 1))
}
