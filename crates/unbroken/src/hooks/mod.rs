//! Hooks: a command or a URL that is told when a ledger row opens or closes, and when a stream
//! needs a person or no longer does.
//!
//! They are told beside everything else: a queue that never blocks lies between, and one task per
//! hook empties it, one notice after the other. A hook that is slow or broken costs notices (the
//! oldest; the next one says how many), never an event. Rows are told when they are durable, so
//! that what a hook has heard of is in the log.

mod blocked;
mod command;
mod config;
mod error;
mod hook;
mod notice;
mod queue;
mod teller;
mod webhook;

pub use config::{HookConfig, HooksConfig};
pub use error::HookError;
pub use teller::{HookCounts, Hooks, PreparedHooks};
