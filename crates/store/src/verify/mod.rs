//! Whether the store is what the log says.
//!
//! Reads the log once, beside the store's tables in offset order, and folds it. It shares no code
//! with the writer but the rows' shapes: what the writer gets wrong must not be repeated here.

mod brackets;
mod finding;
mod gaps;
mod snapshots;
mod state;
mod tables;
mod walk;

pub use finding::{Finding, Verification};
pub use walk::verify_store;
