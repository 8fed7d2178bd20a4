//! `GET /v1/state`, and from there to the events without a hole.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use unbroken_core::ids::{AppendId, ConnId, GapId, SnapshotId};
use unbroken_core::record::{
    Append, Body, Change, Closer, ConnectionTurn, Effect, GapCause, GapClosed, GapOpened,
    GapOutcome, Origin, Record, SnapshotBegin, SnapshotEnd, Turn, Witness,
};
use unbroken_core::time::UnixMicros;
use unbroken_journal::Retention;
use unbroken_relay::{RelayConfig, StoreDoubt};

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
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_not_fed_tells_nothing_as_current() {
    let mut house = House::new(RelayConfig::default());
    let (conn, why) = (ConnId(1), "".into());
    let turn = ConnectionTurn { conn, turn: Turn::Live, by: Closer::Us, why };
    house.write(2);
    let (stream, body) = ("cx/a".into(), Body::Connection(turn));
    house.commit(vec![Record { stream, received_at: UnixMicros(3), body }]);
    house.wait_for_store();
    let answer = house.get("/v1/state").send().await.expect("an answer");
    let tag = answer.headers()["etag"].to_str().expect("text").to_owned();
    let again = || house.get("/v1/state").header("if-none-match", &tag).send();
    house.doubt_store(Some(StoreDoubt { since: UnixMicros(5_000_000), why: "it is slow" }));
    let answer = again().await.expect("an answer");
    assert!(answer.status() == 200 && !answer.headers().contains_key("etag"));
    let state: Value = answer.json().await.expect("JSON");
    assert_eq!(state["rows"][0]["stale_since"], "1970-01-01T00:00:05.000Z");
    assert_eq!(house.ask("/v1/state?status=live").await.1["rows"], json!([]));
    // There what is behind the cursor comes as events.
    let (_, page) = house.ask("/v1/events?from=state").await;
    assert_eq!(page["state"][0]["stale_since"], Value::Null);
    house.doubt_store(None);
    assert_eq!(again().await.expect("an answer").status(), 304);
}

/// Since when the keys are stale that a filter lets pass.
async fn told(house: &House, status: &str) -> Vec<(String, Value)> {
    house.wait_for_store();
    let (_, state) = house.ask(&format!("/v1/state?source=cx&status={status}")).await;
    let rows = state["rows"].as_array().expect("rows").iter();
    rows.map(|row| (row["key"].as_str().expect("a key").to_owned(), row["stale_since"].clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_passes_for_current_during_an_outage() {
    let mut house = House::new(RelayConfig::default());
    let of = |body| Record { stream: "cx/a".into(), received_at: UnixMicros(3_000_000), body };
    let turn = |turn| {
        let (conn, why) = (ConnId(1), "".into());
        of(Body::Connection(ConnectionTurn { conn, turn, by: Closer::Vendor, why }))
    };
    let stale =
        |since: &str| vec![("k0".to_owned(), json!(since)), ("k1".to_owned(), json!(since))];
    let current = vec![("k0".to_owned(), json!(null)), ("k1".to_owned(), json!(null))];
    house.write(2);
    house.commit(vec![turn(Turn::Live)]);
    assert_eq!(
        (told(&house, "live").await, told(&house, "stale").await),
        (current.clone(), vec![])
    );

    house.commit(vec![turn(Turn::Closed)]);
    let since = "1970-01-01T00:00:03.000Z";
    assert_eq!((told(&house, "live").await, told(&house, "stale").await), (vec![], stale(since)));

    let (gap, cause, wall_from) = (GapId(1), GapCause::Refused, UnixMicros(1_000_000));
    house.commit(vec![of(Body::GapOpened(GapOpened { gap, after: None, wall_from, cause }))]);
    let since = "1970-01-01T00:00:01.000Z";
    assert_eq!((told(&house, "live").await, told(&house, "stale").await), (vec![], stale(since)));
    let (_, page) = house.ask("/v1/events?source=cx&from=state").await;
    assert_eq!(page["state"][0]["stale_since"], since);

    let closed = GapClosed {
        gap,
        outcome: GapOutcome::Unrecoverable,
        after: None,
        through: None,
        wall_from,
        wall_to: UnixMicros(3_000_000),
        cause,
        closed_by: None,
        reconciled: true,
    };
    house.commit(vec![of(Body::GapClosed(closed)), turn(Turn::Live)]);
    assert_eq!((told(&house, "live").await, told(&house, "stale").await), (current, vec![]));
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

/// A snapshot with one item, in two parts: before its end, and that.
fn bracket(stream: &str) -> [Vec<Record>; 2] {
    let of = |body| Record { stream: stream.into(), received_at: UnixMicros(1), body };
    let snapshot = SnapshotId(1);
    let payload = b"{\"n\":1}".as_slice();
    let change = Change {
        key: "by-snapshot".into(),
        position: None,
        bookmark: None,
        ordinal: 0,
        event_id: None,
        kind: None,
        deleted: false,
        origin: Origin::Snapshot,
        effect: Effect::State,
        occurred_at: None,
        digest: unbroken_core::record::digest(payload),
        payload: payload.into(),
    };
    let begin = SnapshotBegin { snapshot, tag: None, rows_are_state: true, keys: None };
    let end = SnapshotEnd {
        snapshot,
        count: 1,
        rows: 1,
        digest: change.digest,
        tag: None,
        rows_are_state: true,
        keyed: false,
        converging_until: None,
        witness: Witness::Assumed,
    };
    let item = Body::SnapshotItem { snapshot, change };
    [vec![of(Body::SnapshotBegin(begin)), of(item)], vec![of(Body::SnapshotEnd(end))]]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_is_not_told_in_the_middle_of_a_snapshot() {
    let mut house = House::new(RelayConfig::default());
    house.write(10);
    let mut writer = house.take_writer();
    let [opened, ended] = bracket("cx/a");
    writer.commit(&[Append { id: AppendId(2), records: opened, mark: None }]).expect("durable");
    house.wait_for_store();
    let asked = tokio::spawn(house.get("/v1/state?key=by-snapshot").send());
    // Long enough for an answer from the middle, by far shorter than it is waited for the end.
    tokio::time::sleep(Duration::from_millis(200)).await;
    writer.commit(&[Append { id: AppendId(3), records: ended, mark: None }]).expect("durable");
    let answer = asked.await.expect("no panic").expect("an answer");
    let state: Value = answer.json().await.expect("JSON");
    assert_eq!(state["rows"][0]["key"], "by-snapshot", "{state}");
    assert_eq!(state["cursor"], house.cursor(13));
}

/// A source that is slow, or stuck, in the middle of its snapshot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_snapshot_stays_open_state_leads_to_where_it_begins() {
    let mut house = House::new(RelayConfig::default());
    house.write(10);
    let [opened, ended] = bracket("cx/a");
    house.commit(opened);
    house.write(1);
    house.wait_for_store();
    let answer = house.get("/v1/state").send().await.expect("an answer");
    let tag = answer.headers()["etag"].to_str().expect("text").to_owned();
    let state: Value = answer.json().await.expect("JSON");
    assert_eq!(state["cursor"], house.cursor(10), "before what is not in the rows");
    assert_eq!(state["rows"].as_array().map(Vec::len), Some(10));
    assert_eq!(state["rows"][0]["offset"], 12, "the rows are newer than the cursor");
    let (_, page) = house.ask("/v1/events?from=state").await;
    assert_eq!(page["cursor"], house.cursor(10));

    let again = || house.get("/v1/state").header("if-none-match", &tag).send();
    assert_eq!(again().await.expect("one").status(), 304);
    house.write(1);
    house.wait_for_store();
    let again = house.get("/v1/state").header("if-none-match", &tag).send();
    assert_eq!(again.await.expect("one").status(), 200, "the cursor stays, the rows do not");

    house.commit(ended);
    let after = state["cursor"].as_str().expect("a cursor");
    let (_, page) = house.ask(&format!("/v1/events?after={after}")).await;
    let events = page["events"].as_array().expect("a list");
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    let kinds: Vec<&str> = kinds.iter().filter_map(|kind| kind.strip_prefix("unbroken.")).collect();
    assert_eq!(kinds, ["snapshot_begin", "snapshot_item", "change", "change", "snapshot_end"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stream_left_open_that_is_not_run_holds_up_nobody() {
    let mut house = House::new(RelayConfig::default());
    house.commit(bracket("gone/a")[0].clone());
    house.write(3);
    house.wait_for_store();
    let (_, state) = house.ask("/v1/state").await;
    assert_eq!(state["cursor"], house.cursor(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_snapshot_whose_begin_is_deleted_state_leads_to_the_oldest_record() {
    let retention = Retention { bytes_max: Some(600 * 1024), ..Retention::default() };
    let mut house = House::without_relay(retention);
    house.commit(bracket("cx/a")[0].clone());
    for _ in 0..10 {
        house.write_large(100, 2_000);
        house.wait_for_store();
    }
    house.start(RelayConfig::default());
    let oldest = house.oldest_at_rest();
    assert!(oldest > 0, "retention has deleted something");
    let (_, state) = house.ask("/v1/state").await;
    assert_eq!(state["cursor"], house.cursor(oldest));
    let (status, _) = house.ask(&format!("/v1/events?after={}", house.cursor(oldest))).await;
    assert_eq!(status, 200);
}
