//! `GET /v1/state`, and from there to the events without a hole.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use unbroken_core::ids::AppendId;
use unbroken_core::record::Append;
use unbroken_relay::RelayConfig;

use crate::house::{House, record};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_is_told_once_while_it_stays_as_it_is() {
    let mut house = House::new(RelayConfig::default());
    house.write(100);
    house.wait_for_store();
    let answer = house.get("/v1/state?source=cx").send().await.expect("an answer");
    let tag = answer.headers()["etag"].to_str().expect("text").to_owned();
    let state: Value = answer.json().await.expect("JSON");
    let keys: Vec<&str> =
        state["rows"].as_array().expect("rows").iter().filter_map(|r| r["key"].as_str()).collect();
    assert_eq!(keys, ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"]);
    assert_eq!(state["cursor"], house.cursor(100));
    assert!(tag.starts_with('"'), "a strong one");
    let again = |path: &str| house.get(path).header("if-none-match", &tag).send();
    assert_eq!(again("/v1/state?source=cx").await.expect("one").status(), 304);
    assert_eq!(again("/v1/state?source=cx&key=k1").await.expect("one").status(), 200);
    house.write(1);
    house.wait_for_store();
    let again = house.get("/v1/state?source=cx").header("if-none-match", &tag).send();
    assert_eq!(again.await.expect("one").status(), 200);
    let (_, one) = house.ask("/v1/state?key=k1&status=stale").await;
    assert_eq!(one["rows"], json!([]));
}

/// The newest number of each key, as rows of state and the events after them tell it.
fn fold(newest: &mut BTreeMap<String, u64>, rows: &Value, payload: impl Fn(&Value) -> Value) {
    for row in rows.as_array().expect("a list") {
        let told = payload(row);
        let key = told["key"].as_str().expect("a key").to_owned();
        newest.insert(key, told["payload"]["n"].as_u64().expect("a number"));
    }
}

/// Once by two calls, once by one; both while records are written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_then_watch_has_no_hole_under_load() {
    const RECORDS: u64 = 8_000;
    let mut house = House::new(RelayConfig::default());
    house.write(1_000);
    house.wait_for_store();
    let mut writer = house.take_writer();
    let writing = std::thread::spawn(move || {
        for (id, begin) in (2..).zip((1_000..RECORDS).step_by(100)) {
            let records = (begin..begin + 100).map(|n| record(n, 20)).collect();
            writer.commit(&[Append { id: AppendId(id), records, mark: None }]).expect("durable");
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    for from_state in [false, true] {
        let mut newest = BTreeMap::new();
        let (mut cursor, begun_at) = if from_state {
            let (_, page) = house.ask("/v1/events?from=state").await;
            fold(&mut newest, &page["state"], Clone::clone);
            assert_eq!(page["events"], json!([]));
            (page["cursor"].clone(), page["cursor"].clone())
        } else {
            let (_, state) = house.ask("/v1/state").await;
            fold(&mut newest, &state["rows"], Clone::clone);
            (state["cursor"].clone(), state["cursor"].clone())
        };
        let mut count = 0;
        while cursor != house.cursor(RECORDS) {
            let after = cursor.as_str().expect("a cursor");
            let (_, page) = house.ask(&format!("/v1/events?wait=1000&after={after}")).await;
            count += page["events"].as_array().expect("a list").len() as u64;
            fold(&mut newest, &page["events"], |event| event["data"].clone());
            cursor = page["cursor"].clone();
        }
        let begun_at = begun_at.as_str().and_then(|c| c.split_once(':')).expect("a cursor").1;
        assert_eq!(count, RECORDS - begun_at.parse::<u64>().expect("a number"));
        let last = (0..10).map(|key| (format!("k{key}"), RECORDS - 10 + key)).collect();
        assert_eq!(newest, last, "from_state {from_state}");
    }
    writing.join().expect("it wrote all");
}
