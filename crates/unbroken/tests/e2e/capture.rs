//! A capture of the simulated vendor, renamed and nested as a tenant might have it, is read exactly
//! the same by editing only a profile.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use unbroken_connect::capture::{Line, Text, read_lines};
use unbroken_connect::config::{ProfileChoice, ProfileOrigin};
use unbroken_connect::generic::Generic;
use unbroken_core::connector::{Connector, Decoded, Page};
use unbroken_core::ids::Label;
use unbroken_core::machine::Fetch;

use crate::service::World;

/// All that a person edits.
const TENANT: &str = r#"
extends = "cxone"

[head]
tag = "/result/at"
epoch = "/result/run"

[snapshot]
tag = "/result/at"
epoch = "/result/run"
total = "/result/count"
[snapshot.rows]
items = "/result/rows"
key = "/who/id"
payload = "/who/now"

[frames]
subscription = "/meta/sub"
epoch = "/meta/run"
kinds = [
  { at = "/meta/what", equals = "event", is = "event" },
  { at = "/meta/what", equals = "removed", is = "deletion" },
  { at = "/meta/what", equals = "heartbeat", is = "heartbeat" },
  { at = "/meta/what", equals = "subscribed", is = "ack" },
  { at = "/meta/what", equals = "error", is = "error" },
  { at = "/meta/what", equals = "closing", is = "closing" },
  { at = "/meta/what", equals = "unsubscribed", is = "heartbeat" },
]
[frames.event]
items = "/changes/*/list"
sequence = "/pos"
key = "/who"
kind = "outer:/meta/what"
time = "/when"
payload = "/now"
[frames.ack]
position = "/meta/pos"
[frames.heartbeat]
position = "/meta/pos"
"#;

type Members<'a> = BTreeMap<&'a str, &'a RawValue>;

fn members(text: &str) -> Members<'_> {
    serde_json::from_str(text).expect("an object")
}

fn raw<'a>(members: &Members<'a>, name: &str) -> Option<&'a str> {
    members.get(name).map(|raw| raw.get())
}

/// A number as a text, which is how many services write large ones.
fn as_text(number: &str) -> String {
    format!("\"{number}\"")
}

fn object(parts: &[(&str, Option<String>)]) -> String {
    let present = parts.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let members: Vec<String> =
        present.map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", members.join(" ,"))
}

/// Everything has another name, and lies deeper; the payload's own bytes stay.
fn renamed_frame(text: &str) -> String {
    let members = members(text);
    let get = |name| raw(&members, name).map(str::to_owned);
    let position = get("sequenceId").map(|number| as_text(&number));
    let event = raw(&members, "adherence").map(|payload| {
        let who: Value = serde_json::from_str(payload).expect("an object");
        object(&[
            ("pos", position.clone()),
            ("who", Some(who["agentId"].to_string())),
            ("when", get("timestamp")),
            ("now", Some(payload.to_owned())),
        ])
    });
    let meta = object(&[
        ("what", get("type")),
        ("sub", get("subscriptionId")),
        ("run", get("epoch")),
        ("pos", position.filter(|_| event.is_none())),
    ]);
    let changes = event.map(|event| format!("[{{\"list\":[{event}]}}]"));
    object(&[("meta", Some(meta)), ("changes", changes)])
}

fn renamed_page(text: &str) -> String {
    let page = members(text);
    let get = |name| raw(&page, name).map(str::to_owned);
    let schedules = raw(&page, "schedules").expect("rows");
    let rows: Vec<&RawValue> = serde_json::from_str(schedules).expect("rows");
    let rows = rows.into_iter().map(|row| {
        let row = members(row.get());
        let who = object(&[
            ("id", raw(&row, "agentId").map(str::to_owned)),
            ("now", raw(&row, "adherence").map(str::to_owned)),
        ]);
        object(&[("who", Some(who))])
    });
    let rows = format!("[{}]", rows.collect::<Vec<_>>().join(","));
    let result = object(&[
        ("at", get("sequenceId").map(|number| as_text(&number))),
        ("run", get("epoch")),
        ("count", get("total")),
        ("rows", Some(rows)),
    ]);
    object(&[("result", Some(result))])
}

fn renamed(line: &Line) -> Line {
    let mut line = line.clone();
    match &mut line {
        Line::Frame { text: Text::Plain(text), .. } => *text = renamed_frame(text),
        Line::Page { body: Text::Plain(body), .. } => *body = renamed_page(body),
        _ => {}
    }
    line
}

/// What a profile makes of every frame and page.
fn meaning(lines: &[Line], profile: &Generic) -> (Vec<Decoded>, Vec<Page>) {
    let (mut frames, mut pages) = (Vec::new(), Vec::new());
    for line in lines {
        match line {
            Line::Frame { text, .. } => {
                frames.push(profile.decode(&text.bytes().expect("whole")));
            }
            Line::Page { what, cursor, body, .. } => {
                let what = match (what.as_str(), cursor) {
                    ("head", _) => Fetch::Head,
                    ("next", Some(cursor)) => Fetch::Next(Label::new(cursor.as_str())),
                    _ => Fetch::First,
                };
                let body: Bytes = body.bytes().expect("whole");
                pages.push(profile.page(&what, &body, &[]).expect("it is understood"));
            }
            _ => {}
        }
    }
    (frames, pages)
}

fn written(path: &Path, lines: &[Line]) {
    let text = |line| serde_json::to_string(line).expect("it was read") + "\n";
    fs::write(path, lines.iter().map(text).collect::<String>()).expect("a file");
}

#[test]
fn renamed_and_nested_frames_are_read_the_same_by_editing_only_a_profile() {
    let world = World::new();
    fs::write(world.path("agents"), "").expect("a file");
    let service = world.run(&["--record", "capture.ndjson"]);
    service.wait_live();
    service.wait_status("recording", |status| {
        status["sources"][0]["streams"][0]["events"].as_u64() > Some(50)
    });
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));

    let text = fs::read(world.path("capture.ndjson")).expect("a capture");
    let lines = read_lines(text.as_slice()).expect("a capture");
    assert!(matches!(lines.last(), Some(Line::End { why, .. }) if why == "stopped"));
    let tenant: Vec<Line> = lines.iter().map(renamed).collect();
    written(&world.path("tenant.ndjson"), &tenant);
    fs::write(world.path("tenant.toml"), TENANT).expect("a file");

    let vendor = ProfileChoice::embedded("cxone").connector(false).expect("it is embedded");
    let file = ProfileOrigin::File(world.path("tenant.toml"));
    let choice = ProfileChoice { origin: file, ..ProfileChoice::embedded("") };
    let edited = choice.connector(false).expect("the edited profile is one");
    let (frames, pages) = meaning(&lines, &vendor);
    assert!(frames.len() > 50 && !pages.is_empty());
    assert_eq!((frames, pages), meaning(&tenant, &edited), "the same, event by event");

    let test = |args: &[&str]| {
        let output = world.command(&[&["profile", "test", "--json"], args].concat());
        let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), found, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, of_vendor, said) = test(&["capture.ndjson", "--profile", "cxone"]);
    assert_eq!(code, Some(0), "{of_vendor} {said}");
    let (code, of_tenant, said) = test(&["tenant.ndjson", "--profile", "tenant.toml"]);
    assert_eq!(code, Some(0), "{of_tenant} {said}");
    for figure in ["frames", "kinds", "keys", "positions", "pages"] {
        assert_eq!(of_vendor[figure], of_tenant[figure], "{figure}");
    }

    let (code, found, _) = test(&["tenant.ndjson", "--profile", "cxone"]);
    assert_eq!(code, Some(1), "the unedited profile does not understand it, and says so");
    let hints = found["misread"].to_string();
    assert!(hints.contains("it is at `/meta/what`"), "{hints}");
    assert!(hints.contains("did you mean `/result/rows`?"), "{hints}");
    let (code, _, said) = test(&["capture.ndjson"]);
    assert_eq!(code, Some(2), "the source had changes of its own: {said}");
    let (code, found, said) = test(&["capture.ndjson", "--config", "unbroken.toml"]);
    assert_eq!(code, Some(0), "{found} {said}");
}
