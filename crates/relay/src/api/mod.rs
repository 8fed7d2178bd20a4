//! The operations, a file each.

pub(crate) mod description;
mod ending;
pub(crate) mod events;
pub(crate) mod gaps;
pub(crate) mod health;
pub(crate) mod metrics;
mod opening;
pub(crate) mod page;
pub(crate) mod problems;
mod reply;
pub(crate) mod resync;
pub(crate) mod session;
pub(crate) mod sources;
pub(crate) mod sse;
pub(crate) mod state;
mod stored;
pub(crate) mod websocket;
mod wish;
