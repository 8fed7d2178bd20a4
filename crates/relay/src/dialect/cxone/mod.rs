//! The notification stream of NICE CXone and its baseline, as users report them.

mod baseline;
mod frame;
mod message;
mod route;
mod session;
mod stream;

pub(crate) use route::Cxone;
