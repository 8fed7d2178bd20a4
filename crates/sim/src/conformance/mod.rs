//! Conformance of any client's reconnect logic: named scenarios, and what a client is worth in
//! each.
//!
//! A client is a command. For each scenario a vendor is started, the command is told of it by
//! environment variables, and prints one JSON object for each event it accepts; what it should have
//! printed is in the vendor's ledger, and [`crate::verdict`] judges as it judges any record.
//! `docs/guides/conformance.md` has the client's side of it.

mod canonical;
mod client;
mod cxone;
mod error;
mod genesys;
mod line;
mod recovery;
mod report;
mod scenario;
mod score;
mod session;
mod surroundings;
mod testimony;
mod timeline;

pub use error::ConformanceError;
pub use report::{Case, FaultTold, Figures, Finding, Life, LifeEnd, Report, Totals};
pub use scenario::{Kind, Scenario, Step};
pub use session::{Order, play};
pub use timeline::{Span, Timeline};
