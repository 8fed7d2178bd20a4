//! The record in a broker of Kafka's protocol, while both the service and the broker are killed at
//! random. It is noida-db and not Apache Kafka, and no part of the other tests: `make
//! test-kafka-external`, with N kills, under load. Both sides are compared message for message, and
//! a hash of each is printed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::broker::{Broker, Told};
use crate::examples::KAFKA;
use crate::kills::{Kills, are_the_same};
use crate::service::World;

#[test]
fn topics_hold_what_the_log_holds_through_kills_of_service_and_broker() {
    let ((logged, stored), kills) = through_kills("transactional = true", Broker::kill);
    // Every message once, and in order.
    println!("{}", are_the_same([("log", logged), ("topic", stored)], kills));
}

/// What comes again has the same id, and the first of each is in order. The broker forgets a second
/// of what it has acknowledged when it is killed, which no producer without transactions can make
/// good: here it is told to end.
#[test]
fn without_transactions_nothing_is_missing_after_kills() {
    let ((logged, stored), kills) = through_kills("transactional = false", Broker::end);
    let mut seen = BTreeSet::new();
    let first: Vec<String> = stored.iter().filter(|row| seen.insert(*row)).cloned().collect();
    println!("without transactions: {} of {} came again", stored.len() - first.len(), stored.len());
    println!("{}", are_the_same([("log", logged), ("topic", first)], kills));
}

#[test]
fn the_example_runs() {
    let (world, broker) = (World::new(), Broker::start());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/kafka.toml");
    let text = fs::read_to_string(path).expect("text");
    world.configure_as(&text.replace(&format!("\"{KAFKA}\""), &format!("{:?}", broker.servers())));
    let service = world.run(&[]);
    let status = service.wait_status("with a sink that has caught up", |status| {
        let sink = &status["sinks"][0];
        sink["phase"] == "running" && sink["records"].as_u64() > Some(30)
    });
    let sink = &status["sinks"][0];
    assert_eq!((&sink["parked"], &sink["failures"]), (&0.into(), &0.into()), "{sink}");
    service.signal("TERM");
    let (code, log, _) = service.wait();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(stored(&broker), exported(&world));
}

/// In the middle of a question that nobody answers.
#[test]
fn a_stop_is_heard_while_the_broker_is_away() {
    let (world, mut broker) = (World::new(), Broker::start());
    broker.kill();
    let kafka = format!("kafka = {{ servers = \"{}\" }}\n", broker.servers());
    world.configure(&format!("[[sink]]\nname = \"topics\"\n{kafka}"));
    fs::write(world.path("agents"), "").expect("a file");
    for waits in [false, true] {
        let service = world.run(&[]);
        service.wait_live();
        if waits {
            let is_told = |status: &Value| status["sinks"][0]["phase"] == "retrying";
            service.wait_status("with a sink that has no broker", is_told);
        }
        service.signal("TERM");
        let (code, log, _) = service.wait();
        assert_eq!(code, Some(0), "{log}");
    }
}

/// The rows of the log and of the topic.
fn through_kills(mode: &str, stop: fn(&mut Broker)) -> ((Vec<String>, Vec<String>), u64) {
    let (world, mut broker) = (World::of(Kills::rate()), Broker::start());
    fs::write(world.path("agents"), "").expect("a file");
    let sink = "[[sink]]\nname = \"topics\"\nlinger_ms = 5\n";
    let servers = broker.servers();
    world.configure(&format!("{sink}kafka = {{ servers = \"{servers}\", {mode} }}\n"));
    let service = world.run(&[]);
    service.wait_live();
    broker.has_saved("unbroken.checkpoints");
    let mut kills = Kills::asked_for();
    kills.play(&world, service, |rng| {
        let is_broker = rng.bool();
        if is_broker {
            stop(&mut broker);
            sleep(Duration::from_millis(rng.u64(0..300)));
            broker.start_again();
        }
        is_broker
    });
    ((exported(&world), stored(&broker)), kills.count)
}

/// With its key, of which the log's is made from its own words.
fn row(key: &str, body: &[u8]) -> String {
    let event: Value = serde_json::from_slice(body).expect("JSON");
    format!("{key} {event}")
}

fn stored(broker: &Broker) -> Vec<String> {
    let told: Vec<Told> = broker.messages("unbroken.events");
    told.iter().map(|told| row(&told.key, &told.body)).collect()
}

fn exported(world: &World) -> Vec<String> {
    let output = world.command(&["export", "--format", "cloudevents"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let key = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let source = event["source"].as_str().expect("a source").trim_start_matches('/');
        event["subject"].as_str().unwrap_or(source).to_owned()
    };
    text.lines().map(|line| row(&key(line), line.as_bytes())).collect()
}
