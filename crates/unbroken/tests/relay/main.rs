//! The relay of the real binary, with a simulated vendor behind it: restarts, kills, tokens that
//! come and go, staleness.
#![cfg(test)]

mod house;
mod restarts;
mod staleness;
mod start;
mod tokens;
