//! `unbroken conformance`: what a client's reconnect logic is worth, whoever wrote it.

mod args;
mod course;
mod document;
mod drawing;
mod error;
mod overview;
mod page;
mod session;
mod suite;
mod text;

pub(crate) use args::ConformanceArgs;
pub(crate) use error::SuiteError;
pub(crate) use session::run;
