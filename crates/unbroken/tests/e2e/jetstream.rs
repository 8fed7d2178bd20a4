//! The record in a NATS server, while both the service and the server are killed at random.
//!
//! Six kills; `make sink-kills SINK=nats N=200` plays more of them, under load. Both sides are
//! compared message for message, and a hash of each is printed.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use unbroken_core::record::digest;

use crate::jetstream_server::JetStream;
use crate::service::World;
use crate::tables::{has_caught_up, number};

#[test]
fn a_stream_holds_what_the_log_holds_through_kills_of_service_and_server() {
    let (kills, seed) = (number("SINK_KILLS", 6), number("SINK_SEED", 1));
    let rate = number("SINK_RATE", 200) as f64;
    let (world, mut server) = (World::of(rate), JetStream::start());
    let mut rng = fastrand::Rng::with_seed(seed);
    fs::write(world.path("agents"), "").expect("a file");
    let sink = "[[sink]]\nname = \"bus\"\nlinger_ms = 5\n";
    world.configure(&format!("{sink}nats = {{ url = \"{}\" }}\n", server.url()));
    let mut service = world.run(&[]);
    for _ in 0..kills {
        service.wait_live();
        sleep(Duration::from_millis(rng.u64(0..400)));
        if rng.bool() {
            server.kill();
            sleep(Duration::from_millis(rng.u64(0..300)));
            server.start_again();
        } else {
            service.signal("KILL");
            service.wait();
            service = world.run(&[]);
        }
    }
    service.wait_live();
    has_caught_up(&service);
    service.signal("TERM");
    let (code, log, _) = service.wait();
    assert_eq!(code, Some(0), "{log}");
    let (logged, stored) = (exported(&world), stored(&server));
    for (side, rows) in [("log", &logged), ("stream", &stored)] {
        let hash = digest(rows.join("\n").as_bytes());
        println!("{side}: {} records, hash {hash:032x}, after {kills} kills", rows.len());
    }
    assert!(logged.len() as u64 > 20 * kills, "{}", logged.len());
    // Where they differ first, and not all of both.
    let differ = logged.iter().zip(&stored).find(|(logged, stored)| logged != stored);
    assert_eq!(differ, None);
    assert_eq!(logged.len(), stored.len());
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
