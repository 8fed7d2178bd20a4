//! The record in Amazon Redshift: history, state, gaps, and the checkpoint, in one schema
//! (`schema.sql`).
//!
//! A batch is a Parquet file in S3, and a manifest that names it. Then, in one transaction: the
//! lock, which waits for whoever else commits; a look at fence and checkpoint; COPY into a
//! temporary table; the rows from there into the tables; the checkpoint. The objects are deleted
//! when it is over, by whoever has the sink then: their names say of which instance they are.
//!
//! What Redshift is known not to have of PostgreSQL is not used: parameters, `ON CONFLICT`,
//! `RETURNING`, row locks, indexes. No real cluster was asked: the trials are played on a stand-in.

mod access;
mod fault;
mod file;
mod limits;
mod link;
mod literal;
mod names;
mod schema;
mod session;
mod stage;
mod stream;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use tokio_postgres::Config;

use self::access::Access;
use self::fault::{BATCH, fault};
use self::link::Connection;
use self::schema::OPENING;
use self::session::Session;
use crate::holder::Holder;
use crate::limit::within;
use crate::sql::{AskPassword, InvalidUrl, Link, postgres_server};
use crate::store::AskOptions;
use crate::{Batch, Checkpoint, Claim, Fence, Guarantee, Opened, Sink, SinkError};

/// How long opening may take in all: somebody may accept a connection and say nothing.
const OPEN_MAX: Duration = Duration::from_secs(300);

/// The same of a commit, which may wait for a lock, or for a cluster that is paused.
const COMMIT_MAX: Duration = Duration::from_secs(900);

/// A cluster's port, unless its URL names one.
const PORT: u16 = 5_439;

/// What a Redshift sink is told.
#[derive(Clone)]
pub struct RedshiftConfig {
    /// The sink's name.
    pub name: String,
    /// Cluster or workgroup, user and database.
    pub server: Config,
    /// What the server must show, where TLS is spoken.
    pub tls: Arc<rustls::ClientConfig>,
    /// Its password; `None`: it asks for none.
    pub password: Option<AskPassword>,
    /// The schema, in lower case; it belongs to this sink.
    pub schema: String,
    /// Where batches lie until they are loaded: `s3://bucket/prefix`.
    pub stage: String,
    /// Options of S3, by the names that its own tools give them.
    pub options: AskOptions,
    /// Further certificates of S3 to trust, in PEM.
    pub ca: Option<Vec<u8>>,
    /// The role by which COPY reads: a name, or `default`. `None`: the keys of the options.
    pub role: Option<String>,
}

impl fmt::Debug for RedshiftConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedshiftConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Reads a server's URL, as [`postgres_server`] does; the port is Redshift's own.
///
/// # Errors
/// It cannot be used.
pub fn redshift_server(url: &str) -> Result<Config, InvalidUrl> {
    let mut server = postgres_server(url)?;
    if server.get_ports().is_empty() {
        server.port(PORT);
    }
    Ok(server)
}

/// See the module.
pub struct Redshift {
    config: RedshiftConfig,
    session: Option<Session>,
    holder: Holder,
}

impl fmt::Debug for Redshift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redshift").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Redshift {
    /// Connects when it is opened.
    pub fn new(config: RedshiftConfig) -> Self {
        Self { config, session: None, holder: Holder::new() }
    }

    async fn opened(&self, claim: &Claim) -> Result<(Session, Opened), SinkError> {
        let RedshiftConfig { name, server, tls, password, options, .. } = &self.config;
        let options = options().await.map_err(SinkError::unreachable("reading its secrets"))?;
        let link = Link { sink: name, server, tls, password: password.as_ref() };
        let client = link.connect(|error| fault("connecting", &[], error)).await?;
        let to = Connection::new(client, Access::secrets(&options));
        Session::open(to, &self.config, options, claim, self.holder).await
    }
}

impl Sink for Redshift {
    fn guarantee(&self) -> Guarantee {
        Guarantee::Transactional
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        self.session = None;
        let opened = within(OPEN_MAX, self.opened(claim)).await;
        let (session, opened) = opened.map_err(SinkError::unreachable(OPENING))??;
        self.session = Some(session);
        self.holder.has(opened.fence);
        Ok(opened)
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        // It is given up with its transaction unless that came to an end.
        let Some(mut session) = self.session.take() else {
            return Err(SinkError::unreachable(BATCH)("the sink is not open"));
        };
        let committed = within(COMMIT_MAX, session.commit(fence, batch)).await;
        let committed = committed.map_err(SinkError::unreachable(BATCH))?;
        if matches!(committed, Ok(()) | Err(SinkError::Refused { .. })) {
            self.session = Some(session);
        }
        committed
    }

    async fn tend(&mut self, _fence: Fence) -> Result<(), SinkError> {
        match self.session.as_mut() {
            Some(session) => session.tend().await,
            None => Ok(()),
        }
    }
}

fn parsed(text: Option<&str>) -> Result<Option<Checkpoint>, SinkError> {
    text.map(str::parse).transpose().map_err(|_| no_checkpoint())
}

fn no_checkpoint() -> SinkError {
    let what = "the row of table `checkpoint` is missing or damaged";
    SinkError::blocked(what, "restore it, or drop the schema: the sink then begins anew")
}

/// A name that nobody else has.
fn random_name() -> Result<String, SinkError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| {
        SinkError::unreachable(OPENING)("the operating system gives no random number")
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
