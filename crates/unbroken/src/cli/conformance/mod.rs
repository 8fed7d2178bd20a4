//! `unbroken conformance`: what a client's reconnect logic is worth, whoever wrote it.

mod args;
mod document;
mod error;
mod overview;
mod session;
mod suite;

pub(crate) use args::ConformanceArgs;
pub(crate) use error::SuiteError;
pub(crate) use session::run;
