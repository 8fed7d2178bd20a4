//! The record in a PostgreSQL database: history, state, gaps, and the checkpoint, in one schema
//! (`schema.sql`).
//!
//! A commit is one transaction. It moves the checkpoint first: that waits for a transaction of
//! another instance, or of our own whose connection was lost, and so every row that is written
//! after it is written by whoever has the sink.

mod days;
mod fault;
mod rows;
mod schema;
mod stream;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, IsolationLevel, Transaction};
use unbroken_core::ids::Key;
use unbroken_render::cloudevent;

use self::fault::{BATCH, fault};
use self::rows::Time;
use self::write::Tables;
use crate::crash::pass;
use crate::holder::Holder;
use crate::limit::within;
use crate::sql::{
    AskPassword, Connected, Link, Plan, Streams, begins_anew, given_again, is_state, signed,
};
use crate::{Batch, Checkpoint, Claim, Fence, Guarantee, Opened, Phase, Sink, SinkError};

/// How long opening may take in all: somebody may accept a connection and say nothing.
const OPEN_MAX: Duration = Duration::from_secs(120);

/// The same of a commit, which may wait for a lock.
const COMMIT_MAX: Duration = Duration::from_secs(600);

/// What a PostgreSQL sink is told.
#[derive(Clone)]
pub struct PostgresConfig {
    /// The sink's name.
    pub name: String,
    /// Server, user and database.
    pub server: Config,
    /// The schema; it belongs to this sink.
    pub schema: String,
    /// Events are kept in a table for each day. Said when the schema is made.
    pub by_day: bool,
    /// What the server must show, where TLS is spoken.
    pub tls: Arc<rustls::ClientConfig>,
    /// Its password; `None`: it asks for none.
    pub password: Option<AskPassword>,
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

/// See the module.
#[derive(Debug)]
pub struct Postgres {
    config: PostgresConfig,
    session: Option<Session>,
    holder: Holder,
}

/// A connection, and what it has read of the schema.
#[derive(Debug)]
struct Session {
    client: Connected,
    streams: Streams,
    /// The number of the log; 0: there is none yet.
    log: i16,
    /// Behind the last row of this log that was there when it was opened: behind the checkpoint,
    /// where somebody has set that back.
    rows_end: u64,
    /// Events are kept in a table for each day.
    is_by_day: bool,
}

impl Postgres {
    /// Connects when it is opened.
    pub fn new(config: PostgresConfig) -> Self {
        Self { config, session: None, holder: Holder::new() }
    }

    async fn connect(&self) -> Result<Connected, SinkError> {
        let PostgresConfig { name, server, tls, password, .. } = &self.config;
        let link = Link { sink: name, server, tls, password: password.as_ref() };
        link.connect(fault("connecting")).await
    }

    async fn open_on(
        &self,
        mut client: Connected,
        claim: &Claim,
    ) -> Result<(Session, Opened), SinkError> {
        let failed = || fault("opening it");
        let tx = begin(&mut client).await.map_err(failed())?;
        let held = schema::ready(&tx, &self.config).await?;
        pass("schema-ready", "the schema is there, or made and not committed");
        let checkpoint = parsed(held.checkpoint.as_deref())?;
        claim.accept(checkpoint.as_ref())?;
        let fence = self.holder.above(held.fence)?;
        // Somebody may have written it in another form.
        let text = checkpoint.map(|checkpoint| checkpoint.to_string());
        let params: [(&(dyn ToSql + Sync), Type); 2] =
            [(&text, Type::TEXT), (&signed(fence.0), Type::INT8)];
        let raise = "UPDATE checkpoint SET fence = $2, checkpoint = $1";
        tx.execute_typed(raise, &params).await.map_err(failed())?;
        pass("fence-raised", "the fence is raised, not committed");
        let streams = stream::load(&tx).await.map_err(failed())?;
        let log = held.log.unwrap_or_default();
        let is_by_day = days::are_there(&tx).await.map_err(failed())?;
        if self.config.by_day && !is_by_day {
            return Err(one_table(&self.config.schema));
        }
        let rows_end = schema::rows_end(&tx, log).await.map_err(failed())?;
        if let Some(held) = checkpoint.filter(|held| held.phase == Phase::Log) {
            schema::unstage(&tx, log, held.next_offset).await.map_err(failed())?;
        }
        tx.commit().await.map_err(failed())?;
        pass("taken-over", "older instances are fenced out");
        let session = Session { client, streams, log, rows_end, is_by_day };
        Ok((session, Opened { fence, checkpoint, until: None, keeps_parts: false }))
    }
}

impl Session {
    async fn commit(
        &mut self,
        config: &PostgresConfig,
        fence: Fence,
        batch: &Batch,
    ) -> Result<(), SinkError> {
        let failed = || fault(BATCH);
        // It may rest on its way through the batch: not with a lock.
        let plan = Plan::of(batch.entries());
        let tx = begin(&mut self.client).await.map_err(failed())?;
        schema::enter(&tx, &config.schema).await.map_err(failed())?;
        pass("transaction-begun", "a transaction is open and empty");
        move_checkpoint(&tx, fence, batch).await?;
        pass("checkpoint-moved", "the checkpoint is moved, not committed");
        let mut streams = self.streams.clone();
        let (mut log, mut rows_end) = (self.log, self.rows_end);
        if begins_anew(batch) {
            rows_end = 0;
            log = schema::begin_log(&tx, &batch.journal().to_string()).await.map_err(failed())?;
            streams = Streams::default();
        }
        if let Some(lapse) = &batch.lapse {
            let range = [lapse.from_offset, lapse.to_offset];
            schema::lapse(&tx, log, range).await.map_err(failed())?;
            streams = Streams::default();
        }
        let may_be_there =
            batch.base.is_some_and(|base| base.phase != Phase::Log || base.next_offset < rows_end);
        let tables = Tables { tx: &tx, log, may_be_there, is_by_day: self.is_by_day };
        tables.write(&plan).await.map_err(failed())?;
        pass("rows-written", "checkpoint and rows are written, not committed");
        for (stream, gap) in &batch.open_gaps {
            tables.open_gap(stream, gap).await.map_err(failed())?;
        }
        batch.stale.iter().for_each(|(stream, stale)| streams.doubt(stream, *stale));
        batch.entries().for_each(|(offset, record)| streams.take(offset, record));
        stream::save(&mut streams, &tx).await.map_err(failed())?;
        if let Some(again) = given_again(batch, rows_end) {
            schema::forget_letters(&tx, log, again).await.map_err(failed())?;
        }
        put_aside(&tx, log, batch).await.map_err(failed())?;
        pass("batch-written", "everything is written, not committed");
        tx.commit().await.map_err(failed())?;
        pass("committed", "the batch is committed, and nobody was told");
        (self.streams, self.log, self.rows_end) = (streams, log, rows_end);
        Ok(())
    }
}

impl Sink for Postgres {
    fn guarantee(&self) -> Guarantee {
        Guarantee::Transactional
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        self.session = None;
        let opening = async { self.open_on(self.connect().await?, claim).await };
        let opened = within(OPEN_MAX, opening).await;
        let (session, opened) = opened.map_err(SinkError::unreachable("opening it"))??;
        self.session = Some(session);
        self.holder.has(opened.fence);
        Ok(opened)
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        let Some(session) = self.session.as_mut() else {
            return Err(SinkError::unreachable(BATCH)("the sink is not open"));
        };
        let committing = session.commit(&self.config, fence, batch);
        let committed = within(COMMIT_MAX, committing).await;
        committed.map_err(SinkError::unreachable(BATCH))?
    }
}

/// Whatever the user's default is: who waits for the checkpoint must see what was waited for.
async fn begin(client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
    client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await
}

/// It waits for whoever else moves it.
async fn move_checkpoint(
    tx: &Transaction<'_>,
    fence: Fence,
    batch: &Batch,
) -> Result<(), SinkError> {
    let failed = || fault("moving its checkpoint");
    let (base, next) = (batch.base.map(|base| base.to_string()), batch.next.to_string());
    let params: [(&(dyn ToSql + Sync), Type); 4] = [
        (&signed(fence.0), Type::INT8),
        (&base, Type::TEXT),
        (&next, Type::TEXT),
        (&batch.as_of.map(Time), Type::TIMESTAMPTZ),
    ];
    let update = "UPDATE checkpoint SET checkpoint = $3, as_of = COALESCE($4, as_of, now()) \
        WHERE fence = $1 AND checkpoint IS NOT DISTINCT FROM $2";
    if tx.execute_typed(update, &params).await.map_err(failed())? == 1 {
        return Ok(());
    }
    let read = "SELECT fence, checkpoint FROM checkpoint";
    let row = tx.query_typed_opt(read, &[]).await.map_err(failed())?.ok_or_else(no_checkpoint)?;
    let held: i64 = row.try_get(0).map_err(failed())?;
    if held > signed(fence.0) {
        return Err(SinkError::Fenced);
    }
    let text: Option<String> = row.try_get(1).map_err(failed())?;
    Err(SinkError::Moved { found: parsed(text.as_deref())?.unwrap_or(batch.next) })
}

async fn put_aside(
    tx: &Transaction<'_>,
    log: i16,
    batch: &Batch,
) -> Result<(), tokio_postgres::Error> {
    for (parked, record) in batch.parked_entries() {
        let event = cloudevent(batch.journal(), parked.offset, record);
        let params: [(&(dyn ToSql + Sync), Type); 4] = [
            (&log, Type::INT2),
            (&signed(parked.offset), Type::INT8),
            (&parked.why, Type::TEXT),
            (&event.as_bytes(), Type::BYTEA),
        ];
        let insert = "INSERT INTO dead_letters (log, log_offset, why, event) \
            VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        tx.execute_typed(insert, &params).await?;
        // A value that was written before is not the last one any more. A name that is no text here
        // has none.
        let key = record.body.key().map(Key::as_str).filter(|key| !key.contains('\0'));
        let Some(key) = key.filter(|_| is_state(record)) else { continue };
        let params: [(&(dyn ToSql + Sync), Type); 5] = [
            (&record.stream.as_str(), Type::TEXT),
            (&key, Type::TEXT),
            (&Time(record.received_at), Type::TIMESTAMPTZ),
            (&log, Type::INT2),
            (&signed(parked.offset), Type::INT8),
        ];
        let doubt = "UPDATE state SET doubted_since = LEAST(doubted_since, $3) \
            WHERE stream = $1 AND key = $2 AND (log, log_offset) < ($4, $5)";
        tx.execute_typed(doubt, &params).await?;
    }
    Ok(())
}

fn parsed(text: Option<&str>) -> Result<Option<Checkpoint>, SinkError> {
    text.map(str::parse).transpose().map_err(|_| no_checkpoint())
}

fn no_checkpoint() -> SinkError {
    let what = "the row of table `checkpoint` is missing or damaged";
    SinkError::blocked(what, "restore it, or drop the schema: the sink then begins anew")
}

fn one_table(schema: &str) -> SinkError {
    let what =
        format!("schema `{schema}` was made without `partition_by`: its events are one table");
    SinkError::blocked(what, "leave `partition_by` out, or name another `schema`, made anew")
}
