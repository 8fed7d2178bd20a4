//! The binary over real sockets against the simulated vendor, judged by the vendor's own ledger.

#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

#[cfg(feature = "kafka-external")]
#[path = "../../../sink/tests/kafka_external/broker.rs"]
#[expect(dead_code, reason = "the trials of the sink need more of it")]
mod broker;
mod capture;
mod demo;
mod dialect;
mod examples;
mod exposition;
mod fields;
mod hooks;
mod jetstream;
#[path = "../../../sink/tests/sink/jetstream_server.rs"]
#[expect(dead_code, reason = "the trials of the sink need more of it")]
mod jetstream_server;
#[cfg(feature = "kafka-external")]
mod kafka;
mod kills;
mod metrics;
#[path = "../../../sink/tests/sink/mortal.rs"]
#[expect(dead_code, reason = "the trials of the sink need more of it")]
mod mortal;
#[path = "../../../sink/tests/sink/object_store.rs"]
mod object_store;
mod parquet;
mod person;
#[path = "../../../sink/tests/sink/ports.rs"]
mod ports;
#[path = "../../../sink/tests/sink/receiver.rs"]
#[expect(dead_code, reason = "the trials of the sink need more of it")]
mod receiver;
mod redshift;
#[path = "../../../sink/tests/sink/road.rs"]
#[expect(dead_code, reason = "the trials of the sink need more of it")]
mod road;
#[path = "../../../sink/tests/sink/server.rs"]
#[expect(dead_code, reason = "the trials of the sink need more of it")]
mod server;
mod service;
mod signals;
mod simulator;
mod sinks;
mod sources;
#[path = "../../../sink/tests/sink/stand_in.rs"]
#[expect(dead_code, reason = "the trials of the sink need more of it")]
mod stand_in;
mod tables;
mod webhook_sink;
