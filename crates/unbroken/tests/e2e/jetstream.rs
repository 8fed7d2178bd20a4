//! The record in a NATS server, while both the service and the server are killed at random.
//!
//! Six kills; `make sink-kills SINK=nats N=200` plays more of them, under load. Both sides are
//! compared message for message, and a hash of each is printed.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::jetstream_server::JetStream;
use crate::kills::{Kills, are_the_same};
use crate::service::World;

#[test]
fn a_stream_holds_what_the_log_holds_through_kills_of_service_and_server() {
    let (world, mut server) = (World::of(Kills::rate()), JetStream::start());
    fs::write(world.path("agents"), "").expect("a file");
    let sink = "[[sink]]\nname = \"bus\"\nlinger_ms = 5\n";
    world.configure(&format!("{sink}nats = {{ url = \"{}\" }}\n", server.url()));
    let mut kills = Kills::asked_for();
    kills.play(&world, world.run(&[]), |rng| {
        let is_server = rng.bool();
        if is_server {
            server.kill();
            sleep(Duration::from_millis(rng.u64(0..300)));
            server.start_again();
        }
        is_server
    });
    let (logged, stored) = (exported(&world), stored(&server));
    println!("{}", are_the_same([("log", logged), ("stream", stored)], kills.count));
}

/// With its subject, of which the log's is made from its own words.
fn row(subject: &str, body: &[u8]) -> String {
    let event: Value = serde_json::from_slice(body).expect("JSON");
    format!("{subject} {event}")
}

/// Every message but the checkpoint, in the stream's order.
fn stored(server: &JetStream) -> Vec<String> {
    let told = server.messages("UNBROKEN", "unbroken");
    let records = told.iter().filter(|told| told.subject != "unbroken.checkpoint");
    records.map(|told| row(&told.subject, &told.body)).collect()
}

fn exported(world: &World) -> Vec<String> {
    let output = world.command(&["export", "--format", "cloudevents"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let subject = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let source = event["source"].as_str().expect("a source").replace('/', ".");
        let kind = event["type"].as_str().expect("a type").trim_start_matches("unbroken.");
        format!("unbroken{source}.{kind}")
    };
    text.lines().map(|line| row(&subject(line), line.as_bytes())).collect()
}
