//! A vendor's service that says at which hosts a tenant is served.
//!
//! What it says is an answer like any other: it is believed only where the user has named the hosts
//! that it may name. It is asked before the first request, and before an attempt after one in which
//! a host did not serve us: a tenant may have moved.

mod allowed;
mod choice;
mod error;
mod hosts;
mod named;
mod places;
mod service;
mod standing;

pub use choice::DiscoveryChoice;
pub use error::DiscoveryError;
pub(crate) use places::Places;
pub(crate) use service::Discovery;
