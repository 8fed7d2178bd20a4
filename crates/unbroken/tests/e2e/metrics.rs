//! The figures of a running service, as a monitor reads them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use unbroken_sim::Fault;

use crate::exposition::{Sample, read};
use crate::service::World;

/// What the socket says to a request.
fn ask(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a bound");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers and closes");
    answer
}

fn scrape(world: &World) -> Vec<Sample> {
    let answer = ask(
        &world.path("data/control"),
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/7\r\nAccept: */*\r\n\r\n",
    );
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    read(body).unwrap_or_else(|error| panic!("{error}\n{body}"))
}

/// The sum of a family's samples with this label.
fn sum(samples: &[Sample], name: &str, label: Option<(&str, &str)>) -> f64 {
    let name = format!("unbroken_{name}");
    let mut found = samples.iter().filter(|sample| sample.name == name).peekable();
    assert!(found.peek().is_some(), "there is no {name}");
    let counts = |sample: &&Sample| {
        label.is_none_or(|(label, text)| sample.labels.get(label).is_some_and(|of| of == text))
    };
    found.filter(counts).map(|sample| sample.value).sum()
}

/// The names in the table of the reference.
fn documented() -> BTreeSet<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md");
    let text = fs::read_to_string(page).expect("the reference is there");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `unbroken_"));
    rows.filter_map(|row| Some(format!("unbroken_{}", row.split_once('`')?.0))).collect()
}

#[test]
fn a_monitor_reads_the_figures_from_the_control_socket() {
    let world = World::new();
    fs::write(world.path("agents"), "").expect("a file");
    world.configure("[[sink]]\nname = \"files\"\nndjson = { dir = \"out\" }\n");
    let service = world.run(&[]);
    service.wait_live();
    let enough = |status: &serde_json::Value| {
        status["sources"][0]["streams"][0]["events"].as_u64() > Some(20)
    };
    service.wait_status("recording", enough);
    let first = scrape(&world);
    for sample in first.iter().filter(|sample| sample.labels.contains_key("stream")) {
        assert_eq!(
            (sample.labels["source"].as_str(), &*sample.labels["stream"]),
            ("cx", "cx/adherence")
        );
    }
    assert_eq!(documented(), first.iter().map(|sample| sample.name.clone()).collect());
    let all = |name| sum(&first, name, None);
    assert!(all("events_total") > 20.0 && all("journal_bytes") > 0.0);
    assert_eq!((all("live"), all("phase"), all("stale_seconds")), (1.0, 1.0, 0.0));
    assert_eq!(sum(&first, "phase", Some(("phase", "live"))), 1.0);
    assert!(all("position") > 20.0, "the vendor counts its events");
    assert_eq!(all("store_failures_total"), 0.0);
    assert_eq!((all("sink_running"), all("sink_failures_total")), (1.0, 0.0));
    let sink = first.iter().find(|sample| sample.name == "unbroken_sink_records_total");
    let labels = &sink.expect("it is there").labels;
    assert_eq!((labels["sink"].as_str(), labels["target"].as_str()), ("files", "ndjson"));
    assert_eq!((all("source_running"), all("paused"), all("gaps_open")), (1.0, 0.0, 0.0));
    assert_eq!(sum(&first, "handshakes_total", Some(("outcome", "good"))), 1.0);
    assert_eq!(sum(&first, "token_requests_total", Some(("outcome", "good"))), 1.0);
    assert!(sum(&first, "rest_requests_total", Some(("outcome", "good"))) >= 1.0);
    assert!(all("last_event_age_seconds") < 60.0, "the simulator's clock is ours");
    assert_eq!(
        sum(&first, "gaps_opened_total", Some(("cause", "start"))),
        all("gaps_opened_total")
    );

    world.vendor().inject(Fault::CleanClose).expect("it applies");
    let lost = |status: &serde_json::Value| {
        let stream = &status["sources"][0]["streams"][0];
        stream["lost"].as_u64() > Some(0) && stream["phase"] == "live"
    };
    service.wait_status("live again", lost);
    let second = scrape(&world);
    assert_eq!(sum(&second, "connections_lost_total", Some(("cause", "closing"))), 1.0);
    assert_eq!(sum(&second, "live_transitions_total", None), 2.0);
    assert_eq!(sum(&first, "recovery_seconds_count", None), 0.0);
    assert_eq!(sum(&second, "recovery_seconds_count", None), 1.0);
    assert!(sum(&second, "recovery_seconds_sum", None) > 0.0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("a time").as_secs_f64();
    let frame = now - sum(&second, "last_frame_timestamp_seconds", None);
    assert!((-1.0..60.0).contains(&frame), "{frame}");
    assert!(sum(&second, "token_expiry_timestamp_seconds", None) > now, "it is good");
    for before in first.iter().filter(|sample| sample.name.ends_with("_total")) {
        let same = |sample: &&Sample| sample.name == before.name && sample.labels == before.labels;
        let after = second.iter().find(same).expect("a series stays");
        assert!(after.value >= before.value, "{before:?} {after:?}");
    }
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
}

#[test]
fn the_socket_speaks_http_beside_its_own_lines() {
    let world = World::new();
    fs::write(world.path("agents"), "").expect("a file");
    let service = world.run(&[]);
    service.wait_live();
    let socket = world.path("data/control");
    let none = ask(&socket, "GET / HTTP/1.1\r\n\r\n");
    assert!(none.starts_with("HTTP/1.1 404 ") && none.contains("/metrics"), "{none}");
    let post = ask(&socket, "POST /metrics HTTP/1.1\r\n\r\n");
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    let head = ask(&socket, "HEAD /metrics HTTP/1.0\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    // A head without an end is cut off at the bound of a request, not awaited.
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(8 * 1024));
    let mut stream = UnixStream::connect(&socket).expect("the service listens");
    // It need not take all of it.
    let _ = stream.write_all(long.as_bytes());
    let mut stream = UnixStream::connect(&socket).expect("the service still listens");
    stream.write_all(b"{\"ask\":\"metrics\"}\nnonsense\n").expect("it reads");
    stream.shutdown(std::net::Shutdown::Write).expect("it is open");
    let mut lines = String::new();
    stream.read_to_string(&mut lines).expect("it answers");
    let answers: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("every answer is an object"))
        .collect();
    assert_eq!(
        (&answers[0]["answer"], &answers[1]["answer"]),
        (&"metrics".into(), &"refused".into())
    );
    let printed = world.command(&["control", "metrics"]);
    let text = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(read(&text).is_ok(), "{text}");
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
}
