//! What comes over a socket.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use unbroken_sim::Vendor;
use unbroken_sim::truth::{SubscriptionEnd, Truth};

use crate::client::{Caller, End, Socket, settings, unit_topics};

#[tokio::test]
async fn heartbeats_come_by_themselves_and_a_ping_is_answered() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (_, uri) = caller.channel().await;
    let mut socket = Socket::open(&uri).await.unwrap();
    for _ in 0..3 {
        let beat = socket.next().await.unwrap();
        assert_eq!(
            beat,
            json!({"topicName": "channel.metadata",
                   "eventBody": {"message": "WebSocket Heartbeat"}})
        );
    }
    socket.say(json!({"message": "ping"})).await;
    loop {
        if socket.next().await.unwrap()["eventBody"]["message"] == "pong" {
            break;
        }
    }
    assert_eq!(Socket::open(&format!("{}/channels/none", vendor.ws_url)).await.err(), Some(404));
}

#[tokio::test]
async fn an_event_comes_once_for_each_topic_that_tells_of_it_with_the_ledgers_bytes() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (unit, users) = vendor.account().units[0].clone();
    let unit = format!("v2.workforcemanagement.managementunits.{unit}.adherence");
    let user = format!("v2.users.{}.workforcemanagement.adherence", users[0]);
    let (_, mut socket) = caller.subscribed(&[unit.clone(), user.clone()]).await;
    let mut seen: Vec<Value> = Vec::new();
    while seen.iter().filter(|event| event["topicName"] == user).count() < 3 {
        seen.push(socket.event().await);
    }
    // The unit's frame of the last one comes behind it.
    seen.push(socket.event().await);
    let truth = vendor.truth();
    for event in &seen {
        let body = &event["eventBody"];
        let id = body["user"]["id"].as_str().unwrap().to_owned();
        assert!(users.contains(&id), "of another unit: {id}");
        let key = format!("adherence/{id}");
        let is_it = |one: &unbroken_sim::truth::TruthEvent| {
            *one.agent == key && serde_json::from_slice::<Value>(&one.body).unwrap() == *body
        };
        assert!(truth.events.iter().any(is_it), "{event}");
        // Nothing numbers it, names it or says when.
        assert_eq!(event.as_object().unwrap().len(), 4);
        assert_eq!(event["version"], "2");
    }
    let of_user: Vec<_> = seen.iter().filter(|event| event["topicName"] == user).collect();
    for event in of_user {
        let others = seen.iter().filter(|one| one["eventBody"] == event["eventBody"]);
        assert!(others.count() >= 2, "the unit's topic told of it too");
    }
}

#[tokio::test]
async fn each_kind_of_topic_brings_its_own_body() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let account = vendor.account();
    let mut topics: Vec<String> = Vec::new();
    for user in &account.users {
        for kind in ["presence", "routingStatus", "activity", "conversations"] {
            topics.push(format!("v2.users.{user}.{kind}"));
        }
    }
    topics.extend(account.queues.iter().map(|id| format!("v2.routing.queues.{id}.conversations")));
    topics.extend(
        account.teams.iter().map(|(id, _)| format!("v2.workforcemanagement.teams.{id}.adherence")),
    );
    let (_, mut socket) = caller.subscribed(&topics).await;
    let mut seen = BTreeSet::new();
    let mut ended = BTreeSet::new();
    while seen.len() < 6 || ended.len() < 2 {
        let event = socket.event().await;
        let topic = event["topicName"].as_str().unwrap();
        let body = &event["eventBody"];
        let kind = topic.rsplit('.').next().unwrap();
        let (what, has_it) = match kind {
            "presence" => ("presence", body["presenceDefinition"]["systemPresence"].is_string()),
            "routingStatus" => ("routing", body["routingStatus"]["startTime"].is_string()),
            "activity" => ("activity", body["activeQueueIds"].is_array()),
            "conversations" if topic.contains("queues") => {
                ("queue", body["participants"].is_array())
            }
            "conversations" => ("calls", body["participants"].is_array()),
            _ => ("adherence", body["adherenceChangeTime"].is_string()),
        };
        assert!(has_it, "{event}");
        seen.insert(what.to_owned());
        if what == "calls" && body["participants"][2]["endTime"].is_string() {
            ended.insert(body["id"].as_str().unwrap().to_owned());
        }
    }
}

/// How many events each subscription of the ledger was served.
fn served(truth: &Truth) -> Vec<u64> {
    truth.subscriptions.iter().map(|served| served.delivered - served.first).collect()
}

#[tokio::test]
async fn a_channel_keeps_its_topics_and_replays_nothing() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (id, mut socket) = caller.subscribed(&unit_topics(&vendor)).await;
    socket.event().await;
    drop(socket);
    let made = vendor.events_emitted();
    while vendor.events_emitted() < made + 50 {
        tokio::task::yield_now().await;
    }
    let mut socket = Socket::open(&format!("{}/channels/{id}", vendor.ws_url)).await.unwrap();
    let first = socket.event().await;
    let truth = vendor.truth();
    let last = truth.subscriptions.last().unwrap();
    assert_eq!((truth.subscriptions.len(), last.id.as_str()), (2, id.as_str()));
    assert!(last.first >= made + 50, "what was missed is not served: {:?}", served(&truth));
    let at = last.first as usize;
    let bodies = truth.events[at..].iter().map(|event| &event.body);
    let is_new = |body| serde_json::from_slice::<Value>(body).unwrap() == first["eventBody"];
    assert!(bodies.into_iter().any(|body| is_new(body)));
}

#[tokio::test]
async fn a_second_connection_on_a_channel_closes_the_first() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (id, mut first) = caller.subscribed(&unit_topics(&vendor)).await;
    let mut second = Socket::open(&format!("{}/channels/{id}", vendor.ws_url)).await.unwrap();
    assert_eq!(first.drain().await.1, End::Close(1001));
    second.event().await;
}

#[tokio::test]
async fn the_ledger_knows_what_each_list_of_topics_was_served_and_what_was_read() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (unit, users) = vendor.account().units[1].clone();
    let (id, mut socket) = caller.subscribed(&unit_topics(&vendor)).await;
    socket.event().await;
    let one = vec![format!("v2.workforcemanagement.managementunits.{unit}.adherence")];
    caller.put(&id, &one, "").await;
    // The answer to a ping says what was read.
    while vendor.truth().subscriptions.last().unwrap().confirmed
        < vendor.truth().subscriptions.last().unwrap().first + 20
    {
        socket.event().await;
    }
    let truth = vendor.truth();
    let [before, after] = truth.subscriptions.as_slice() else { panic!("{:?}", served(&truth)) };
    assert_eq!((before.end, before.agents.as_ref().unwrap().len()), (SubscriptionEnd::Left, 24));
    assert!(before.first < after.first && after.end == SubscriptionEnd::Open);
    let mut keys: Vec<String> = users.iter().map(|user| format!("adherence/{user}")).collect();
    keys.sort_unstable();
    assert_eq!(after.agents.as_ref().unwrap(), &keys);
}

#[tokio::test]
async fn twelve_thousand_users_are_watched_over_twelve_channels() {
    let mut large = settings();
    large.vendor.agents = 12_000;
    let vendor = Vendor::start(large).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let users = vendor.account().users;
    let mut sockets = Vec::new();
    for users in users.chunks(1_000) {
        let topic = |user| format!("v2.users.{user}.workforcemanagement.adherence");
        let topics: Vec<String> = users.iter().map(topic).collect();
        sockets.push(caller.subscribed(&topics).await.1);
    }
    assert_eq!((sockets.len(), vendor.streams_live()), (12, 12));
    // Each brings its own users' events and nobody else's.
    for (socket, users) in sockets.iter_mut().zip(users.chunks(1_000)) {
        for _ in 0..3 {
            let event = socket.event().await;
            let id = event["eventBody"]["user"]["id"].as_str().unwrap().to_owned();
            assert!(users.contains(&id), "{event}");
        }
    }
}
