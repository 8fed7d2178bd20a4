//! `GET /v1/events`.

use std::time::Duration;

use serde_json::{Value, json};
use unbroken_relay::RelayConfig;

use crate::house::House;

/// The offsets of a page's events.
fn offsets(page: &Value) -> Vec<u64> {
    let events = page["events"].as_array().expect("a list");
    let id = |event: &Value| event["id"].as_str().expect("an id").to_owned();
    events
        .iter()
        .map(|event| id(event).split_once(':').expect("an offset").1.parse().expect("a number"))
        .collect()
}

fn cursor(page: &Value) -> &str {
    page["cursor"].as_str().expect("a cursor")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_each_other_by_their_cursors() {
    let mut house = House::new(RelayConfig::default());
    house.write(2_500);
    let (mut seen, mut after) = (Vec::new(), "oldest".to_owned());
    loop {
        let (status, page) = house.ask(&format!("/v1/events?limit=700&after={after}")).await;
        assert_eq!(status, 200);
        let page_offsets = offsets(&page);
        assert!(page_offsets.len() <= 700);
        after = cursor(&page).to_owned();
        if page_offsets.is_empty() {
            break;
        }
        assert_eq!(page["events"][0]["cursor"], house.cursor(page_offsets[0] + 1));
        seen.extend(page_offsets);
    }
    assert!(seen.into_iter().eq(0..2_500));
    assert_eq!(after, house.cursor(2_500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_never_loses_the_place() {
    let mut house = House::new(RelayConfig::default());
    house.write(100);
    let (_, page) = house.ask("/v1/events?key=k3&key=k9&kind=change").await;
    assert!(offsets(&page).into_iter().eq((0..100).filter(|n| matches!(n % 10, 3 | 9))));
    assert_eq!(cursor(&page), house.cursor(100));
    let (_, page) = house.ask("/v1/events?key=nobody").await;
    assert_eq!((offsets(&page).len(), cursor(&page)), (0, house.cursor(100).as_str()));
    let (_, page) = house.ask("/v1/events?source=other&limit=1").await;
    assert_eq!((offsets(&page), cursor(&page)), (vec![9], house.cursor(10).as_str()));
    let (_, page) = house.ask("/v1/events?source=cx/a&key_prefix=k9").await;
    assert_eq!(offsets(&page), [] as [u64; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_poll_answers_when_something_has_come_or_the_time_is_up() {
    let mut house = House::new(RelayConfig::default());
    house.write(5);
    let (_, page) = house.ask("/v1/events?after=latest&wait=50").await;
    assert_eq!((offsets(&page).len(), cursor(&page)), (0, house.cursor(5).as_str()));
    let path = format!("/v1/events?wait=60000&after={}", house.cursor(5));
    let waiting = house.get(&path).send();
    let waiting = tokio::spawn(waiting);
    // It may be late, and finds the records then.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let after_5 = house.cursor(5);
    house.write(2);
    let (_, page) = house.ask(&format!("/v1/events?wait=60000&after={after_5}")).await;
    assert_eq!(offsets(&page), [5, 6]);
    let answer = waiting.await.expect("no panic").expect("an answer");
    let page: Value = answer.json().await.expect("JSON");
    assert_eq!(offsets(&page), [5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_that_cannot_be_gone_on_from_is_refused_with_the_way_out() {
    let mut house = House::new(RelayConfig::default());
    house.write(5);
    let other = "0190000000007000800000000000abcd:3";
    for (after, status, name, member, value) in [
        ("nonsense".to_owned(), 400, "cursor-invalid", "none", json!(null)),
        (house.cursor(6), 409, "cursor-ahead", "latest", json!(house.cursor(5))),
        (other.to_owned(), 410, "journal-changed", "oldest", json!(house.cursor(0))),
    ] {
        for path in ["/v1/events", "/v1/events/stream"] {
            let answer = house.get(&format!("{path}?after={after}")).send().await.expect("one");
            assert_eq!(answer.status(), status, "{path} {after}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            let problem: Value = answer.json().await.expect("JSON");
            assert_eq!(problem["type"], format!("/problems/{name}"));
            assert_eq!(problem[member], value, "{problem}");
            assert!(problem["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
        }
    }
    let (status, told) = house.ask("/problems/cursor-ahead").await;
    assert_eq!((status, &told["status"]), (200, &json!(409)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_answers_as_it_is_described() {
    let mut house = House::new(RelayConfig::default());
    house.write(5);
    house.wait_for_store();
    let (status, document) = house.ask("/openapi.json").await;
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let address = path.replace("{source}", "cx").replace("{name}", "stale");
        let address = address.replace("{file}", "index.html");
        for (method, operation) in operations.as_object().expect("operations") {
            let method = method.to_uppercase().parse().expect("a method");
            let client = reqwest::Client::new();
            let sent = client.request(method, house.url(&address)).bearer_auth(&house.token).send();
            let answer = sent.await.expect("an answer");
            let described = operation["responses"].as_object().expect("answers");
            let status = answer.status().as_u16().to_string();
            assert!(described.contains_key(&status), "{path}: {status}");
            asked += 1;
        }
    }
    assert!(asked >= 16, "{asked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_and_sources_are_the_host_s_and_readiness_names_only_to_those_with_a_token() {
    let house = House::new(RelayConfig::default());
    let text = house.get("/metrics").send().await.expect("one").text().await.expect("text");
    assert!(text.contains("unbroken_up 1\n") && text.contains("unbroken_relay_connections 1\n"));
    let (_, sources) = house.ask("/v1/sources").await;
    assert_eq!(sources["sources"][0]["name"], "cx");
    let (status, named) = house.ask("/readyz").await;
    assert_eq!((status, &named["stale"][0]["stream"]), (503, &json!("cx/a")));
    let open = reqwest::get(house.url("/readyz")).await.expect("an answer");
    assert_eq!(open.status(), 503);
    assert!(!open.text().await.expect("text").contains("cx/a"));
}
