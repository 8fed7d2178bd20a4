//! The only loop that waits: between the vendor, the machine and the log.

mod clock;
mod errands;
mod flight;
mod joining;
mod log;
mod performer;
mod run;

pub use clock::Clock;
pub use flight::{Flow, InFlight};
pub(crate) use joining::Joining;
pub use log::Log;
pub use run::drive;
