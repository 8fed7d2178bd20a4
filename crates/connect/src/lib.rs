//! Sources: how a vendor is spoken to, and the loop that lets the machine do it.
//!
//! A source is a [`generic::Profile`] (data) under a [`config::SourceConfig`] (the user's). The
//! [`source::Source`] made of both knows how to render every request and message and how to read
//! every answer; [`driver::drive`] moves bytes, time and answers between it, the recovery machine
//! and the log. Only [`transport`] knows the HTTP, WebSocket and TLS libraries.

pub mod auth;
pub mod capture;
pub mod config;
pub mod discovery;
pub mod driver;
pub mod generic;
mod genesys;
mod polling;
pub mod probe;
pub mod secret;
pub mod source;
mod source_error;
mod source_keys;
mod source_parts;
pub mod tally;
pub mod transport;

pub use config::SourceConfig;
pub use driver::{Log, drive};
pub use genesys::{GenesysConfig, Kind as GenesysTopic, RosterError};
pub use source::{Source, SourceHandle};
pub use tally::{Counts, Tally};
