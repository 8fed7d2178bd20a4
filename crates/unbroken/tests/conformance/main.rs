//! `unbroken conformance` with an honest client and with some that are each wrong in one way.
#![cfg(test)]

mod clients;
mod guide;
mod ourselves;
mod page;
mod processes;
mod refusals;
