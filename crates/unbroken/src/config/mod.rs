//! The configuration file: what it may say, and how it is read.

mod error;
mod kafka;
mod load;
mod nats;
mod parquet;
mod postgres;
mod redshift;
mod relative;
mod relay;
mod schema;
mod sink;
mod store;
mod template;
mod webhook;

pub use error::ConfigError;
pub use kafka::{KafkaSection, KafkaWriting};
pub use load::{load, parse};
pub use nats::NatsSection;
pub use parquet::ParquetSection;
pub use postgres::{PartitionBy, PostgresSection};
pub use redshift::RedshiftSection;
pub use relay::{ClientConfig, CxoneConfig, DialectConfig, GenesysConfig, RelaySection};
pub use schema::{Config, JournalConfig, LogConfig, LogFormat};
pub use sink::SinkSection;
pub use template::{CXONE, CXONE_POLL, ETCD, GENESYS};
pub use webhook::WebhookSection;
