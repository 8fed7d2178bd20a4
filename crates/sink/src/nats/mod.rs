//! The record in a stream of NATS JetStream: a subject for each stream and kind, a message for each
//! record, and the checkpoint on a subject of its own.
//!
//! ```text
//! PREFIX.<stream>.<kind>     one CloudEvent each
//! PREFIX.lapse               what this sink never had
//! PREFIX.dead_letters        what a message has no room for, with the reason
//! PREFIX.checkpoint          the last message of each commit
//! ```
//!
//! A commit is one atomic batch (nats-server 2.12), which ends with the checkpoint; that is taken
//! only behind the one that this instance wrote last (`Nats-Expected-Last-Subject-Sequence`). So
//! messages and checkpoint are there together or not at all, a commit that comes too late is none,
//! and whoever publishes a checkpoint with a higher fence has the sink. What is more than the
//! server takes at once is a chain of messages (see [`chain`]), each a checkpoint as well; where
//! there cannot be one, it is committed in parts, each whole, and while the server takes one, the
//! next is on its way.
//!
//! `Nats-Msg-Id` is set in chains alone, and is of no instance but one. The id of the event would
//! weaken this: a batch with one id that the server remembers is refused as a whole (error 10201),
//! and rows of a state image come with ids that may have been there before.

mod chain;
mod covers;
mod fault;
mod held;
mod link;
mod messages;
mod session;
mod stream;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::link::Link;
use self::session::Session;
pub use self::url::{InvalidNatsUrl, NatsServers, nats_servers};
use crate::holder::Holder;
use crate::limit::within;
use crate::{AskPassword, Batch, Claim, Fence, Guarantee, Opened, Sink, SinkError};

/// How long opening may take in all: somebody may accept a connection and say nothing.
const OPEN_MAX: Duration = Duration::from_secs(60);

/// How long a part of a batch may take. The server gives a batch up that says nothing for ten
/// seconds.
const PART_MAX: Duration = Duration::from_secs(60);

/// What is being done when a batch is published.
const BATCH: &str = "committing a batch";

/// How a client says who it is.
#[derive(Clone)]
pub enum NatsLogin {
    /// With a user's password.
    Password {
        /// The user.
        user: String,
        /// Its password.
        password: AskPassword,
    },
    /// With a token.
    Token(AskPassword),
    /// With a file of credentials, of which this gives the content.
    Credentials(AskPassword),
}

/// What a NATS sink is told.
#[derive(Clone)]
pub struct NatsConfig {
    /// The sink's name.
    pub name: String,
    /// Where the servers are.
    pub servers: NatsServers,
    /// What they must show, where TLS is spoken.
    pub tls: Arc<rustls::ClientConfig>,
    /// `None`: they do not ask who it is.
    pub login: Option<NatsLogin>,
    /// The stream; made if it is not there.
    pub stream: String,
    /// Where its subjects begin. They belong to this sink.
    pub prefix: String,
    /// On how many servers the stream is kept, if it is made.
    pub replicas: u64,
    /// What the server takes in one batch.
    pub batch_messages_max: usize,
    /// How long the server keeps the messages; `None`: as long as the stream does.
    pub keep: Option<Duration>,
}

impl fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

/// See the module.
#[derive(Debug)]
pub struct Nats {
    config: NatsConfig,
    session: Option<Session>,
    holder: Holder,
    /// A chain was broken: from then on everything is committed in batches, which tell why.
    is_broken: bool,
}

impl Nats {
    /// Connects when it is opened.
    pub fn new(config: NatsConfig) -> Self {
        Self { config, session: None, holder: Holder::new(), is_broken: false }
    }

    async fn take_over(&self, claim: &Claim) -> Result<(Session, Opened), SinkError> {
        let link = Link::connect(&self.config).await?;
        let taking = async {
            let terms = stream::ready(&link, &self.config).await?;
            let taken = held::take(&link, &self.config, &terms, claim, self.holder);
            let (held, checkpoint) = taken.await?;
            Ok((terms, held, checkpoint))
        };
        let (mut terms, held, checkpoint) = link.unless_lost("opening it", taking).await?;
        terms.chains &= !self.is_broken;
        let opened =
            Opened { fence: Fence(held.fence), checkpoint, until: None, keeps_parts: false };
        Ok((Session::new(link, terms, held, checkpoint), opened))
    }
}

impl Sink for Nats {
    fn guarantee(&self) -> Guarantee {
        Guarantee::Transactional
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        self.session = None;
        let opened = within(OPEN_MAX, self.take_over(claim)).await;
        let (session, opened) = opened.map_err(SinkError::unreachable("opening it"))??;
        self.holder.has(opened.fence);
        self.session = Some(session);
        Ok(opened)
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        // Of a commit that failed or is given up in the middle, no client may be left that goes on
        // with it.
        let Some(mut session) = self.session.take() else {
            return Err(SinkError::unreachable(BATCH)("the sink is not open"));
        };
        let committed = session.commit(&self.config, fence, batch).await;
        // Of what those are about, nothing was published.
        let goes_on = matches!(
            committed,
            Ok(()) | Err(SinkError::Refused { .. } | SinkError::TooMuch { .. })
        );
        self.is_broken |= session.is_broken();
        self.session = goes_on.then_some(session);
        committed
    }
}

/// Where the checkpoint is.
fn checkpoint_subject(prefix: &str) -> String {
    format!("{prefix}.checkpoint")
}
