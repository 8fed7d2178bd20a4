//! The promises that real vendors break, one at a time.

mod active;
mod hooks;
mod name;
mod news;
mod script;
mod tick;

pub(crate) use active::FaultBoard;
pub(crate) use hooks::Refusal;
pub use name::Fault;
pub use news::{FaultCounts, FaultNews, News, Stage};
pub use script::Script;
