//! The pure core of Unbroken: decides what to do after anything that can happen to a feed.
//!
//! No clock, no I/O, no vendor's word. Time is an input, randomness is a seed, and the same inputs
//! give the same outputs, byte for byte.

pub mod ahead;
pub mod backoff;
pub mod bookmark;
pub mod connector;
pub mod directive;
pub mod fold;
pub mod ids;
pub mod key_table;
pub mod machine;
pub mod position;
pub mod record;
pub mod snapshot;
pub mod time;
