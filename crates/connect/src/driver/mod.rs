//! The only loop that waits: between the vendor, the machine and the log.

mod clock;
mod errands;
mod flight;
mod log;
mod performer;
mod run;

pub use clock::Clock;
pub use flight::{Flow, InFlight};
pub use log::Log;
pub use run::drive;
