//! The record in other systems, through kills of the service.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::service::{Service, World};

const FILES: &str = "[[sink]]\nname = \"files\"\nndjson = { dir = \"out\", file_offsets = 100 }\n\
                     [[sink]]\nname = \"ends\"\nndjson = { dir = \"ends\" }\nlinger_ms = 1\n\
                     where = { kind = [\"gap_closed\", \"connection\"] }\n\
                     [[sink]]\nname = \"little\"\nndjson = { dir = \"little\" }\nlinger_ms = 1\n\
                     where = { kind = [\"change\"] }\nfields = [\"/state\"]\n";

/// All lines of a sink's files, in order.
fn lines(world: &World, dir: &str) -> Vec<Value> {
    let entries = fs::read_dir(world.path(dir)).expect("it was made");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "ndjson"));
    files.sort();
    let texts = files.into_iter().map(|path| fs::read_to_string(path).expect("text"));
    texts.collect::<String>().lines().map(read).collect()
}

fn read(line: &str) -> Value {
    serde_json::from_str(line).expect("JSON")
}

/// What the log itself says.
fn exported(world: &World, more: &[&str]) -> Vec<Value> {
    let output = world.command(&[&["export", "--format", "cloudevents"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(read).collect()
}

fn sink<'a>(status: &'a Value, name: &str) -> &'a Value {
    let sinks = status["sinks"].as_array().expect("sinks");
    sinks.iter().find(|sink| sink["name"] == name).expect("it was configured")
}

fn wait_behind_by_nothing(service: &Service) {
    service.wait_status("with a sink that has caught up", |status| {
        let sink = status["sinks"].get(0).cloned().unwrap_or_default();
        sink["phase"] == "running" && sink["records"].as_u64() > Some(50)
    });
}

#[test]
fn files_hold_what_the_log_holds_through_kills_of_the_service() {
    let world = World::new();
    fs::write(world.path("agents"), "").expect("a file");
    world.configure(FILES);
    for _ in 0..4 {
        let service = world.run(&[]);
        service.wait_live();
        wait_behind_by_nothing(&service);
        service.signal("KILL");
        service.wait();
    }
    let service = world.run(&[]);
    service.wait_live();
    service.signal("TERM");
    let (code, log, took) = service.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let all = exported(&world, &[]);
    assert!(all.len() > 150, "{}", all.len());
    assert_eq!(lines(&world, "out"), all, "every record once, in order, up to the last one");
    let kinds = ["--kind", "gap_closed", "--kind", "connection"];
    assert_eq!(lines(&world, "ends"), exported(&world, &kinds));
    for line in lines(&world, "little") {
        let payload = line["data"]["payload"].as_object().expect("an object");
        assert!(payload.keys().all(|member| member == "state"), "{line}");
    }
    assert_eq!(lines(&world, "little").len(), exported(&world, &["--kind", "change"]).len());
    assert!(fs::read_to_string(world.path("data/sinks.json")).expect("a file").contains("files"));
}

/// A data directory that was made anew is another log: its offsets mean something else.
#[test]
fn a_target_of_another_log_is_left_alone_until_a_person_gives_it_up() {
    let world = World::new();
    fs::write(world.path("agents"), "").expect("a file");
    world.configure(FILES);
    let service = world.run(&[]);
    service.wait_live();
    wait_behind_by_nothing(&service);
    service.signal("TERM");
    service.wait();
    let before = lines(&world, "out");
    fs::remove_dir_all(world.path("data")).expect("it is there");
    let service = world.run(&[]);
    let status = service.wait_status("blocked", |status| {
        status["sinks"].get(0).is_some_and(|sink| sink["phase"] == "blocked")
    });
    let files = sink(&status, "files");
    assert!(files["todo"].as_str().expect("a hint").contains("--adopt files"), "{files}");
    assert_eq!(files["lag"], Value::Null, "how far it is is not known");
    let told = world.command(&["status"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("--adopt files"));
    service.signal("TERM");
    service.wait();
    assert_eq!(lines(&world, "out"), before);
    let refused = world.command(&["run", "--adopt", "other"]);
    let refused = (refused.status.code(), String::from_utf8_lossy(&refused.stderr).into_owned());
    assert!(refused.0 == Some(2) && refused.1.contains("no sink called `other`"), "{refused:?}");

    let service = world.run(&["--adopt", "files", "--adopt", "ends", "--adopt", "little"]);
    wait_behind_by_nothing(&service);
    service.signal("TERM");
    service.wait();
    let both = lines(&world, "out");
    let (old, new) = both.split_at(before.len());
    assert_eq!((old, new), (before.as_slice(), exported(&world, &[]).as_slice()));
}
