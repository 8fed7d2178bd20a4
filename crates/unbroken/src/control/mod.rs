//! The control socket: a Unix socket in the data directory (mode 0600), one JSON line each way.

mod client;
mod error;
mod http;
mod message;
mod server;

pub use client::ask;
pub use error::ControlError;
pub use message::{Request, Response, Status};
pub use server::{bind, serve};
