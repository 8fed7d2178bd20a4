//! Every sink goes through the same trials; what is the pump's alone is tried on a target in
//! memory.
#![cfg(test)]

mod beginnings;
mod conformance;
mod files;
mod guarantees;
mod house;
mod poison;
mod postgres;
mod rates;
mod receiver;
mod retention;
mod roads;
mod server;
mod shelf;
mod staleness;
mod trouble;
mod webhook;
