//! Genesys Cloud: channels that are made and filled over HTTP, sockets without positions, adherence
//! by REST, and a history that tells facts.
//!
//! What the vendor says in its published models is written here; what nobody has published is a
//! setting ([`GenesysConfig`]) or stands in the profile `genesys`.

mod adherence;
mod bulk;
mod channel;
mod client;
mod config;
mod conversation;
mod event;
mod evictions;
mod line;
mod pool;
mod region;
mod roster;
mod snapshot;
mod topic;
mod vendor;

pub(crate) use client::Client;
pub use config::GenesysConfig;
pub(crate) use region::places;
pub use roster::RosterError;
pub use topic::Kind;
pub(crate) use vendor::{Genesys, Parts};
