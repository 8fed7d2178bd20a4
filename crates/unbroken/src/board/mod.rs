//! What is known right now of each stream, for status, metrics and the demo. Decides nothing.

mod metrics;
mod notes;
mod recoveries;
mod sink;
mod status;
mod store;

pub use metrics::render_metrics;
pub use notes::{Board, Durable};
pub use recoveries::{RECOVERY_SECONDS, Recoveries};
pub use sink::SinkStatus;
pub use status::{SourceCounts, SourceStatus, StreamStatus};
