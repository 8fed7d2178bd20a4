//! The small worlds that are searched, each a file: what the source is like, and what may go wrong.
//!
//! `worlds::NAME::run(size, mutant)` searches one.

#![expect(unreachable_pub, dead_code, reason = "a test's tool")]

mod kinds;
mod small;

pub mod claims;
pub mod crash_append;
pub mod epochs;
pub mod handover;
pub mod pages_deletes;
pub mod refusal_ladder;
pub mod two_writers;
pub mod unpositioned;

pub use small::{Setting, Size, Small};

/// All of them.
pub fn all() -> Vec<Small> {
    vec![
        crash_append::world(),
        pages_deletes::world(),
        epochs::world(),
        handover::world(),
        refusal_ladder::world(),
        two_writers::world(),
        unpositioned::world(),
    ]
}
