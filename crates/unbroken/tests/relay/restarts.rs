//! A client has its cursor and nothing else, and comes again after every kill and every cut.

use std::io::{BufRead as _, BufReader};

use reqwest::blocking::Client;
use serde_json::Value;

use crate::house::{House, PATIENCE, Service};

/// Reads so many events after a cursor, then cuts its own connection; gives the ids, and the cursor
/// behind them. Ends early when the service does.
fn read(service: &Service, cursor: &str, count: usize) -> (Vec<String>, String) {
    let client = Client::builder().timeout(PATIENCE).build().expect("a client");
    let asked = client
        .get(format!("{}/v1/events/stream", service.url))
        .bearer_auth(&service.token)
        .header("Last-Event-ID", cursor)
        .send();
    let Ok(answer) = asked else { return (Vec::new(), cursor.to_owned()) };
    assert_eq!(answer.status(), 200, "{cursor}");
    let (mut ids, mut cursor) = (Vec::new(), cursor.to_owned());
    let mut id = None;
    for line in BufReader::new(answer).lines() {
        let Ok(line) = line else { break };
        if let Some(text) = line.strip_prefix("id: ") {
            id = Some(text.to_owned());
        }
        if let Some(data) = line.strip_prefix("data: ") {
            let data: Value = serde_json::from_str(data).expect("JSON");
            cursor = id.take().unwrap_or(cursor);
            if let Some(id) = data["id"].as_str() {
                assert_eq!(data["cursor"], cursor);
                ids.push(id.to_owned());
            }
            if ids.len() == count {
                break;
            }
        }
    }
    (ids, cursor)
}

#[test]
fn each_event_comes_once_and_in_order_through_kills_and_cuts_by_nothing_but_the_cursor() {
    let house = House::new("listen = \"127.0.0.1:0\"");
    let (mut seen, mut cursor) = (Vec::new(), "oldest".to_owned());
    for life in 0..4 {
        let service = house.run();
        for cut in 0..5 {
            let (ids, next) = read(&service, &cursor, 40 + 10 * cut);
            seen.extend(ids);
            cursor = next;
        }
        match life {
            3 => assert_eq!(service.stop(), Some(0), "{}", house.log()),
            _ => service.kill(),
        }
    }
    assert!(seen.len() > 500, "{} events", seen.len());
    let journal = cursor.split_once(':').expect("a cursor").0;
    let expected = (0..seen.len()).map(|offset| format!("{journal}:{offset}"));
    assert!(seen.iter().cloned().eq(expected), "one is missing, or there twice");
    let exported = house.command(&["export", "--format", "cloudevents"]);
    let lines = String::from_utf8(exported.stdout).expect("text");
    let ids: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["id"].clone())
        .collect();
    assert_eq!(ids[..seen.len()], seen[..], "they are the log's own");
    for name in ["relay.addr", "relay.sock"] {
        assert!(!house.data(name).exists(), "{name} is gone with the service");
    }
}

/// State at a cursor and the events after it are the same as a later state.
#[test]
fn list_then_watch_of_a_running_service_comes_to_its_later_state() {
    let house = House::new("listen = \"127.0.0.1:0\"");
    let service = house.run();
    service.wait("/v1/state", |status, state| {
        status == 200 && state["rows"].as_array().is_some_and(|rows| rows.len() == 20)
    });
    let (_, first) = service.ask("/v1/events?from=state&source=cx");
    let mut values = std::collections::BTreeMap::new();
    for row in first["state"].as_array().expect("rows") {
        values.insert(row["key"].to_string(), (row["offset"].clone(), row["payload"].clone()));
    }
    let begun = offset(&first["cursor"]);
    let (_, later) = loop {
        let (status, later) = service.ask("/v1/state?source=cx/adherence");
        if offset(&later["cursor"]) > begun + 300 {
            break (status, later);
        }
    };
    let (mut cursor, end) = (first["cursor"].clone(), offset(&later["cursor"]));
    while offset(&cursor) < end {
        let limit = (end - offset(&cursor)).min(50);
        let after = cursor.as_str().expect("a cursor");
        let path = format!("/v1/events?after={after}&limit={limit}&kind=change");
        let (_, page) = service.ask(&path);
        for event in page["events"].as_array().expect("a list") {
            let place = offset(&event["id"]);
            if place < end && event["data"]["effect"] == "state" {
                let value = (place.into(), event["data"]["payload"].clone());
                values.insert(event["data"]["key"].to_string(), value);
            }
        }
        cursor = page["cursor"].clone();
    }
    for row in later["rows"].as_array().expect("rows") {
        let value = (row["offset"].clone(), row["payload"].clone());
        assert_eq!(values[&row["key"].to_string()], value, "{}", row["key"]);
    }
    assert_eq!(service.stop(), Some(0));
}

fn offset(cursor: &Value) -> u64 {
    let text = cursor.as_str().and_then(|text| text.split_once(':')).expect("a cursor");
    text.1.parse().expect("a number")
}
