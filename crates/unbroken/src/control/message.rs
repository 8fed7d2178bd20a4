//! What can be asked of a running service, and its answer: one JSON object per line each.

use serde::{Deserialize, Serialize};

use crate::board::{SinkStatus, SourceStatus, StreamStatus};
use crate::hooks::HookCounts;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How it is doing.
    Status {},
    /// Its figures, as Prometheus text.
    Metrics {},
    /// A fresh snapshot; of every stream if none is named.
    Resync {
        /// A source's name, or `source/stream`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// Only these keys.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys: Option<Vec<String>>,
    },
    /// Unsubscribe and ask the vendor for nothing, until resumed; every stream if none is named.
    Pause {
        /// A source's name, or `source/stream`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// Who asks.
        by: String,
        /// Why; may be empty.
        #[serde(default)]
        why: String,
    },
    /// Go on from what is durable.
    Resume {
        /// A source's name, or `source/stream`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// Who asks.
        by: String,
        /// Why; may be empty.
        #[serde(default)]
        why: String,
    },
    /// Read agents and secrets again; of every source if none is named.
    Reload {
        /// A source's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
    },
    /// Unsubscribe, commit, exit.
    Stop {},
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Response {
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::Metrics`].
    Metrics {
        /// Prometheus text format.
        text: String,
    },
    /// It will be done.
    Accepted {
        /// Of which streams or sources.
        of: Vec<String>,
    },
    /// It will not be done.
    Refused {
        /// Why.
        why: String,
    },
}

/// How a running service is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// How long it has been running, in milliseconds.
    pub uptime_ms: u64,
    /// Which journal it writes.
    pub journal_id: String,
    /// The offset that the next record will get.
    pub next_offset: u64,
    /// The store holds every record below this offset.
    pub store_offset: u64,
    /// Times that feeding the store has failed.
    #[serde(default)]
    pub store_failures: u64,
    /// Size of the log on disk, in bytes.
    #[serde(default)]
    pub journal_bytes: u64,
    /// What its hooks have come to.
    #[serde(default)]
    pub hooks: HookCounts,
    /// Its sources.
    pub sources: Vec<SourceStatus>,
    /// Its sinks.
    #[serde(default)]
    pub sinks: Vec<SinkStatus>,
}

impl Status {
    /// Every stream is complete, current and proved; and there is one.
    pub fn is_live(&self) -> bool {
        let mut streams = self.sources.iter().flat_map(|source| &source.streams).peekable();
        streams.peek().is_some() && streams.all(StreamStatus::is_live)
    }
}
