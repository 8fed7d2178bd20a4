//! Clients of librdkafka: how they are set up, and what they say beside their answers.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Message as _};
use tracing::debug;

use super::KafkaConfig;
use super::fault::fault;
use crate::SinkError;

/// After this the coordinator aborts a transaction by itself, and readers wait for it no longer. An
/// instance that is killed in the middle of one leaves it open until the sink is opened again.
const TRANSACTION_MAX: Duration = Duration::from_secs(30);

/// Longest that one request waits for its answer.
const REQUEST_MAX: Duration = Duration::from_secs(10);

/// How messages are spread over partitions: as the clients in Java do it.
const PARTITIONER: &str = "murmur2_random";

/// What stands for a secret.
const HIDDEN: &str = "***";

/// What the checkpoint's message is called in a delivery; others have their place in the batch.
pub(super) const CHECKPOINT: usize = usize::MAX;

/// A way to the brokers.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) config: KafkaConfig,
    password: Option<String>,
}

/// Keeps what a client says. Nothing of it is ever told with the password in it.
#[derive(Default)]
pub(super) struct Ear {
    secret: Option<String>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    trouble: Option<(RDKafkaErrorCode, String)>,
    undelivered: Option<Undelivered>,
    checkpoint_at: Option<i64>,
}

/// The first message of a batch, in its order, that a broker did not take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undelivered {
    pub(super) place: usize,
    pub(super) code: RDKafkaErrorCode,
}

impl Access {
    pub(super) fn new(config: KafkaConfig, password: Option<String>) -> Self {
        Self { config, password }
    }

    /// As every client is set up.
    pub(super) fn settings(&self) -> ClientConfig {
        let Self { config, password } = self;
        let mut settings = ClientConfig::new();
        let request_ms = REQUEST_MAX.as_millis().to_string();
        settings
            .set_log_level(RDKafkaLogLevel::Info)
            .set("bootstrap.servers", &config.servers)
            .set("client.id", "unbroken")
            .set("socket.timeout.ms", &request_ms)
            .set("socket.connection.setup.timeout.ms", &request_ms)
            .set("reconnect.backoff.max.ms", "1000")
            .set("topic.metadata.propagation.max.ms", "5000");
        let protocol = match (config.is_tls, &config.login) {
            (true, Some(_)) => "SASL_SSL",
            (true, None) => "SSL",
            (false, Some(_)) => "SASL_PLAINTEXT",
            (false, None) => "PLAINTEXT",
        };
        settings.set("security.protocol", protocol);
        if let Some(path) = config.ca_file.as_deref().filter(|_| config.is_tls) {
            settings.set("ssl.ca.location", path.to_string_lossy());
        }
        if let (Some(login), Some(password)) = (&config.login, password) {
            settings
                .set("sasl.mechanism", &login.mechanism)
                .set("sasl.username", &login.user)
                .set("sasl.password", password);
        }
        settings
    }

    pub(super) fn ear(&self) -> Ear {
        Ear { secret: self.password.clone(), told: Mutex::default() }
    }

    /// A producer of messages of up to so many bytes.
    pub(super) fn producer(&self, bytes_max: usize) -> Result<BaseProducer<Ear>, SinkError> {
        let mut settings = self.settings();
        settings
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("partitioner", PARTITIONER)
            .set("linger.ms", "1")
            .set("message.max.bytes", bytes_max.to_string())
            .set("batch.size", bytes_max.min(1_000_000).to_string());
        let transaction_ms = TRANSACTION_MAX.as_millis().to_string();
        if self.config.is_transactional {
            settings
                .set("transactional.id", self.config.transactional_id())
                .set("transaction.timeout.ms", transaction_ms);
        } else {
            settings.set("message.timeout.ms", transaction_ms);
        }
        let made = settings.create_with_context(self.ear());
        made.map_err(|error| fault("making a producer", &error, &self.ear()))
    }

    /// A consumer of what is committed, of one topic that it is told. It joins no group; the
    /// library asks for the name of one all the same.
    pub(super) fn reader(&self) -> Result<BaseConsumer<Ear>, SinkError> {
        let mut settings = self.settings();
        settings
            .set("group.id", self.config.transactional_id())
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "20");
        let made = settings.create_with_context(self.ear());
        made.map_err(|error| fault("making a consumer", &error, &self.ear()))
    }

    /// A client that reads no messages, and sees where a topic ends with what is not committed yet.
    /// It makes no topic by asking for it.
    pub(super) fn looker(&self) -> Result<BaseConsumer<Ear>, SinkError> {
        let mut settings = self.settings();
        settings
            .set("isolation.level", "read_uncommitted")
            .set("allow.auto.create.topics", "false");
        let made = settings.create_with_context(self.ear());
        made.map_err(|error| fault("making a client", &error, &self.ear()))
    }
}

impl Ear {
    /// Without the secret.
    pub(super) fn plain(&self, text: &str) -> String {
        match self.secret.as_deref().filter(|secret| !secret.is_empty()) {
            Some(secret) => text.replace(secret, HIDDEN),
            None => text.to_owned(),
        }
    }

    /// The last thing that it complained about, or the one that explains all others.
    pub(super) fn trouble(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.told().trouble.clone()
    }

    /// Before a batch.
    pub(super) fn begins(&self) {
        let mut told = self.told();
        (told.undelivered, told.checkpoint_at) = (None, None);
    }

    pub(super) fn undelivered(&self) -> Option<Undelivered> {
        self.told().undelivered
    }

    /// Where in its partition the checkpoint of this batch is.
    pub(super) fn checkpoint_at(&self) -> Option<i64> {
        self.told().checkpoint_at
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Ear {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, line: &str) {
        debug!(facility, line = self.plain(line), "librdkafka");
    }

    fn stats_raw(&self, _statistics: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        debug!(%code, reason = self.plain(reason), "librdkafka complains");
        let mut told = self.told();
        let explains = |code| matches!(code, RDKafkaErrorCode::Authentication);
        if !told.trouble.as_ref().is_some_and(|(code, _)| explains(*code)) {
            told.trouble = Some((code, self.plain(reason)));
        }
    }
}

impl ConsumerContext for Ear {}

impl ProducerContext for Ear {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        match result {
            Ok(message) if place == CHECKPOINT => {
                self.told().checkpoint_at = Some(message.offset());
            }
            Ok(_) => {}
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                let failed = Undelivered { place, code };
                // What was thrown away since another one had failed says nothing of why.
                let rank = |it: &Undelivered| (is_purged(it.code), it.place);
                let mut told = self.told();
                let known = told.undelivered.filter(|known| rank(known) <= rank(&failed));
                told.undelivered = Some(known.unwrap_or(failed));
            }
        }
    }
}

fn is_purged(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)
}
