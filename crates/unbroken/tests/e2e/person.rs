//! What a person asks of a running service: pause, resume, resync of named keys.

use std::time::Duration;

use crate::service::World;
use crate::signals::world;
use serde_json::Value;

fn stream(status: &Value) -> &Value {
    &status["sources"][0]["streams"][0]
}

fn is_paused(status: &Value) -> bool {
    stream(status)["phase"] == "paused"
}

/// The log's records, as `unbroken events` prints them.
fn records(world: &World) -> Vec<Value> {
    let output = world.command(&["events"]);
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Sequences of the events that came by the stream.
fn sequences(records: &[Value]) -> Vec<u64> {
    let from_stream = |r: &&Value| r["record"] == "change" && r["origin"] != "synthetic";
    let sequence = |r: &Value| r["position"]["sequence"].as_u64().expect("a number");
    records.iter().filter(from_stream).map(sequence).collect()
}

/// Exit code, and what was said to a person.
fn ask(world: &World, args: &[&str]) -> (Option<i32>, String) {
    let output = world.command(args);
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn a_pause_survives_a_restart_and_loses_nothing() {
    let (world, agents) = world(10);
    let service = world.run(&[]);
    service.wait_live();
    let (code, said) = ask(&world, &["pause", "--source", "cx", "--reason", "works"]);
    assert_eq!((code, said.as_str()), (Some(0), "accepted: cx\n"));
    let status = service.wait_status("paused", is_paused);
    assert!(stream(&status)["why"].as_str().is_some_and(|why| why.starts_with("paused by ")));
    assert_eq!(ask(&world, &["status"]).0, Some(0), "a pause is not an alarm");
    let before = sequences(&records(&world)).len();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(sequences(&records(&world)).len(), before, "nothing comes in a pause");
    service.signal("TERM");
    service.wait();

    let service = world.run(&[]);
    let again = service.wait_status("paused", is_paused);
    assert_eq!(stream(&again)["since"], stream(&status)["since"], "since it was paused");
    assert_eq!(ask(&world, &["resume"]).0, Some(0));
    service.wait_live();
    service.signal("TERM");
    service.wait();
    let records = records(&world);
    let acts: Vec<&str> = records.iter().filter_map(|r| r["act"].as_str()).collect();
    assert_eq!(acts, ["pause", "resume"]);
    let gaps = records.iter().filter(|r| r["record"] == "gap_opened" && r["cause"] != "start");
    assert_eq!(gaps.count(), 0, "the vendor replays");
    let sequences = sequences(&records);
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]), "once and in order");
    assert!(sequences.len() > before, "the pause was replayed");
    assert_eq!(ask(&world, &["verify"]).0, Some(0));
    let (first, last) = (sequences[0], sequences[sequences.len() - 1]);
    let truth = world.truth();
    let ours = truth.events.iter().filter(|event| agents[..10].contains(&event.agent.to_string()));
    let made: Vec<u64> = ours.filter_map(|event| event.sequence).collect();
    let made: Vec<u64> = made.into_iter().filter(|at| (first..=last).contains(at)).collect();
    assert_eq!(sequences, made, "every event of ours from the first to the last");
}

#[test]
fn named_keys_are_fetched_and_wrong_ones_refused() {
    let (world, agents) = world(10);
    let service = world.run(&[]);
    service.wait_live();
    let (code, said) = ask(&world, &["resync", "--source", "cx", "--keys", "nobody"]);
    assert_eq!(code, Some(1));
    assert_eq!(said, "refused: source cx is not subscribed to the key `nobody`\n");
    assert_eq!(ask(&world, &["resync", "--source", "cy"]).0, Some(1));
    let named: Vec<&str> = agents[..2].iter().map(String::as_str).collect();
    let (code, said) = ask(&world, &["resync", "--keys", &named.join(",")]);
    assert_eq!((code, said.as_str()), (Some(0), "accepted: cx\n"));
    service.wait_status("published", |status| {
        stream(status)["snapshots"].as_u64() >= Some(2) && stream(status)["phase"] == "live"
    });
    service.signal("TERM");
    service.wait();
    let records = records(&world);
    let begun = records.iter().find(|r| r["keys"].is_array()).expect("a bracket that names keys");
    assert_eq!(begun["keys"].as_array().map(Vec::len), Some(2));
    let items = records
        .iter()
        .filter(|r| r["record"] == "snapshot_item" && r["snapshot"] == begun["snapshot"]);
    let keys: Vec<&str> = items.filter_map(|r| r["key"].as_str()).collect();
    assert!(!keys.is_empty() && keys.iter().all(|key| named.contains(key)), "{keys:?}");
    assert_eq!(ask(&world, &["verify"]).0, Some(0));
}

/// Sets `start` in the configuration.
fn set_start(world: &World, start: &str) {
    let path = world.path("unbroken.toml");
    let text = std::fs::read_to_string(&path).expect("the configuration");
    let with = format!("timing = \"demo\"\nstart = {start}\n");
    std::fs::write(&path, text.replace("timing = \"demo\"\n", &with)).expect("a file");
}

#[test]
fn a_source_that_starts_from_a_position_records_all_after_it() {
    let (world, agents) = world(10);
    let from = world.vendor().truth().events.last().and_then(|event| event.sequence);
    let from = from.expect("a number");
    set_start(&world, &format!("{{ from = \"{from}\" }}"));
    let service = world.run(&[]);
    service.wait_live();
    service.wait_status("recording", |status| stream(status)["events"].as_u64() > Some(10));
    service.signal("TERM");
    service.wait();
    let records = records(&world);
    let start = records.iter().find(|r| r["record"] == "gap_closed").expect("the row");
    assert_eq!((&start["cause"], &start["through"]["sequence"]), (&"start".into(), &from.into()));
    let sequences = sequences(&records);
    let last = *sequences.last().expect("events");
    let truth = world.truth();
    let ours = truth.events.iter().filter(|event| agents[..10].contains(&event.agent.to_string()));
    let made = ours.filter_map(|event| event.sequence).filter(|at| *at > from && *at <= last);
    assert_eq!(sequences, made.collect::<Vec<_>>());
}

#[test]
fn a_source_that_never_takes_a_snapshot_has_none_and_refuses_a_resync() {
    let (world, _) = world(10);
    set_start(&world, "\"never\"");
    let service = world.run(&[]);
    service.wait_live();
    service.wait_status("recording", |status| stream(status)["events"].as_u64() > Some(5));
    let (code, said) = ask(&world, &["resync"]);
    let refused = "refused: source cx takes no snapshot of its keys\n";
    assert_eq!((code, said.as_str()), (Some(1), refused));
    service.signal("TERM");
    service.wait();
    let records = records(&world);
    assert!(records.iter().all(|record| record["record"] != "snapshot_begin"));
    let start = records.iter().find(|r| r["record"] == "gap_closed").expect("the row");
    assert_eq!((&start["cause"], &start["reconciled"]), (&"start".into(), &false.into()));
}

#[test]
fn a_start_that_means_nothing_is_refused_before_anything_is_opened() {
    let (world, _) = world(10);
    set_start(&world, "{ from = \"yesterday\" }");
    let (code, log, _) = world.run(&[]).wait();
    assert_eq!(code, Some(2));
    assert!(log.contains("source cx has an unusable `start`"), "{log}");
    assert!(log.contains("`yesterday` is not a position: positions are whole numbers"), "{log}");
    assert!(!world.path("data").exists());
}
