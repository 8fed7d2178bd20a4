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
mod error;
mod fields;
mod gather;
mod image;
mod nats;
mod ndjson;
mod postgres;
mod progress;
mod pump;
mod selection;
mod sink;
mod start;
mod thread;

pub use batch::{Batch, Lapse, Parked};
pub use checkpoint::{Checkpoint, InvalidCheckpoint, Phase};
pub use claim::Claim;
pub use error::{Blocked, SinkError};
pub use fields::Fields;
pub use gather::Cut;
pub use nats::{InvalidNatsUrl, Nats, NatsConfig, NatsLogin, NatsServers, nats_servers};
pub use ndjson::{Ndjson, NdjsonConfig};
pub use postgres::{AskPassword, InvalidUrl, Postgres, PostgresConfig, postgres_server};
pub use progress::{Doing, Progress, SinkCounts, Trouble};
pub use pump::{Ended, Pump, PumpConfig, Retry};
pub use selection::{Selection, Where};
pub use sink::{Fence, Guarantee, Opened, Sink};
pub use start::StartAt;
pub use thread::SinkThread;
