//! **Unbroken turns an unreliable event feed into an unbroken record**: every event once, in order,
//! state that is never stale without saying so, and every interval that the vendor itself lost
//! written in a ledger.
//!
//! This crate puts the parts together.

pub mod board;
pub mod config;
pub mod control;
pub mod crash;
pub mod feed;
pub mod hooks;
pub mod logbook;
pub mod panic_report;
pub mod pipeline;
pub mod place;
pub mod policy;
pub mod render;
pub mod report;

pub use config::Config;
pub use pipeline::Pipeline;
pub use unbroken_render::words;
