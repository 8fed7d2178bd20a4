//! The record in a PostgreSQL server, while both the service and the server are killed at random.
//!
//! Six kills; `make sink-kills N=200` plays more of them, under load. Both sides are compared row
//! for row, and a hash of each is printed.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use unbroken_core::record::digest;

use crate::server::Server;
use crate::service::{Service, World};

pub(crate) fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().expect("a number"))
}

pub(crate) fn has_caught_up(service: &Service) {
    service.wait_status("with a sink that has caught up", |status| {
        let sink = status["sinks"].get(0).cloned().unwrap_or_default();
        sink["phase"] == "running" && sink["lag"].as_u64().is_some_and(|lag| lag < 100)
    });
}

#[test]
fn tables_hold_what_the_log_holds_through_kills_of_service_and_server() {
    let (kills, seed) = (number("SINK_KILLS", 6), number("SINK_SEED", 1));
    let rate = number("SINK_RATE", 200) as f64;
    let (world, mut server) = (World::of(rate), Server::start());
    let mut rng = fastrand::Rng::with_seed(seed);
    fs::write(world.path("agents"), "").expect("a file");
    let sink = "[[sink]]\nname = \"tables\"\nlinger_ms = 5\nbatch_records_max = 200\n";
    world.configure(&format!("{sink}postgres = {{ url = \"{}\" }}\n", server.url()));
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
    println!("{}", are_the_same([("log", logged), ("tables", stored)], kills));
}

/// Row for row; returns a hash of each side, to be printed.
pub(crate) fn are_the_same(sides: [(&str, Vec<String>); 2], kills: u64) -> String {
    let told = sides.each_ref().map(|(side, rows)| {
        let hash = digest(rows.join("\n").as_bytes());
        format!("{side}: {} records, hash {hash:032x}, after {kills} kills", rows.len())
    });
    let [(_, logged), (_, stored)] = sides;
    assert!(logged.len() as u64 > 20 * kills, "{told:?}");
    // Where they differ first, and not all of both.
    let differ = logged.iter().zip(&stored).find(|(logged, stored)| logged != stored);
    assert_eq!(differ, None, "{told:?}");
    assert_eq!(logged.len(), stored.len(), "{told:?}");
    told.join("\n")
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
