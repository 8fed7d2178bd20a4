//! The vendors' own dialects: an existing client changes one URL, and is correct.
//!
//! What a client says and what it is told is decided without input or output: places and numbers
//! here, messages and shapes in a module for each vendor. `route` and `stream` of each bring it to
//! HTTP and to sockets.

mod beginning;
mod context;
mod credential;
mod cxone;
mod genesys;
mod grant;
mod ground;
mod newest;
mod owed;
mod probe;
mod sequence;
mod settings;
mod spoken;
mod staging;
mod token;
mod wire;

pub use credential::Credentials;
pub use settings::{CxoneDialect, DialectSettings, GenesysDialect, RESUME_MS, TOKEN_LIFE_MS};
pub(crate) use spoken::Dialects;
