//! Genesys Cloud's notifications: channels, topics, sockets, and agents' adherence by REST.

mod channel;
mod frame;
mod route;
mod session;
mod shape;
mod stream;
mod topic;

pub(crate) use route::Genesys;
