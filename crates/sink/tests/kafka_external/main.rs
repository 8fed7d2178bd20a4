//! The trials of every sink on a broker of Kafka's protocol that hides what was aborted and fences
//! out what is too old. It is not Apache Kafka. `make test-kafka-external` plays them.
#![cfg(test)]

mod broker;
#[path = "../sink/conformance.rs"]
mod conformance;
#[path = "../sink/house.rs"]
#[expect(dead_code, reason = "the trials of the others need more of it")]
mod house;
#[path = "../sink/instance.rs"]
mod instance;
#[path = "../sink/overtaken.rs"]
#[expect(dead_code, reason = "the trials of the others need more of it")]
mod overtaken;
#[path = "../sink/points.rs"]
#[expect(dead_code, reason = "the trials of the others need more of it")]
mod points;
#[path = "../sink/ports.rs"]
mod ports;
#[path = "../sink/road.rs"]
#[expect(dead_code, reason = "the trials of the others need more of it")]
mod road;
#[path = "../sink/shelf.rs"]
#[expect(dead_code, reason = "the trials of the others need more of it")]
mod shelf;
mod topics;
mod trials;
