//! Listeners and connections: what is bounded before anything is read.

mod accept;
mod admission;
mod connection;
mod descriptors;
mod listener;
mod stall;
mod tls;

pub(crate) use accept::{Doors, accept};
pub(crate) use descriptors::raise_descriptors;
pub(crate) use listener::{Listeners, bind};
pub(crate) use tls::acceptor;
