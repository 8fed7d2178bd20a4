//! `GET /v1/ws`.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use unbroken_relay::{RelayConfig, Scope};

use crate::house::{House, PATIENCE};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens it with these headers; the status of a refusal.
pub(crate) async fn open(house: &House, headers: &[(&str, &str)]) -> Result<Socket, u16> {
    open_at(&house.url("/v1/ws").replace("http://", "ws://"), headers).await
}

/// The same, of any address.
pub(crate) async fn open_at(address: &str, headers: &[(&str, &str)]) -> Result<Socket, u16> {
    let mut request = address.into_client_request().expect("an address");
    for (name, value) in headers {
        let name: reqwest::header::HeaderName = name.parse().expect("a name");
        request.headers_mut().insert(name, value.parse().expect("a value"));
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

pub(crate) async fn opened(house: &House) -> Socket {
    open(house, &[("authorization", &format!("Bearer {}", house.token))]).await.expect("it opens")
}

pub(crate) async fn say(socket: &mut Socket, value: Value) {
    socket.send(Message::text(value.to_string())).await.expect("it is sent");
}

/// The next message; the close code, when there is none.
pub(crate) async fn hear(socket: &mut Socket) -> Result<Value, u16> {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("in time") {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
            Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |f| f.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(1006),
        }
    }
}

/// Takes `events` until there are so many, and gives their numbers.
async fn numbers(socket: &mut Socket, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let message = hear(socket).await.expect("a message");
        if message["type"] == "events" {
            let events = message["events"].as_array().expect("a list");
            assert_eq!(message["cursor"], events.last().expect("one at least")["cursor"]);
            numbers.extend(events.iter().filter_map(|e| e["data"]["payload"]["n"].as_u64()));
        }
    }
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_replays_then_follows_and_can_be_replaced() {
    let mut house = House::new(RelayConfig::default());
    house.write(1_000);
    house.wait_for_store();
    let mut socket = opened(&house).await;
    say(&mut socket, json!({ "type": "subscribe", "after": house.cursor(10) })).await;
    let first = hear(&mut socket).await.expect("an answer");
    assert_eq!(first, json!({ "type": "subscribed", "cursor": house.cursor(10) }));
    assert!(numbers(&mut socket, 990).await.into_iter().eq(10..1_000));
    house.write(3);
    assert_eq!(numbers(&mut socket, 3).await, [1_000, 1_001, 1_002]);
    say(&mut socket, json!({ "type": "ping" })).await;
    assert_eq!(hear(&mut socket).await, Ok(json!({ "type": "pong" })));

    say(&mut socket, json!({ "type": "subscribe", "from": "state", "key": ["k4"] })).await;
    let cursor = hear(&mut socket).await.expect("an answer")["cursor"].clone();
    let state = hear(&mut socket).await.expect("state");
    assert_eq!((&state["type"], &state["rows"][0]["key"]), (&json!("state"), &json!("k4")));
    let synced = hear(&mut socket).await.expect("the place");
    assert_eq!(synced, json!({ "type": "synced", "cursor": cursor }));
    house.write(10);
    let message = hear(&mut socket).await.expect("events");
    assert_eq!(message["events"][0]["subject"], "k4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_told_and_closes_with_its_code() {
    let mut house = House::new(RelayConfig::default());
    house.write(5);
    let other = "0190000000007000800000000000abcd:3";
    for (said, code, name) in [
        (json!({ "type": "subscribe", "after": "nonsense" }), 4400, "cursor-invalid"),
        (json!({ "type": "subscribe", "after": house.cursor(9) }), 4409, "cursor-ahead"),
        (json!({ "type": "subscribe", "after": other }), 4410, "journal-changed"),
        (json!({ "type": "subscribe", "kind": ["nothing"] }), 4400, "body-invalid"),
        (json!({ "type": "unknown" }), 4400, "body-invalid"),
    ] {
        let mut socket = opened(&house).await;
        say(&mut socket, said).await;
        let told = hear(&mut socket).await.expect("why");
        assert_eq!(told["type"], "error");
        assert_eq!(told["problem"]["type"], format!("/problems/{name}"));
        assert_eq!(hear(&mut socket).await, Err(code), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_socket_hears_heartbeats_and_a_stop_is_a_restart() {
    let mut house = House::new(RelayConfig { heartbeat_ms: 50, ..RelayConfig::default() });
    house.write(5);
    let mut socket = opened(&house).await;
    say(&mut socket, json!({ "type": "subscribe", "after": "latest" })).await;
    hear(&mut socket).await.expect("an answer");
    let heartbeat = hear(&mut socket).await.expect("a heartbeat");
    assert_eq!(heartbeat, json!({ "type": "heartbeat", "cursor": house.cursor(5) }));
    tokio::task::block_in_place(|| house.stop_relay());
    loop {
        match hear(&mut socket).await {
            Ok(message) if message["type"] == "error" => {
                assert_eq!(message["problem"]["cursor"], house.cursor(5));
            }
            Ok(_) => {}
            Err(code) => {
                assert_eq!(code, 1012);
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_above_the_cap_ends_the_socket() {
    let house = House::new(RelayConfig { frame_bytes_max: 1_024, ..RelayConfig::default() });
    let mut socket = opened(&house).await;
    say(&mut socket, json!({ "type": "ping", "x": "x".repeat(2_000) })).await;
    assert_eq!(hear(&mut socket).await, Err(1006));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_revoked_closes_its_sockets_with_their_place() {
    let mut house = House::new(RelayConfig::default());
    house.write(3);
    house.token = house.add_token("a", Scope::Read, None);
    let mut socket = opened(&house).await;
    say(&mut socket, json!({ "type": "subscribe", "after": "latest" })).await;
    hear(&mut socket).await.expect("an answer");
    house.revoke_token("a");
    let told = hear(&mut socket).await.expect("why");
    assert_eq!(told["problem"]["type"], "/problems/token-ended");
    assert_eq!(told["problem"]["cursor"], house.cursor(3));
    assert_eq!(hear(&mut socket).await, Err(4401));
}
