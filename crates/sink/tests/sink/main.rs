//! Every sink goes through the same trials; what is the pump's alone is tried on a target in
//! memory.
#![cfg(test)]

mod beginnings;
mod conformance;
mod files;
mod guarantees;
mod house;
mod jetstream_server;
mod nats;
mod nats_rates;
mod nats_roads;
mod poison;
mod postgres;
mod rates;
mod retention;
mod roads;
mod server;
mod shelf;
mod staleness;
mod trouble;
