//! What retention has deleted, to each kind of reader: at the start, and while it reads.

use serde_json::{Value, json};
use unbroken_journal::Retention;
use unbroken_relay::RelayConfig;

use crate::house::House;
use crate::sse::Events;
use crate::websocket::{hear, opened, say};

/// Keeps little, in the log and in memory.
fn house() -> House {
    let retention = Retention { bytes_max: Some(600 * 1024), ..Retention::default() };
    let mut house = House::without_relay(retention);
    house.start(RelayConfig { ring_bytes_max: 64 * 1024, ..RelayConfig::default() });
    house.write(10);
    house
}

/// Writes more than is kept, and more than fits on the way to a client that takes nothing; the
/// oldest cursor.
fn outrun(house: &mut House, batches: u64) -> String {
    for _ in 0..batches {
        house.write_large(10, 20_000);
    }
    let oldest = house.oldest_at_rest();
    assert!(oldest > 10, "retention has deleted something");
    house.cursor(oldest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_begins_there_is_told_the_oldest_that_is_kept() {
    let mut house = house();
    let oldest = outrun(&mut house, 10);
    let old = house.cursor(1);
    for path in ["/v1/events", "/v1/events/stream"] {
        let (status, problem) = house.ask(&format!("{path}?after={old}")).await;
        assert_eq!((status, &problem["type"]), (410, &json!("/problems/cursor-expired")), "{path}");
        assert_eq!(problem["oldest"], oldest);
        let (status, _) = house.ask(&format!("/v1/events?limit=1&after={oldest}")).await;
        assert_eq!(status, 200);
    }
    let again = house.get("/v1/events/stream").header("Last-Event-ID", &old).send();
    assert_eq!(again.await.expect("an answer").status(), 410);
    let mut socket = opened(&house).await;
    say(&mut socket, json!({ "type": "subscribe", "after": old })).await;
    let told = hear(&mut socket).await.expect("why");
    assert_eq!(told["problem"]["type"], "/problems/cursor-expired");
    assert_eq!(told["problem"]["oldest"], oldest);
    assert_eq!(hear(&mut socket).await, Err(4410));
}

/// A reading that has told so many events, one after the other, ends for the right reason.
/// Retention may have gone on since it did.
fn is_the_end(house: &House, problem: &Value, count: u64, oldest: &str) {
    assert_eq!(problem["type"], "/problems/cursor-expired", "{problem}");
    assert_eq!(problem["cursor"], house.cursor(count), "what is missing begins here");
    let offset = |cursor: &str| {
        let (_, offset) = cursor.split_once(':').expect("a cursor");
        offset.parse::<u64>().expect("a number")
    };
    let told = offset(problem["oldest"].as_str().expect("a cursor"));
    assert!(count < told && told <= offset(oldest), "{problem}, {oldest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_falls_behind_it_ends_with_its_place() {
    let mut house = house();
    let mut events = Events::open(&house, "/v1/events/stream", None).await;
    assert!(events.next_of_record().await.is_some());
    let oldest = outrun(&mut house, 125);
    let mut count = 1;
    let end = loop {
        let event = events.next_of_record().await.expect("an event, or why there is none");
        if event.kind == "unbroken.end" {
            break event.data;
        }
        assert_eq!(event.data["data"]["payload"]["n"], count);
        count += 1;
    };
    is_the_end(&house, &end, count, &oldest);
    assert!(events.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_falls_behind_it_is_closed_with_its_place() {
    let mut house = house();
    let mut socket = opened(&house).await;
    say(&mut socket, json!({ "type": "subscribe", "after": "oldest" })).await;
    assert_eq!(hear(&mut socket).await.expect("an answer")["type"], "subscribed");
    let oldest = outrun(&mut house, 125);
    let mut count = 0;
    let end = loop {
        let message = hear(&mut socket).await.expect("events, or why there are none");
        if message["type"] == "error" {
            break message["problem"].clone();
        }
        for event in message["events"].as_array().into_iter().flatten() {
            assert_eq!(event["data"]["payload"]["n"], count);
            count += 1;
        }
    };
    is_the_end(&house, &end, count, &oldest);
    assert_eq!(hear(&mut socket).await, Err(4410));
}
