//! The record in other systems, through kills of the service.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::receiver::{Receiver, Reply};
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

/// What is away, and what takes connections and never answers, holds up neither recording nor other
/// sinks. Retention overtakes it, which is said, in the target too.
#[test]
fn a_target_that_is_away_holds_nobody_up_and_is_told_what_it_never_had() {
    let world = World::of(4_000.0);
    let is_away = Arc::new(AtomicBool::new(true));
    let away = Arc::clone(&is_away);
    let receiver = Receiver::with(move |_| match away.load(Ordering::Relaxed) {
        true => Reply::Status(503),
        false => Reply::Taken,
    });
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    fs::write(world.path("agents"), "").expect("a file");
    world.configure(&format!(
        "[journal]\nsegment_bytes = 100000\nretain_bytes_max = 2000000\n\
         [[sink]]\nname = \"files\"\nlinger_ms = 1\nndjson = {{ dir = \"out\" }}\n\
         [[sink]]\nname = \"away\"\nlinger_ms = 1\nwebhook = {{ url = \"{}\" }}\n\
         [[sink]]\nname = \"deaf\"\nlinger_ms = 1\nwebhook = {{ url = \"http://{}\", \
         timeout_ms = 300 }}\n",
        receiver.url(),
        deaf.local_addr().expect("an address"),
    ));
    let service = world.run(&[]);
    let status = service.wait_status("with a log of which the beginning is gone", |status| {
        // Several times what is kept has been recorded.
        status["sinks"][0]["records"].as_u64() > Some(12_000)
    });
    assert_eq!(status["sources"][0]["streams"][0]["phase"], "live", "{status}");
    assert_eq!(sink(&status, "away")["phase"], "retrying", "{status}");
    // It was given up, more than once.
    let of_deaf = sink(&status, "deaf");
    assert_eq!(of_deaf["phase"], "retrying", "{status}");
    assert!(of_deaf["failures"].as_u64() > Some(1), "{status}");
    assert!(["away", "deaf"].iter().all(|name| sink(&status, name)["records"] == 0), "{status}");
    is_away.store(false, Ordering::Relaxed);
    let status = service.wait_status("with a sink that has lapsed", |status| {
        let away = sink(status, "away");
        away["phase"] == "running" && away["lapsed"].as_u64() > Some(0)
    });
    let told = String::from_utf8(world.command(&["status"]).stdout).expect("text");
    for (name, guarantee) in [("files", "transactional"), ("away", "at least once")] {
        let mut rows = told.lines().filter(|line| line.starts_with(name));
        assert!(rows.any(|row| row.contains(guarantee)), "{told}");
    }
    service.signal("TERM");
    let (_, log, _) = service.wait();
    assert!(log.contains("sink lapsed"), "{log}");
    let taken = receiver.taken();
    let lapsed = sink(&status, "away")["lapsed"].as_u64().expect("a number");
    let is_lapse = |event: &&Value| event["type"] == "unbroken.lapse";
    let told = &taken.iter().find(is_lapse).expect("what it never had")["data"];
    let [from, to] = ["from_offset", "to_offset"].map(|name| told[name].as_u64());
    assert!(to.zip(from).is_some_and(|(to, from)| to > from && to - from <= lapsed), "{told}");
    // The one that was not away has every record.
    let offsets = lines(&world, "out").into_iter().map(|line| {
        let id = line["id"].as_str().expect("an id").rsplit(':').next().map(str::parse::<u64>);
        id.expect("an offset").expect("a number")
    });
    let differs = (0..).zip(offsets).find(|(n, offset)| n != offset);
    assert_eq!(differs, None);
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
