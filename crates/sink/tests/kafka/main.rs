//! What a Kafka sink makes of errors, on the cluster that librdkafka has for tests of clients. That
//! one takes transactions, but hides nothing that was aborted and fences nobody out: what the sink
//! promises is tried on a real broker, by `make test-kafka-external`.
#![cfg(test)]

mod errors;
#[path = "../sink/house.rs"]
#[expect(dead_code, reason = "the trials of the others need more of it")]
mod house;
mod mock;
mod page;
