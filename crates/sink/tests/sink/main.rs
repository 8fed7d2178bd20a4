//! Every sink goes through the same trials; what is the pump's alone is tried on a target in
//! memory.
#![cfg(test)]

mod beginnings;
mod conformance;
mod cuts;
mod files;
mod guarantees;
mod guide;
mod house;
mod instance;
mod jetstream_server;
mod mortal;
mod nats;
mod nats_chains;
mod nats_rates;
mod nats_roads;
mod object_store;
mod overtaken;
mod pending;
mod points;
mod poison;
mod ports;
mod postgres;
mod rates;
#[expect(dead_code, reason = "the trials of the whole need more of it")]
mod receiver;
mod redshift;
mod restarts;
mod retention;
#[expect(dead_code, reason = "the trials of Kafka need more of it")]
mod road;
mod roads;
mod rows;
mod selected;
mod server;
mod shelf;
mod silence;
mod staleness;
mod stand_in;
mod tables;
mod targets;
mod trouble;
mod webhook;
mod webhook_letters;
