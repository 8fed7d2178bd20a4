//! The only loop that waits: between the vendor, the machine and the log.

mod clock;
mod errands;
mod flight;
mod joining;
mod log;
mod outbox;
mod performer;
mod run;
mod talk;

pub use clock::Clock;
pub use flight::Flow;
pub(crate) use joining::Joining;
pub use log::Log;
pub use outbox::Outbox;
pub use run::drive;
pub use talk::{Talk, unread};
