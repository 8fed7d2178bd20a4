//! The contest: rounds of all contestants, one after the other, on the same bytes.

mod durable;
mod entrant;
mod node;
mod round;
mod server;
mod unbroken;

pub(crate) use durable::Watch;
pub(crate) use round::{Contest, run};
pub(crate) use server::Server;
pub(crate) use unbroken::{Service, stop, verify};
