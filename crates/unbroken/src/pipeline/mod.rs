//! The parts put together: each source's driver and machine, the one journal, the store behind it,
//! and the control socket.
//!
//! ```text
//! source ─ driver ─ machine ─ Append ─ JournalSink ─ committer ─ journal ─ StoreKeeper ─ store
//!             ▲                            Acks (Appended) │
//!             └────────────────────────────────────────────┘
//! ```

mod acks;
mod dialects;
mod error;
mod handle;
mod observe;
mod opened;
mod relayed;
mod run;
mod sink;
mod sink_kafka;
mod sink_places;
mod sink_targets;
mod sink_webhook;
mod sinks;
mod start;
mod store_keeper;

pub use error::PipelineError;
pub use handle::Handle;
pub use observe::{Observe, Unobserved};
pub use opened::open as open_journal;
pub use run::{Pipeline, Stopped};
