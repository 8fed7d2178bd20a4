//! `GET /v1/events/stream`.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tokio::time::timeout;
use unbroken_relay::{RelayConfig, Scope};

use crate::house::{House, PATIENCE};

/// A stream as its client reads it.
pub(crate) struct Events {
    answer: Response,
    text: String,
}

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) kind: String,
    pub(crate) data: Value,
}

impl Events {
    pub(crate) async fn open(house: &House, path: &str, last: Option<&str>) -> Self {
        let asked = house.get(path);
        let asked = match last {
            Some(last) => asked.header("Last-Event-ID", last),
            None => asked,
        };
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, text: String::new() }
    }

    /// The next event; `None`: the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = parse(event);
                self.text = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let chunk = timeout(PATIENCE, self.answer.chunk()).await.expect("in time");
            let chunk = chunk.ok().flatten()?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("a chunk ends with an event"));
        }
    }

    /// The next event that is no heartbeat.
    pub(crate) async fn next_of_record(&mut self) -> Option<Event> {
        loop {
            let event = self.next().await?;
            if event.kind != "unbroken.heartbeat" {
                return Some(event);
            }
        }
    }
}

fn parse(text: &str) -> Option<Event> {
    let of = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let data = of("data: ")?;
    Some(Event {
        id: of("id: ").map(ToOwned::to_owned),
        kind: of("event: ").expect("each has a type").to_owned(),
        data: serde_json::from_str(data).expect("JSON"),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_names_the_place_behind_it_and_last_event_id_goes_on_there() {
    let mut house = House::new(RelayConfig::default());
    house.write(50);
    let mut events = Events::open(&house, "/v1/events/stream", None).await;
    for n in 0..20 {
        let event = events.next_of_record().await.expect("an event");
        assert_eq!(event.id, Some(house.cursor(n + 1)));
        assert_eq!(
            (event.kind.as_str(), &event.data["type"]),
            ("unbroken.change", &"unbroken.change".into())
        );
        assert_eq!(event.data["data"]["payload"]["n"], n);
    }
    drop(events);
    // It wins over what the address says, as when a browser connects again.
    let path = "/v1/events/stream?after=latest";
    let mut events = Events::open(&house, path, Some(&house.cursor(20))).await;
    house.write(5);
    for n in 20..55 {
        let event = events.next_of_record().await.expect("an event");
        assert_eq!(event.data["data"]["payload"]["n"], n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_stream_says_how_far_it_has_come_and_the_end_says_why() {
    let config = RelayConfig { heartbeat_ms: 50, ..RelayConfig::default() };
    let mut house = House::new(config);
    house.write(10);
    let mut events = Events::open(&house, "/v1/events/stream?key=nobody", None).await;
    for end in [10, 20] {
        loop {
            let event = events.next().await.expect("a heartbeat");
            assert_eq!(event.kind, "unbroken.heartbeat");
            assert_eq!(event.data["cursor"], event.id.clone().expect("a place"));
            if event.id == Some(house.cursor(end)) {
                break;
            }
        }
        house.write(10);
    }
    tokio::task::block_in_place(|| house.stop_relay());
    let end = loop {
        let event = events.next().await.expect("the end is told");
        if event.kind == "unbroken.end" {
            break event;
        }
    };
    assert_eq!(end.data["type"], "/problems/stopping");
    let cursor = end.data["cursor"].as_str().expect("a place").to_owned();
    assert!([house.cursor(20), house.cursor(30)].contains(&cursor), "{cursor}");
    assert!(events.next().await.is_none());
    assert!(!house.path("relay.addr").exists() && !house.path("relay.sock").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_comes_first_then_the_place_then_the_events_after_it() {
    let mut house = House::new(RelayConfig::default());
    house.write(30);
    house.wait_for_store();
    let path = "/v1/events/stream?from=state&key=k1&key=k2";
    let mut events = Events::open(&house, path, None).await;
    for key in ["k1", "k2"] {
        let row = events.next_of_record().await.expect("a row");
        assert_eq!((row.kind.as_str(), row.id), ("unbroken.state", None));
        assert_eq!(row.data["key"], key);
    }
    let synced = events.next_of_record().await.expect("the place");
    assert_eq!((synced.kind.as_str(), synced.id), ("unbroken.synced", Some(house.cursor(30))));
    house.write(10);
    for n in [31, 32] {
        let event = events.next_of_record().await.expect("an event");
        assert_eq!(event.data["data"]["payload"]["n"], n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_revoked_ends_its_streams_with_their_place() {
    let config = RelayConfig { heartbeat_ms: 100, ..RelayConfig::default() };
    let mut house = House::new(config);
    house.write(3);
    let admin = std::mem::take(&mut house.token);
    house.token = house.add_token("a", Scope::Read, None);
    let mut events = Events::open(&house, "/v1/events/stream?after=latest", None).await;
    house.revoke_token("a");
    let end = events.next_of_record().await.expect("the end is told");
    assert_eq!(
        (end.kind.as_str(), &end.data["type"]),
        ("unbroken.end", &"/problems/token-ended".into())
    );
    assert_eq!(end.data["cursor"], house.cursor(3));
    assert_eq!(house.get("/v1/state").send().await.expect("an answer").status(), 401);
    house.token = admin;
    // The other token is as good as before.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(house.ask("/v1/sources").await.0, 200);
}

/// What is in hand when the token turns out to be bad was not sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_busy_stream_the_end_names_the_place_behind_what_was_sent() {
    let mut house = House::new(RelayConfig { heartbeat_ms: 100, ..RelayConfig::default() });
    house.write(1);
    let admin = std::mem::take(&mut house.token);
    house.token = house.add_token("a", Scope::Read, None);
    let mut events = Events::open(&house, "/v1/events/stream?after=latest", None).await;
    house.token = admin;
    let mut ledger = unbroken_relay::Ledger::read(&house.path("relay-tokens.json")).expect("one");
    ledger.revoke("a").expect("it is there");
    ledger.write(&house.path("relay-tokens.json")).expect("it is written");
    let mut sent = house.cursor(1);
    let reading = async {
        loop {
            house.write(1);
            let event = events.next_of_record().await.expect("the end is told");
            match event.id {
                Some(id) => sent = id,
                None => break event,
            }
        }
    };
    let end = timeout(PATIENCE, reading).await.expect("in time");
    assert_eq!((end.kind.as_str(), &end.data["cursor"]), ("unbroken.end", &sent.into()));
}
