//! The contest: rounds of all contestants, one after the other, on the same bytes.

mod durable;
mod entrant;
mod node;
mod round;
mod server;
mod unbroken;

pub(crate) use round::{Contest, run};
