//! The relay: the record over HTTP, for clients in every language, by a cursor and nothing else.
//!
//! [`feed`] is the one path from the log to a client; everything else brings it to a transport.
//! The operations are one table (`http/table.rs`), from which the routes, the checks of parameters
//! and the description at `/openapi.json` are made.

mod access;
mod api;
mod app;
mod dialect;
mod error;
pub mod feed;
mod host;
mod http;
pub mod place;
mod relay;
mod server;
mod settings;

pub use access::{AccessError, Issued, Ledger, LedgerError, Scope, TokenLine, ensure_admin_token};
pub use dialect::{
    Credentials, CxoneDialect, DialectSettings, GenesysDialect, RESUME_MS, TOKEN_LIFE_MS,
};
pub use error::RelayError;
pub use host::{Host, Readiness, ResyncError, StoreDoubt};
pub use relay::{PreparedRelay, Relay};
pub use settings::RelayConfig;
