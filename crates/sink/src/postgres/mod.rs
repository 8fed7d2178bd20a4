//! The record in a PostgreSQL database: history, state, gaps, and the checkpoint, in one schema
//! (`schema.sql`).
//!
//! A commit is one transaction. It moves the checkpoint first: that waits for a transaction of
//! another instance, or of our own whose connection was lost, and so every row that is written
//! after it is written by whoever has the sink.

mod fault;
mod plan;
mod rows;
mod schema;
mod stream;
mod tls;
mod url;
mod write;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Transaction};
use unbroken_render::cloudevent_json;

use self::fault::fault;
use self::plan::Plan;
use self::rows::signed;
use self::stream::Streams;
use self::tls::Tls;
pub use self::url::{InvalidUrl, postgres_server};
use self::write::Tables;
use crate::{Batch, Checkpoint, Claim, Fence, Guarantee, Opened, Phase, Sink, SinkError};

/// How long a connection may take, and how long the network may say nothing to what was sent.
const NETWORK_MAX: Duration = Duration::from_secs(30);

/// Asks for a password, which may be another one each time.
pub type AskPassword =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, String>> + Send>> + Send + Sync>;

/// What a PostgreSQL sink is told.
#[derive(Clone)]
pub struct PostgresConfig {
    /// The sink's name.
    pub name: String,
    /// Server, user and database.
    pub server: Config,
    /// The schema; it belongs to this sink.
    pub schema: String,
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
}

/// A connection, and what it has read of the schema.
#[derive(Debug)]
struct Session {
    client: Client,
    streams: Streams,
    /// The number of the log; 0: there is none yet.
    log: i16,
    /// Behind the last row of this log that was there when it was opened: behind the checkpoint,
    /// where somebody has set that back.
    rows_end: u64,
}

impl Postgres {
    /// Connects when it is opened.
    pub fn new(config: PostgresConfig) -> Self {
        Self { config, session: None }
    }

    async fn connect(&self) -> Result<Client, SinkError> {
        let mut server = self.config.server.clone();
        server.connect_timeout(NETWORK_MAX).tcp_user_timeout(NETWORK_MAX);
        server.keepalives_idle(NETWORK_MAX).application_name("unbroken");
        if let Some(ask) = &self.config.password {
            let password = ask().await.map_err(SinkError::unreachable("reading its password"))?;
            server.password(password);
        }
        let connecting = server.connect(Tls(Arc::clone(&self.config.tls)));
        let (client, connection) = connecting.await.map_err(fault("to connect"))?;
        let sink = self.config.name.clone();
        // It ends with the client; why it ended before is told to whoever asks something of it.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(sink, %error, "connection to PostgreSQL ended");
            }
        });
        Ok(client)
    }

    async fn open_on(
        &self,
        mut client: Client,
        claim: &Claim,
    ) -> Result<(Session, Opened), SinkError> {
        let failed = || fault("to be opened");
        let tx = client.transaction().await.map_err(failed())?;
        let held = schema::ready(&tx, &self.config).await?;
        let checkpoint = parsed(held.checkpoint.as_deref())?;
        claim.accept(checkpoint.as_ref())?;
        let raise = "UPDATE checkpoint SET fence = fence + 1 RETURNING fence";
        let row = tx.query_typed_one(raise, &[]).await.map_err(failed())?;
        let fence: i64 = row.try_get(0).map_err(failed())?;
        let streams = Streams::load(&tx).await.map_err(failed())?;
        let log = held.log.unwrap_or_default();
        let rows_end = schema::rows_end(&tx, log).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        let session = Session { client, streams, log, rows_end };
        Ok((session, Opened { fence: Fence(fence as u64), checkpoint }))
    }
}

impl Session {
    async fn commit(
        &mut self,
        config: &PostgresConfig,
        fence: Fence,
        batch: &Batch,
    ) -> Result<(), SinkError> {
        let failed = || fault("a batch");
        let tx = self.client.transaction().await.map_err(failed())?;
        schema::enter(&tx, &config.schema).await.map_err(failed())?;
        move_checkpoint(&tx, fence, batch).await?;
        let mut streams = self.streams.clone();
        let mut log = self.log;
        if begins_anew(batch) {
            log = schema::begin_log(&tx, &batch.journal().to_string()).await.map_err(failed())?;
            streams = Streams::default();
        }
        if let Some(lapse) = &batch.lapse {
            let range = [lapse.from_offset, lapse.to_offset];
            schema::lapse(&tx, log, range).await.map_err(failed())?;
        }
        let may_be_there = batch
            .base
            .is_some_and(|base| base.phase != Phase::Log || base.next_offset < self.rows_end);
        let tables = Tables { tx: &tx, log, may_be_there };
        tables.write(&Plan::of(batch.entries())).await.map_err(failed())?;
        for (stream, gap) in &batch.open_gaps {
            tables.open_gap(stream, gap).await.map_err(failed())?;
        }
        batch.entries().for_each(|(offset, record)| streams.take(offset, record));
        streams.save(&tx).await.map_err(failed())?;
        put_aside(&tx, log, batch).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        (self.streams, self.log) = (streams, log);
        Ok(())
    }
}

impl Sink for Postgres {
    fn guarantee(&self) -> Guarantee {
        Guarantee::Transactional
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        self.session = None;
        let client = self.connect().await?;
        let (session, opened) = self.open_on(client, claim).await?;
        self.session = Some(session);
        Ok(opened)
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        let Some(session) = self.session.as_mut() else {
            return Err(SinkError::unreachable("a batch")("the sink is not open"));
        };
        session.commit(&self.config, fence, batch).await
    }
}

/// It waits for whoever else moves it.
async fn move_checkpoint(
    tx: &Transaction<'_>,
    fence: Fence,
    batch: &Batch,
) -> Result<(), SinkError> {
    let failed = || fault("a checkpoint");
    let (base, next) = (batch.base.map(|base| base.to_string()), batch.next.to_string());
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&signed(fence.0), Type::INT8), (&base, Type::TEXT), (&next, Type::TEXT)];
    let update = "UPDATE checkpoint SET checkpoint = $3, committed_at = now() \
        WHERE fence = $1 AND checkpoint IS NOT DISTINCT FROM $2";
    if tx.execute_typed(update, &params).await.map_err(failed())? == 1 {
        return Ok(());
    }
    let read = "SELECT fence, checkpoint FROM checkpoint";
    let row = tx.query_typed_opt(read, &[]).await.map_err(failed())?.ok_or_else(no_checkpoint)?;
    let held: i64 = row.try_get(0).map_err(failed())?;
    if held != signed(fence.0) {
        return Err(SinkError::Fenced);
    }
    let text: Option<String> = row.try_get(1).map_err(failed())?;
    Err(SinkError::Moved { found: parsed(text.as_deref())?.unwrap_or(batch.next) })
}

/// Another log, or this one from an earlier place: what is named by offset from here on is not what
/// was named so before.
fn begins_anew(batch: &Batch) -> bool {
    batch.base.is_none_or(|base| {
        base.journal != batch.next.journal || batch.next.needed_from() < base.needed_from()
    })
}

async fn put_aside(
    tx: &Transaction<'_>,
    log: i16,
    batch: &Batch,
) -> Result<(), tokio_postgres::Error> {
    for (parked, record) in batch.parked_entries() {
        let event = cloudevent_json(batch.journal(), parked.offset, record).to_string();
        let params: [(&(dyn ToSql + Sync), Type); 4] = [
            (&log, Type::INT2),
            (&signed(parked.offset), Type::INT8),
            (&parked.why, Type::TEXT),
            (&event.as_bytes(), Type::BYTEA),
        ];
        let insert = "INSERT INTO dead_letters (log, log_offset, why, event) \
            VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        tx.execute_typed(insert, &params).await?;
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
