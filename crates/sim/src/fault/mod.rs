//! The promises that real vendors break, one or two at a time.

mod baseline;
mod board;
mod frames;
mod hooks;
mod name;
mod news;
mod requests;
pub(crate) mod script;
mod tick;

pub(crate) use board::FaultBoard;
pub(crate) use frames::Bent;
pub(crate) use hooks::Refusal;
pub use name::Fault;
pub use news::{FaultCounts, FaultNews, News, Stage};
pub use script::Script;
