//! The record into other systems.
//!
//! A [`Sink`] is a target that keeps its own checkpoint, behind a fence; a [`Pump`] reads the log
//! and commits batch after batch to it. Whatever befalls a target, the log is safe and the others
//! go on.
//!
//! ```text
//! log ─ Pump (one thread each) ─ Batch ─ Sink ─ target: data and checkpoint, together
//! ```

mod batch;
mod blocking;
mod checkpoint;
mod claim;
pub mod crash;
mod error;
mod fields;
mod folder;
mod gather;
mod holder;
mod image;
#[cfg(feature = "kafka")]
mod kafka;
mod limit;
mod nats;
mod ndjson;
mod parquet;
mod payload;
mod postgres;
mod progress;
mod pump;
mod redshift;
mod selection;
mod share;
mod sink;
mod sinks_db;
mod sql;
mod start;
mod store;
mod table;
mod thread;
mod webhook;

pub use batch::{Batch, Lapse, Parked};
pub use checkpoint::{Checkpoint, InvalidCheckpoint, Phase};
pub use claim::Claim;
pub use error::{Blocked, SinkError};
pub use fields::Fields;
pub use gather::Cut;
#[cfg(feature = "kafka")]
pub use kafka::{Kafka, KafkaConfig, KafkaEvents, KafkaLogin};
#[cfg(feature = "proof")]
pub use limit::hurry;
pub use nats::{InvalidNatsUrl, Nats, NatsConfig, NatsLogin, NatsServers, nats_servers};
pub use ndjson::{Ndjson, NdjsonConfig};
pub use parquet::{Parquet, ParquetConfig};
pub use postgres::{Postgres, PostgresConfig};
pub use progress::{Doing, Progress, SinkCounts, Trouble};
pub use pump::{Ended, Pump, PumpConfig, Retry};
/// The client, for trials of the whole that read what was written.
#[cfg(feature = "kafka-external")]
pub use rdkafka;
pub use redshift::{Redshift, RedshiftConfig, redshift_server};
pub use selection::{Selection, Where};
pub use sink::{Fence, Guarantee, Opened, Sink};
pub use sinks_db::{DeadLetter, DeadLetters};
pub use sql::{AskPassword, InvalidUrl, postgres_server};
pub use start::StartAt;
pub use store::AskOptions;
pub use table::{CsvRows, ParquetRows, Row, WriteFailed};
pub use thread::SinkThread;
pub use webhook::{AskSecrets, Post, PostAnswer, Posting, Webhook, WebhookConfig};
