//! The dialect of NICE CXone, as a client of the vendor's would use it.

use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::timeout;
use unbroken_journal::Retention;
use unbroken_relay::{Credentials, CxoneDialect, DialectSettings, RelayConfig};

use crate::house::{House, PATIENCE};
use crate::websocket::{Socket, hear, open_at, say};

/// Offsets of one log: a number has one in its last 42 bits, and the log's mark above them.
const OFFSETS: u64 = 1 << 42;

fn dialects() -> DialectSettings {
    let mut credentials = Credentials::default();
    credentials.add_pair("app", "secret");
    credentials.add_bearer("fixed");
    let cxone = CxoneDialect {
        source: "cx".to_owned(),
        resource: "a".to_owned(),
        credentials,
        token_life_ms: 60_000,
        resume_ms: 60_000,
    };
    DialectSettings { cxone: Some(cxone), ..DialectSettings::default() }
}

fn house() -> House {
    house_of(RelayConfig::default())
}

fn house_of(config: RelayConfig) -> House {
    let mut house = House::without_relay(Retention::default());
    house.start_with(config, dialects());
    house
}

async fn open(house: &House, bearer: &str) -> Result<Socket, u16> {
    let address = house.url("/notifications/v1/stream").replace("http://", "ws://");
    open_at(&address, &[("authorization", &format!("Bearer {bearer}"))]).await
}

/// Subscribes with this payload; gives the socket and the confirmation.
async fn subscribed(house: &House, payload: Value) -> (Socket, Value) {
    let mut socket = open(house, "fixed").await.expect("it opens");
    let message = json!({ "action": "subscribe", "resource": "a", "payload": payload });
    say(&mut socket, message).await;
    let confirmed = hear(&mut socket).await.expect("an answer");
    (socket, confirmed)
}

/// The offsets in the numbers of the next events.
async fn numbers(socket: &mut Socket, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let message = hear(socket).await.expect("a message");
        if message["type"] == "event" {
            numbers.push(message["sequenceId"].as_u64().expect("a number") % OFFSETS);
        }
    }
    numbers
}

/// The number of the record at an offset of a log that is not empty.
async fn number(house: &House, offset: u64) -> u64 {
    let (_, page) = baseline(house, "fixed", "?limit=1").await;
    let reached = page["sequenceId"].as_u64().expect("a number");
    reached - reached % OFFSETS + offset
}

/// Those of the stream among these offsets: the rest belongs to another source.
fn of_stream(offsets: std::ops::Range<u64>) -> Vec<u64> {
    offsets.filter(|n| n % 10 != 9).collect()
}

async fn baseline(house: &House, bearer: &str, query: &str) -> (u16, Value) {
    let request = Client::new().get(house.url(&format!("/api/v2/wfm/schedules{query}")));
    let answer = request.bearer_auth(bearer).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_is_known_comes_in() {
    let mut house = house();
    house.write(1);
    house.wait_for_store();
    for bearer in ["unknown", "secret", house.token.as_str()] {
        assert_eq!(open(&house, bearer).await.err(), Some(401), "{bearer}");
        assert_eq!(baseline(&house, bearer, "").await.0, 401, "{bearer}");
    }
    let refused = Client::new().get(house.url("/v1/state")).bearer_auth("fixed").send().await;
    assert_eq!(refused.expect("an answer").status(), 401, "a dialect's bearer is no token of ours");
    assert_eq!(house.figure("dialect_refusals_total").await, 6);
    assert_eq!(house.figure("problems_total{problem=\"unauthorized\"}").await, 1);
    let ask = |path: &str| Client::new().post(house.url(path));
    let form = |secret: &'static str| {
        let fields = [("grant_type", "client_credentials")];
        ask("/token").basic_auth("app", Some(secret)).form(&fields).send()
    };
    assert_eq!(form("wrong").await.expect("an answer").status(), 401);
    let key = json!({ "accessKeyId": "app", "accessKeySecret": "secret" });
    let by_key = ask("/authentication/v1/token/access-key").json(&key).send();
    for answer in [form("secret").await, by_key.await] {
        let given: Value = answer.expect("an answer").json().await.expect("JSON");
        let token = given["access_token"].as_str().expect("a token");
        assert_eq!(given["expires_in"], 60);
        assert_eq!(baseline(&house, token, "").await.0, 200);
        assert!(open(&house, token).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_of_ours_is_honoured_exactly_and_nothing_comes_twice() {
    let mut house = house();
    house.write(100);
    let base = number(&house, 0).await;
    let (mut socket, confirmed) = subscribed(&house, json!({ "sequenceId": base + 41 })).await;
    assert_eq!(
        (&confirmed["type"], &confirmed["sequenceId"]),
        (&json!("subscribed"), &json!(base + 41))
    );
    let wanted = of_stream(42..100);
    assert_eq!(numbers(&mut socket, wanted.len()).await, wanted);
    assert_eq!(house.figure("events_total").await, wanted.len() as u64);
    house.write(20);
    let more = of_stream(100..120);
    assert_eq!(numbers(&mut socket, 4).await, more[..4]);
    drop(socket);
    let payload = json!({ "sequenceId": (base + more[3]).to_string(), "resources": ["a"] });
    let (mut socket, _) = subscribed(&house, payload).await;
    assert_eq!(numbers(&mut socket, more.len() - 4).await, more[4..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_names_no_number_begins_now_and_goes_on_where_it_was() {
    let mut house = house();
    house.write(50);
    let wish = json!({ "resources": ["a"], "agentIds": ["k1", "k2"] });
    let (mut socket, _) = subscribed(&house, wish.clone()).await;
    house.write(10);
    assert_eq!(numbers(&mut socket, 2).await, [51, 52]);
    // Whatever it hears, it answers the pings before it.
    say(&mut socket, json!({ "action": "ping" })).await;
    while hear(&mut socket).await.expect("an answer")["type"] != "pong" {}
    socket.close(None).await.expect("it closes");
    while hear(&mut socket).await.is_ok() {}
    house.write(20);
    let (mut socket, _) = subscribed(&house, wish).await;
    assert_eq!(numbers(&mut socket, 4).await, [61, 62, 71, 72]);
    let (mut other, _) = subscribed(&house, json!({ "agentIds": ["k1"] })).await;
    house.write(10);
    assert_eq!(numbers(&mut other, 1).await, [81]);
}

/// A flood; then a cut in the middle of another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_names_no_number_misses_nothing_through_floods_and_cuts() {
    let mut house = house();
    house.write(10);
    let wish = json!({ "resources": ["a"] });
    let (mut socket, _) = subscribed(&house, wish.clone()).await;
    house.write(5_000);
    let all = of_stream(10..10_010);
    assert_eq!(numbers(&mut socket, 4_500).await, all[..4_500]);
    // What it has read of the first one is known by then.
    say(&mut socket, json!({ "action": "ping" })).await;
    while hear(&mut socket).await.expect("an answer")["type"] != "pong" {}
    house.write(5_000);
    assert_eq!(numbers(&mut socket, 2_000).await, all[4_500..6_500]);
    socket.close(None).await.expect("it closes");
    while hear(&mut socket).await.is_ok() {}
    let (mut socket, _) = subscribed(&house, wish).await;
    // Of what comes at once only some is confirmed by itself: what follows the last of it comes
    // twice, and nothing is left out.
    let first = numbers(&mut socket, 1).await[0];
    let at = all.iter().position(|number| *number == first).expect("one of them");
    assert!((4_500..=6_500).contains(&at), "{at}");
    assert_eq!(numbers(&mut socket, 9_000 - at - 1).await, all[at + 1..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_of_the_vendor_s_is_answered_with_what_is_current() {
    let mut house = house();
    house.write(100);
    let (mut socket, confirmed) = subscribed(&house, json!({ "sequenceId": 4_711 })).await;
    assert_eq!(confirmed["sequenceId"], Value::Null);
    assert_eq!(confirmed["unbroken"]["reason"], "vendor_sequence");
    // The last write of each agent, and then what comes.
    assert_eq!(numbers(&mut socket, 9).await, of_stream(90..100));
    house.write(1);
    assert_eq!(numbers(&mut socket, 1).await, [100]);
}

/// In the future of this log, and at an offset that this log has too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_of_another_log_is_told_to_be_one_and_answered_with_what_is_current() {
    let mut house = house();
    house.write(101);
    let ours = number(&house, 0).await;
    let other = if ours == 1 << 52 { ours + OFFSETS } else { 1 << 52 };
    for asked in [ours + 5_000, other + 50] {
        let (mut socket, refused) = subscribed(&house, json!({ "sequenceId": asked })).await;
        assert_eq!(
            (&refused["type"], &refused["code"]),
            (&json!("error"), &json!("unknown_sequence"))
        );
        let confirmed = hear(&mut socket).await.expect("a message");
        assert_eq!(confirmed["unbroken"]["reason"], "unknown_sequence");
        assert_eq!(numbers(&mut socket, 9).await[8], 100);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_older_than_what_is_kept_is_answered_with_what_is_current() {
    let retention = Retention { bytes_max: Some(600 * 1024), ..Retention::default() };
    let mut house = House::without_relay(retention);
    house.start_with(RelayConfig::default(), dialects());
    house.write(10);
    for _ in 0..10 {
        house.write_large(100, 2_000);
        // It is not left behind by retention, as the client is.
        house.wait_for_store();
    }
    assert!(house.oldest_at_rest() > 6, "it is deleted");
    let base = number(&house, 0).await;
    let (mut socket, confirmed) = subscribed(&house, json!({ "sequenceId": base + 5 })).await;
    assert_eq!(confirmed["sequenceId"], Value::Null);
    let told = json!({ "origin": "state", "reason": "stale_sequence" });
    assert_eq!(confirmed["unbroken"], told);
    assert_eq!(numbers(&mut socket, 9).await, of_stream(1_000..1_010));
    house.write(1);
    assert_eq!(numbers(&mut socket, 1).await, [1_010]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_of_another_epoch_is_answered_with_what_is_current() {
    let mut house = house();
    house.write(100);
    let base = number(&house, 0).await;
    let named = |epoch: &str| json!({ "sequenceId": base + 41, "epoch": epoch });
    let (mut socket, confirmed) = subscribed(&house, named("another")).await;
    assert_eq!(confirmed["sequenceId"], Value::Null);
    assert_eq!(confirmed["unbroken"]["reason"], "other_epoch");
    assert_eq!(numbers(&mut socket, 9).await, of_stream(90..100));
    let ours = confirmed["epoch"].as_str().expect("a text");
    let (mut socket, confirmed) = subscribed(&house, named(ours)).await;
    assert_eq!(confirmed["sequenceId"], base + 41);
    assert_eq!(numbers(&mut socket, 1).await, [42]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_the_baseline_and_the_subscription_nothing_falls() {
    let mut house = house();
    house.write(100);
    let (_, first) = baseline(&house, "fixed", "?limit=4&offset=0").await;
    house.write(20);
    let (mut agents, mut offset) = (Vec::new(), 0);
    let mut page = first.clone();
    loop {
        let rows = page["schedules"].as_array().expect("rows");
        assert_eq!(page["sequenceId"], first["sequenceId"], "pages are of one moment");
        agents.extend(rows.iter().map(|row| row["agentId"].clone()));
        let row = rows.first().map(|row| row["adherence"]["n"].as_u64());
        assert!(row.is_none_or(|n| n < Some(100)), "nothing newer is in it");
        offset += rows.len();
        if rows.is_empty() || json!(offset) == page["total"] {
            break;
        }
        page = baseline(&house, "fixed", &format!("?limit=4&offset={offset}")).await.1;
    }
    assert_eq!(agents.len(), 9);
    let payload = json!({ "sequenceId": first["sequenceId"], "resources": ["a"] });
    let (mut socket, _) = subscribed(&house, payload).await;
    let wanted = of_stream(100..120);
    assert_eq!(numbers(&mut socket, wanted.len()).await, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_unsubscribe_nothing_comes_until_it_subscribes_again() {
    let mut house = house();
    house.write(10);
    let (mut socket, confirmed) = subscribed(&house, json!({ "resources": ["a"] })).await;
    say(&mut socket, json!({ "action": "unsubscribe" })).await;
    let answer = hear(&mut socket).await.expect("an answer");
    assert_eq!(answer["type"], "unsubscribed");
    assert_eq!(answer["subscriptionId"], confirmed["subscriptionId"]);
    house.write(10);
    say(&mut socket, json!({ "action": "unsubscribe" })).await;
    assert_eq!(hear(&mut socket).await.expect("an answer")["code"], "not_subscribed");
    say(&mut socket, json!({ "action": "subscribe", "payload": { "resources": ["b"] } })).await;
    assert_eq!(hear(&mut socket).await.expect("an answer")["code"], "unknown_resource");
    say(&mut socket, json!({ "action": "subscribe" })).await;
    assert_eq!(hear(&mut socket).await.expect("an answer")["type"], "subscribed");
    house.write(1);
    assert_eq!(numbers(&mut socket, 1).await, [20]);
}

/// A second wish on the same socket takes the place of the first, and nothing falls between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_subscribes_again_on_its_socket_goes_on_behind_what_it_was_told() {
    let mut house = house();
    house.write(10);
    let (mut socket, _) = subscribed(&house, json!({ "agentIds": ["k1"] })).await;
    let mut told = Vec::new();
    for round in 0..20 {
        house.write(10);
        let payload = json!({ "agentIds": ["k1"], "resources": ["a"] });
        say(&mut socket, json!({ "action": "subscribe", "payload": payload })).await;
        if round % 2 == 0 {
            told.extend(numbers(&mut socket, 1).await);
        }
    }
    told.extend(numbers(&mut socket, 10).await);
    assert_eq!(told, (11..211).step_by(10).collect::<Vec<u64>>());
}

/// Who says where it was takes nothing from who does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_is_not_taken_by_who_names_a_number() {
    let mut house = house();
    house.write(10);
    let wish = json!({ "resources": ["a"] });
    let (mut socket, _) = subscribed(&house, wish.clone()).await;
    house.write(1);
    assert_eq!(numbers(&mut socket, 1).await, [10]);
    socket.close(None).await.expect("it closes");
    while hear(&mut socket).await.is_ok() {}
    house.write(5);
    let base = number(&house, 0).await;
    let numbered = json!({ "sequenceId": base + 14, "resources": ["a"] });
    let (mut other, _) = subscribed(&house, numbered).await;
    assert_eq!(numbers(&mut other, 1).await, [15]);
    let (mut socket, _) = subscribed(&house, wish).await;
    let first = numbers(&mut socket, 1).await[0];
    assert!(first <= 11, "{first}");
}

/// Two processes with the same credentials, each with a token of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_one_token_are_of_one_moment_whoever_else_asks() {
    let mut house = house();
    house.write(100);
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let key = json!({ "accessKeyId": "app", "accessKeySecret": "secret" });
        let asked = Client::new().post(house.url("/authentication/v1/token/access-key"));
        let answer = asked.json(&key).send().await.expect("an answer");
        let given: Value = answer.json().await.expect("JSON");
        tokens.push(given["access_token"].as_str().expect("a token").to_owned());
    }
    let (_, first) = baseline(&house, &tokens[0], "?limit=4").await;
    house.write(20);
    house.wait_for_store();
    let (_, other) = baseline(&house, &tokens[1], "?limit=4").await;
    assert!(other["sequenceId"].as_u64() > first["sequenceId"].as_u64());
    let (_, second) = baseline(&house, &tokens[0], "?limit=4&offset=4").await;
    assert_eq!(second["sequenceId"], first["sequenceId"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_has_so_many_sockets_and_no_more() {
    let house = house_of(RelayConfig { connections_per_token_max: 2, ..RelayConfig::default() });
    let sockets = (open(&house, "fixed").await, open(&house, "fixed").await);
    assert_eq!(open(&house, "fixed").await.err(), Some(429));
    drop(sockets);
    let free = async { while open(&house, "fixed").await.is_err() {} };
    timeout(PATIENCE, free).await.expect("there is room again");
}
