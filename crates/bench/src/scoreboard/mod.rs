//! The scoreboard: `unbroken conformance` for every client of `bench/clients`, and the page that
//! the results make.

mod course;
mod dialect_page;
mod entrant;
#[cfg(test)]
mod fixture;
mod page;
mod praise;
mod result;
mod sums;
mod versions;

pub(crate) use course::{Scoreboard, run};
