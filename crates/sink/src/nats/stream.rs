//! The stream: made if it is not there, and looked at before it is written to.

use serde::Deserialize;
use serde_json::{Value, json};

use super::NatsConfig;
use super::covers::covers;
use super::link::Link;
use super::messages::HEADER_BYTES;
use crate::SinkError;

/// What may be published to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Bytes of a message with its headers.
    pub(super) message_bytes_max: usize,
    /// A new checkpoint may replace the one before.
    pub(super) replaces: bool,
    /// Nobody else's messages come between ours, one server has the last word and remembers no ids
    /// for long, and a backlog does not push out the checkpoint.
    pub(super) chains: bool,
}

impl Terms {
    /// Bytes of a message without its headers.
    pub(super) fn body_bytes_max(&self) -> usize {
        self.message_bytes_max.saturating_sub(HEADER_BYTES)
    }
}

/// Of a stream's configuration, what matters here.
#[derive(Debug, Deserialize)]
struct Settings {
    #[serde(default)]
    subjects: Vec<String>,
    storage: String,
    num_replicas: u64,
    retention: String,
    discard: String,
    max_age: u64,
    max_msgs: i64,
    max_bytes: i64,
    max_msg_size: i64,
    /// In nanoseconds.
    #[serde(default)]
    duplicate_window: u64,
    #[serde(default)]
    allow_atomic: bool,
    #[serde(default)]
    allow_msg_ttl: bool,
    #[serde(default)]
    allow_rollup_hdrs: bool,
    #[serde(default)]
    no_ack: bool,
    #[serde(default)]
    sealed: bool,
    #[serde(default)]
    deny_delete: bool,
    #[serde(default)]
    mirror: Option<Value>,
    #[serde(default)]
    sources: Option<Vec<Value>>,
    #[serde(default)]
    subject_transform: Option<Value>,
}

const DOING: &str = "looking at its stream";

/// Below this a message has no room for a checkpoint.
const MESSAGE_BYTES_MIN: usize = 4_096;

/// The first release with atomic batches.
const RELEASE: (i64, i64, i64) = (2, 12, 0);

/// The first release of which it was proved that a message that is refused is none that another
/// one may follow. Early ones of 2.12 take it for the last one where a limit of the account refuses
/// it (<https://github.com/nats-io/nats-server/pull/7658>).
const CHAINS: (i64, i64, i64) = (2, 15, 0);

/// Makes it ready.
pub(super) async fn ready(link: &Link, config: &NatsConfig) -> Result<Terms, SinkError> {
    let (major, minor, patch) = RELEASE;
    if !link.client.is_server_compatible(major, minor, patch) {
        let what = format!("the NATS server is of version {}", link.client.server_info().version);
        let todo = "update it to 2.12 or newer: older ones have no atomic batches";
        return Err(SinkError::blocked(what, todo));
    }
    let info = format!("STREAM.INFO.{}", config.stream);
    let mut told = link.api(DOING, &info, &Value::Null).await?;
    if told.as_ref().is_err_and(|denied| denied.has_no_stream()) {
        let make = format!("STREAM.CREATE.{}", config.stream);
        told = link.api("making its stream", &make, &wanted(config)).await?;
        if told.as_ref().is_err_and(|denied| denied.has_another_stream()) {
            told = link.api(DOING, &info, &Value::Null).await?;
        }
    }
    let told = told.map_err(|denied| denied.fault(DOING))?;
    let settings = Settings::deserialize(&told["config"]);
    let settings = settings.map_err(SinkError::unreachable(DOING))?;
    if let Some((what, todo)) = settings.fault(config) {
        let what = format!("stream `{}` {what}", config.stream);
        return Err(SinkError::blocked(what, todo));
    }
    let own = usize::try_from(settings.max_msg_size).unwrap_or(usize::MAX);
    let message_bytes_max = link.client.max_payload().min(own);
    if message_bytes_max < MESSAGE_BYTES_MIN {
        let what = format!("NATS takes messages of up to {message_bytes_max} bytes");
        let todo = "raise `max_payload` of the server, or `max_msg_size` of the stream";
        return Err(SinkError::blocked(what, todo));
    }
    let (major, minor, patch) = CHAINS;
    let chains = link.client.is_server_compatible(major, minor, patch)
        && settings.is_ours_alone(config)
        && settings.num_replicas == 1
        && settings.duplicate_window <= REMEMBERED_MAX
        && !settings.drops_old();
    Ok(Terms { message_bytes_max, replaces: settings.allow_rollup_hdrs, chains })
}

/// The server keeps each message's id in memory for as long as its stream says (2 minutes, if it
/// says nothing). Of a chain they are of no use any more behind the next message; of millions that
/// are given at once they would take gigabytes. In nanoseconds.
const REMEMBERED_MAX: u64 = 10_000_000_000;

/// As it is made.
fn wanted(config: &NatsConfig) -> Value {
    json!({
        "name": config.stream,
        "description": format!("the record, by Unbroken's sink `{}`", config.name),
        "subjects": [format!("{}.>", config.prefix)],
        "storage": "file",
        "num_replicas": config.replicas,
        "duplicate_window": 1_000_000_000,
        "allow_atomic": true,
        "allow_msg_ttl": true,
        "allow_rollup_hdrs": true,
    })
}

impl Settings {
    fn drops_old(&self) -> bool {
        (self.max_msgs > 0 || self.max_bytes > 0) && self.discard == "old"
    }

    fn is_ours_alone(&self, config: &NatsConfig) -> bool {
        self.subjects == [format!("{}.>", config.prefix)]
    }

    /// What it does not allow, or would do to the checkpoint; and what to do.
    fn fault(&self, config: &NatsConfig) -> Option<(String, &'static str)> {
        let prefix = &config.prefix;
        let faults = [
            (self.sealed, "is sealed", "name another one"),
            (
                self.deny_delete,
                "lets nothing be deleted (`deny_delete`), not even the rest of a torn batch",
                "name another one: this cannot be taken back",
            ),
            (self.mirror.is_some(), "is the mirror of another one", "name that one"),
            (
                self.sources.as_ref().is_some_and(|sources| !sources.is_empty()),
                "has `sources`, whose messages may come with the sink's subjects",
                "take its `sources` out, or name another stream",
            ),
            (
                !self.subjects.iter().any(|pattern| covers(pattern, prefix)),
                "does not take every subject below the sink's `prefix`",
                "add the prefix with `.>` to its subjects, or name another stream",
            ),
            (
                !self.allow_atomic,
                "does not allow atomic batches",
                "allow them (`allow_atomic`): data and checkpoint are one",
            ),
            (self.storage != "file", "is kept in memory", "keep it in files"),
            (
                self.retention != "limits",
                "deletes what its consumers have acknowledged, and so the checkpoint",
                "give it the retention `limits`, or name another stream",
            ),
            (
                self.max_age > 0,
                "deletes messages by their age (`max_age`), and so the checkpoint",
                "set `max_age` to 0 and the sink's `keep_ms` to the age: the checkpoint stays",
            ),
            (
                self.drops_old() && !self.is_ours_alone(config),
                "has a limit by which the messages of others push out the checkpoint",
                "give the sink a stream of its own, or take out `max_msgs` and `max_bytes`",
            ),
            (self.no_ack, "answers nothing (`no_ack`)", "let it answer"),
            (
                self.subject_transform.is_some(),
                "renames subjects",
                "take its `subject_transform` out: the checkpoint is found by its subject",
            ),
            (
                config.keep.is_some() && !self.allow_msg_ttl,
                "does not let a message say how long it is kept",
                "set `allow_msg_ttl`, or take `keep_ms` out",
            ),
        ];
        let found = faults.into_iter().find(|(is_so, ..)| *is_so);
        found.map(|(_, what, todo)| (what.to_owned(), todo))
    }
}
