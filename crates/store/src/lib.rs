//! The query store: the log as SQLite tables, fed from it and never ahead of it.
//!
//! The log is the commit point; this store is a consumer with a checkpoint. What a power cut takes
//! from it is fed again from the log, so it never has to wait for the disk, and it can always be
//! made anew ([`rebuild()`]). Its state is, per key, the last write in offset order among records
//! with `effect = state`, published outside snapshot brackets: the same as [`unbroken_core::fold`].

mod bracket;
mod column;
pub mod crash;
mod error;
mod feeder;
mod group;
mod image;
mod ledger;
mod log;
mod reader;
mod rebuild;
mod row;
mod schema;
mod stream;
mod verify;
mod words;
mod writer;

pub use error::StoreError;
pub use feeder::{Feeder, FeederTiming, open_or_build};
pub use log::{Log, LogBatch, LogBatches, LogError, LogExtent};
pub use reader::{OpenBracket, State, StateFilter, StoreReader};
pub use rebuild::rebuild;
pub use row::{EventRow, GapRow, OutageRow, QuarantineRow, StateRow, StreamRow};
pub use schema::SCHEMA_VERSION;
pub use verify::{Finding, Verification, verify_store};
pub use writer::{Checkpoint, Store};
