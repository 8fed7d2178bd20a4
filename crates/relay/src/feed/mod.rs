//! The one path from the log to a client: what is older is read from the log, what is new comes
//! from a ring that all clients share, and both are rendered by the same function.
//!
//! ```text
//! log ─ Newest (one thread) ─ ring of chunks ─┐
//!  └─── replay (bounded, few at a time) ──────┴─ Tail ─ transport ─ client
//! ```
//!
//! A client's place is its own business ([`Tail`]). Kept for it here is whether the ring holds
//! something that it wants, so that ten thousand idle clients cost nothing while records come in,
//! and, for who wants a few keys, a bounded box with its records as they pass.

mod chunk;
mod cursor;
mod error;
mod interest;
mod newest;
mod reading;
mod replay;
mod ring;
mod shared;
mod tail;

pub use chunk::{Chunk, Entry};
pub use cursor::{After, CursorError};
pub use error::FeedError;
pub use newest::Newest;
pub use shared::{Feed, FeedLimits};
pub use tail::{Run, Tail};
