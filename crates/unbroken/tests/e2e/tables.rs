//! The record in a PostgreSQL server, while both the service and the server are killed at random.
//!
//! Six kills; `make sink-kills N=200` plays more of them, under load. Both sides are compared row
//! for row, and a hash of each is printed.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::kills::{Kills, are_the_same};
use crate::server::Server;
use crate::service::World;

#[test]
fn tables_hold_what_the_log_holds_through_kills_of_service_and_server() {
    let (world, mut server) = (World::of(Kills::rate()), Server::start());
    fs::write(world.path("agents"), "").expect("a file");
    let sink = "[[sink]]\nname = \"tables\"\nlinger_ms = 5\nbatch_records_max = 200\n";
    world.configure(&format!("{sink}postgres = {{ url = \"{}\" }}\n", server.url()));
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
    println!("{}", are_the_same([("log", logged), ("tables", stored)], kills.count));
}

/// Of every record its offset, its kind, and what the vendor or the ledger says.
fn stored(server: &Server) -> Vec<String> {
    let rows = server.query(
        "SELECT log_offset || ' ' || record || ' ' || said FROM ( \
             SELECT log_offset, 'change' AS record, payload::text AS said FROM unbroken.events \
             WHERE snapshot IS NULL UNION ALL \
             SELECT log_offset, 'snapshot_item', payload::text FROM unbroken.events \
             WHERE snapshot IS NOT NULL UNION ALL \
             SELECT log_offset, 'snapshot_item', payload::text FROM unbroken.staged UNION ALL \
             SELECT log_offset, record, data::text FROM unbroken.ledger \
         ) AS every ORDER BY log_offset",
    );
    rows.iter().map(|row| canonical(row)).collect()
}

/// With its JSON in one form.
pub(crate) fn canonical(row: &str) -> String {
    let mut parts = row.splitn(3, ' ');
    let mut next = || parts.next().expect("three parts");
    let (offset, record) = (next(), next());
    let said: Value = serde_json::from_str(next()).expect("JSON");
    format!("{offset} {record} {said}")
}

/// The same of the log; items of snapshots that were dropped are in no table.
pub(crate) fn exported(world: &World) -> Vec<String> {
    let (mut kept, mut items) = (Vec::new(), Vec::new());
    for (offset, record, row) in records(world) {
        match record.as_str() {
            "snapshot_begin" | "snapshot_abort" => items.clear(),
            "snapshot_end" => kept.append(&mut items),
            _ => {}
        }
        if record == "snapshot_item" { items.push((offset, row)) } else { kept.push((offset, row)) }
    }
    kept.append(&mut items);
    kept.sort();
    kept.into_iter().map(|(_, row)| row).collect()
}

/// Every record of the log: its offset, its kind, and a row of both with what it says.
pub(crate) fn records(world: &World) -> Vec<(u64, String, String)> {
    let output = world.command(&["export", "--format", "cloudevents"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let record = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let id = event["id"].as_str().expect("an id");
        let offset: u64 = id.rsplit(':').next().expect("an offset").parse().expect("a number");
        let kind = event["type"].as_str().expect("a type");
        let record = kind.strip_prefix("unbroken.").expect("ours").to_owned();
        let data = &event["data"];
        let is_change = ["change", "snapshot_item"].contains(&record.as_str());
        let said = if is_change { &data["payload"] } else { data };
        let row = format!("{offset} {record} {said}");
        (offset, record, row)
    };
    text.lines().map(record).collect()
}
