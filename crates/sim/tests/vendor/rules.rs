//! The published rules, one by one, on real sockets.

use crate::client::{End, Stream, is_event, page, sequence, sequences, settings, token, within};
use serde_json::{Value, json};
use unbroken_sim::{Body, Numbering, Settings, Vendor};

async fn grant(vendor: &Vendor, form: &[(&str, &str)]) -> (u16, Value) {
    let url = format!("{}/token", vendor.http_url);
    let response = within(reqwest::Client::new().post(url).form(form).send()).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_token_is_given_to_the_right_client_and_user_only() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let ours = vendor.credentials.clone();
    let client = [("client_id", &*ours.client_id), ("client_secret", &*ours.client_secret)];
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> {
        client.iter().chain(more).copied().collect()
    };
    let (status, body) = grant(&vendor, &with(&[("grant_type", "client_credentials")])).await;
    assert_eq!((status, &body["token_type"]), (200, &json!("Bearer")));
    assert_eq!(body["expires_in"], 3600);
    let mut password = with(&[("grant_type", "password")]);
    password.extend([("username", &*ours.username), ("password", &*ours.password)]);
    assert_eq!(grant(&vendor, &password).await.0, 200);
    password.pop();
    let (status, body) = grant(&vendor, &password).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
    let (status, body) = grant(&vendor, &with(&[("grant_type", "magic")])).await;
    assert_eq!((status, &body["error"]), (400, &json!("unsupported_grant_type")));
    let scope = with(&[("grant_type", "client_credentials"), ("scope", "world:rule")]);
    assert_eq!(grant(&vendor, &scope).await.1["error"], "invalid_scope");
    let stranger = [("grant_type", "client_credentials"), ("client_id", "x")];
    assert_eq!(grant(&vendor, &stranger).await.0, 401);
}

#[tokio::test]
async fn without_the_scope_the_baseline_is_forbidden_and_without_a_token_unauthorised() {
    let scopes = vec!["wfm:adherence:read".to_owned()];
    let vendor = Vendor::start(Settings { scopes, ..settings() }).await.unwrap();
    let token = token(&vendor).await;
    let (status, body) = page(&vendor, &token, "").await;
    assert_eq!((status, &body["error"]), (403, &json!("insufficient_scope")));
    assert_eq!(page(&vendor, "sim-0", "").await.0, 401);
    assert_eq!(Stream::try_open(&vendor, "sim-0").await.err().unwrap().0, 401);
    Stream::open(&vendor, &token).await;
}

#[tokio::test]
async fn a_token_ends_after_its_life() {
    let vendor = Vendor::start(Settings { token_life_ms: 0, ..settings() }).await.unwrap();
    let token = token(&vendor).await;
    let (status, body) = page(&vendor, &token, "").await;
    assert_eq!((status, &body["error_description"]), (401, &json!("token expired")));
}

#[tokio::test]
async fn pages_are_sorted_by_agent_and_carry_the_state_of_the_last_event() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let token = token(&vendor).await;
    vendor.stop_emission();
    let mut rows = Vec::new();
    loop {
        let (_, body) = page(&vendor, &token, &format!("?limit=7&offset={}", rows.len())).await;
        assert_eq!(body["total"], 30);
        let new = body["schedules"].as_array().unwrap().clone();
        assert!(new.len() <= 7);
        if new.is_empty() {
            break;
        }
        rows.extend(new);
    }
    let ids: Vec<_> = rows.iter().map(|row| row["agentId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 30);
    assert!(ids.is_sorted());
    let truth = vendor.truth();
    for row in &rows {
        let last = truth.events.iter().rfind(|event| row["agentId"] == *event.agent).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&last.body).unwrap(), row["adherence"]);
    }
    let (_, head) = page(&vendor, &token, "?limit=1").await;
    assert_eq!(sequence(&head), truth.events.last().unwrap().sequence.unwrap());
    assert_eq!(head["epoch"], *truth.epochs[0]);
}

#[tokio::test]
async fn a_baseline_of_schedules_says_nothing_of_state() {
    let vendor = Vendor::start(Settings { body: Body::Schedules, ..settings() }).await.unwrap();
    let (_, body) = page(&vendor, &token(&vendor).await, "").await;
    let row = &body["schedules"][0];
    assert!(row["shift"]["activities"].is_array() && row.get("adherence").is_none());
    assert!(body["sequenceId"].is_u64());
}

#[tokio::test]
async fn an_events_body_has_the_bytes_of_the_truth() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let token = token(&vendor).await;
    let (mut stream, ack) = Stream::subscribed(&vendor, &token, None).await;
    for event in stream.events(40).await {
        assert_eq!(event["subscriptionId"], ack["subscriptionId"]);
        let truth = vendor.truth();
        let made = truth.events.iter().find(|made| made.sequence == Some(sequence(&event)));
        let body: Value = serde_json::from_slice(&made.unwrap().body).unwrap();
        assert_eq!(body, event["adherence"]);
    }
}

#[tokio::test]
async fn a_kept_position_is_served_from_the_next_event_on_then_live_without_a_hole() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let token = token(&vendor).await;
    let (mut first, _) = Stream::subscribed(&vendor, &token, None).await;
    let asked = sequence(&first.events(5).await[4]);
    first.events(60).await;
    let (mut second, _) = Stream::subscribed(&vendor, &token, Some(asked)).await;
    let served = sequences(&second.events(150).await);
    assert_eq!(served, (asked + 1..=asked + 150).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_position_below_the_floor_or_above_the_head_is_refused_and_the_socket_stays() {
    let vendor = Vendor::start(Settings { announce_floor: true, ..settings() }).await.unwrap();
    let token = token(&vendor).await;
    let mut stream = Stream::open(&vendor, &token).await;
    let stale = stream.subscribe(Some(3)).await;
    assert_eq!(stale, json!({"type": "error", "code": "stale_sequence", "floor": 30}));
    assert_eq!(stream.subscribe(Some(1 << 40)).await["code"], "unknown_sequence");
    assert_eq!(stream.subscribe(Some(30)).await["type"], "subscribed");
    assert_eq!(sequences(&stream.events(3).await), [31, 32, 33]);
}

#[tokio::test]
async fn history_is_kept_as_long_as_the_retention_says() {
    let vendor = Vendor::start(Settings { retention_events: 20, ..settings() }).await.unwrap();
    let token = token(&vendor).await;
    let (mut stream, _) = Stream::subscribed(&vendor, &token, None).await;
    let old = sequence(&stream.events(1).await[0]);
    stream.events(60).await;
    assert_eq!(stream.subscribe(Some(old)).await["code"], "stale_sequence");
}

#[tokio::test]
async fn a_position_of_another_epoch_is_stale() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let mut stream = Stream::open(&vendor, &token(&vendor).await).await;
    let payload = json!({"sequenceId": 30, "epoch": "e0"});
    stream.say(json!({"action": "subscribe", "payload": payload})).await;
    assert_eq!(stream.next_of(&["subscribed", "error"]).await["code"], "stale_sequence");
}

#[tokio::test]
async fn the_acknowledgement_names_the_position_only_where_it_is_said_to() {
    for ack_position in [false, true] {
        let vendor = Vendor::start(Settings { ack_position, ..settings() }).await.unwrap();
        let (_, ack) = Stream::subscribed(&vendor, &token(&vendor).await, Some(30)).await;
        assert_eq!(ack.get("sequenceId"), ack_position.then_some(&json!(30)));
        assert!(ack["epoch"].is_string());
    }
}

#[tokio::test]
async fn heartbeats_name_the_position_served_and_never_more() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let (mut stream, _) = Stream::subscribed(&vendor, &token(&vendor).await, Some(30)).await;
    let (mut last, mut heartbeats) = (30, 0);
    while heartbeats < 4 {
        let message = stream.next().await.unwrap();
        if is_event(&message) {
            last = sequence(&message);
        } else if message["type"] == "heartbeat" {
            assert_eq!(sequence(&message), last);
            heartbeats += 1;
        }
    }
}

#[tokio::test]
async fn an_increasing_numbering_has_holes_and_foreign_events_move_the_head() {
    let numbering = Numbering::Increasing;
    let vendor = Vendor::start(Settings { numbering, ..settings() }).await.unwrap();
    let token = token(&vendor).await;
    let (mut stream, _) = Stream::subscribed(&vendor, &token, None).await;
    let served = sequences(&stream.events(100).await);
    assert!(served.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(served.windows(2).any(|pair| pair[0] + 1 < pair[1]));
    vendor.stop_emission();
    let truth = vendor.truth();
    let (_, head) = page(&vendor, &token, "?limit=1").await;
    assert!(sequence(&head) >= truth.events.last().unwrap().sequence.unwrap());
}

#[tokio::test]
async fn without_a_numbering_there_is_no_position_anywhere() {
    let numbering = Numbering::None;
    let vendor = Vendor::start(Settings { numbering, churn_ms: 50, ..settings() }).await.unwrap();
    let token = token(&vendor).await;
    let (_, body) = page(&vendor, &token, "").await;
    let (mut stream, ack) = Stream::subscribed(&vendor, &token, Some(7)).await;
    let mut messages = stream.events(100).await;
    messages.push(stream.next_of(&["heartbeat"]).await);
    messages.push(stream.next_of(&["removed"]).await);
    for message in messages.iter().chain([&body, &ack]) {
        assert!(message.get("sequenceId").is_none() && message.get("epoch").is_none());
    }
    assert!(vendor.truth().events.iter().all(|event| event.sequence.is_none()));
}

#[tokio::test]
async fn a_subscription_to_some_agents_shows_only_them() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let token = token(&vendor).await;
    let (_, body) = page(&vendor, &token, "?limit=2").await;
    let ids: Vec<_> =
        body["schedules"].as_array().unwrap().iter().map(|row| &row["agentId"]).collect();
    let mut stream = Stream::open(&vendor, &token).await;
    let payload = json!({"agentIds": ids});
    stream.say(json!({"action": "subscribe", "resource": "adherence", "payload": payload})).await;
    for event in stream.events(10).await {
        assert!(ids.contains(&&event["adherence"]["agentId"]));
    }
}

#[tokio::test]
async fn a_second_subscribe_replaces_the_first_and_unsubscribe_ends_it() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let (mut stream, first) = Stream::subscribed(&vendor, &token(&vendor).await, None).await;
    let second = stream.subscribe(None).await;
    assert_ne!(first["subscriptionId"], second["subscriptionId"]);
    for event in stream.events(20).await {
        assert_eq!(event["subscriptionId"], second["subscriptionId"]);
    }
    stream.say(json!({"action": "unsubscribe"})).await;
    let gone = stream.next_of(&["unsubscribed"]).await;
    assert_eq!(gone["subscriptionId"], second["subscriptionId"]);
    for _ in 0..3 {
        let message = stream.next().await.unwrap();
        assert_eq!(message, json!({"type": "heartbeat"}));
    }
}

#[tokio::test]
async fn pings_of_both_kinds_are_answered_and_a_close_is_returned() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let vendor = Vendor::start(settings()).await.unwrap();
    let mut stream = Stream::open(&vendor, &token(&vendor).await).await;
    stream.say(json!({"action": "ping"})).await;
    assert_eq!(stream.next_of(&["pong"]).await, json!({"type": "pong"}));
    stream.0.send(Message::Ping(b"you there".as_slice().into())).await.unwrap();
    let pong = within(async {
        loop {
            if let Some(Ok(Message::Pong(payload))) = stream.0.next().await {
                return payload;
            }
        }
    });
    assert_eq!(&pong.await[..], b"you there");
    stream.say(json!({"action": "dance"})).await;
    assert_eq!(stream.next_of(&["error"]).await["code"], "unknown_action");
    stream.0.close(None).await.unwrap();
    assert_eq!(stream.drain().await.1, End::Close(1005));
}

#[tokio::test]
async fn agents_leave_with_a_removal_and_join_with_an_event() {
    let vendor = Vendor::start(Settings { churn_ms: 40, ..settings() }).await.unwrap();
    let token = token(&vendor).await;
    let (mut stream, _) = Stream::subscribed(&vendor, &token, Some(30)).await;
    let gone = stream.next_of(&["removed"]).await;
    let id = gone["adherence"]["agentId"].as_str().unwrap().to_owned();
    assert_eq!(gone["adherence"], json!({"agentId": id}));
    let truth = vendor.truth();
    let made = truth.events.iter().find(|made| made.sequence == Some(sequence(&gone))).unwrap();
    assert!(made.deleted && *made.agent == *id);
}

#[tokio::test]
async fn what_the_client_has_read_is_known_from_its_answers() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let (mut stream, _) = Stream::subscribed(&vendor, &token(&vendor).await, None).await;
    stream.events(100).await;
    vendor.stop_emission();
    // Each heartbeat is followed by a ping; reading on answers it.
    for _ in 0..4 {
        stream.next_of(&["heartbeat"]).await;
    }
    let truth = vendor.truth();
    let served = truth.subscriptions.last().unwrap();
    assert_eq!(served.delivered, truth.events.len() as u64);
    assert_eq!(served.confirmed, served.delivered);
    assert_eq!(served.ended_us, None);
}
