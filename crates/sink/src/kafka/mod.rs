//! The record in topics of Apache Kafka, by librdkafka. Experimental: it was never run on Apache
//! Kafka itself, only on a broker of its protocol.
//!
//! ```text
//! PREFIX.events         one CloudEvent each; key: the record's, or the stream if it has none
//! PREFIX.dead-letters   what a topic does not take, with the reason
//! PREFIX.checkpoints    compacted, one partition; key: the sink's name, value: how far it is
//! ```
//!
//! A batch is one transaction, which ends with the checkpoint. `transactional.id` is
//! `PREFIX.<sink>`: whoever initialises it has ended what an older instance had begun, and fenced
//! it out. Only then the checkpoint is read, so that nothing can come behind it, and a higher fence
//! is written to it. Before that it is read once without taking anything: who may not have the sink
//! disturbs nobody.
//!
//! Without transactions the data is acknowledged first and the checkpoint is written behind it, by
//! a producer that the broker lets repeat itself. What was sent before a failure comes again then,
//! with the same ids.

mod client;
mod fault;
mod held;
mod messages;
mod opening;
mod pace;
mod session;
mod topics;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::opening::Opening;
use self::pace::Pace;
use self::session::Session;
use crate::blocking::blocking;
use crate::holder::Holder;
use crate::{AskPassword, Batch, Claim, Fence, Guarantee, Opened, Sink, SinkError};

/// How an event is written: the two ways in which CloudEvents binds one to Kafka, in its
/// `kafka-protocol-binding.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaEvents {
    /// The whole event is the value.
    Structured,
    /// Its data is the value, and its attributes are headers.
    Binary,
}

/// How a client says who it is.
#[derive(Clone)]
pub struct KafkaLogin {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// The user.
    pub user: String,
    /// Its password.
    pub password: AskPassword,
}

/// What a Kafka sink is told.
#[derive(Clone)]
pub struct KafkaConfig {
    /// The sink's name.
    pub name: String,
    /// `host:port`, with commas between them.
    pub servers: String,
    /// Where the topics' names begin. They belong to this sink.
    pub prefix: String,
    /// Of the topic of events, if it is made.
    pub partitions: i32,
    /// On how many brokers a topic is kept, if it is made.
    pub replicas: i32,
    /// Data and checkpoint are one.
    pub is_transactional: bool,
    /// How an event is written.
    pub events: KafkaEvents,
    /// TLS is spoken.
    pub is_tls: bool,
    /// The certificates to trust, in place of the machine's.
    pub ca_file: Option<PathBuf>,
    /// `None`: the brokers do not ask who it is.
    pub login: Option<KafkaLogin>,
    /// How long brokers may take to tell the topics' settings. Not all of Kafka's protocol know the
    /// question.
    pub settings_max: Duration,
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

impl KafkaConfig {
    fn events_topic(&self) -> String {
        format!("{}.events", self.prefix)
    }

    fn dead_letters_topic(&self) -> String {
        format!("{}.dead-letters", self.prefix)
    }

    fn checkpoints_topic(&self) -> String {
        format!("{}.checkpoints", self.prefix)
    }

    /// A sink's name holds no dot, so no two sinks have one of these.
    fn transactional_id(&self) -> String {
        format!("{}.{}", self.prefix, self.name)
    }
}

/// See the module.
pub struct Kafka {
    config: KafkaConfig,
    session: Option<Session>,
    holder: Holder,
    pace: Pace,
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Kafka {
    /// Connects when it is opened.
    pub fn new(config: KafkaConfig) -> Self {
        Self { config, session: None, holder: Holder::new(), pace: Pace::default() }
    }
}

impl Sink for Kafka {
    fn guarantee(&self) -> Guarantee {
        match self.config.is_transactional {
            true => Guarantee::Transactional,
            false => Guarantee::AtLeastOnce,
        }
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        let before = self.session.take();
        let password = match &self.config.login {
            Some(login) => {
                let asked = (login.password)().await;
                Some(asked.map_err(SinkError::unreachable("reading its password"))?)
            }
            None => None,
        };
        let opening = Opening::new(self.config.clone(), password, claim.clone(), self.holder);
        let opened = blocking(move || {
            // Its end may take a while as well.
            drop(before);
            opening.take_over()
        });
        let (session, checkpoint) = opened.await?;
        let fence = session.fence();
        self.holder.has(Fence(fence));
        self.session = Some(session);
        Ok(Opened { fence: Fence(fence), checkpoint, until: None, keeps_parts: false })
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        if let Some(from) = self.pace.too_much(batch) {
            return Err(SinkError::TooMuch { from });
        }
        // Of a commit that failed or is given up in the middle, no producer may be left that goes
        // on with it.
        let Some(mut session) = self.session.take() else {
            return Err(SinkError::unreachable(session::COMMIT)("the sink is not open"));
        };
        let (begun, given) = (Instant::now(), batch.clone());
        let (session, committed) = blocking(move || {
            let committed = session.commit(fence, &given);
            // Those leave nothing behind.
            let goes_on = matches!(
                committed,
                Ok(()) | Err(SinkError::Refused { .. } | SinkError::TooMuch { .. })
            );
            (goes_on.then_some(session), committed)
        })
        .await;
        self.session = session;
        let is_late = begun.elapsed() >= session::COMMIT_MAX;
        if is_late && matches!(committed, Err(SinkError::Unreachable { .. })) {
            self.pace.came_late(batch);
        }
        committed
    }
}
