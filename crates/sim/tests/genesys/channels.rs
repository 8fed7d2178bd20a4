//! Tokens, channels and their subscriptions.

use reqwest::Method;
use serde_json::json;
use unbroken_sim::Vendor;
use unbroken_sim::genesys::Settings;

use crate::client::{Caller, End, Socket, settings, unit_topics, wishes, within};

#[tokio::test]
async fn a_token_is_given_for_the_right_secret_alone_and_cannot_be_refreshed() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let url = format!("{}/oauth/token", vendor.http_url);
    let ask = |secret: String, grant: &'static str| {
        let request = reqwest::Client::new().post(&url);
        let request = request.basic_auth(&vendor.credentials.client_id, Some(secret));
        request.form(&[("grant_type", grant)]).send()
    };
    let secret = vendor.credentials.client_secret.clone();
    let granted = within(ask(secret.clone(), "client_credentials")).await.unwrap();
    let body: serde_json::Value = granted.json().await.unwrap();
    assert_eq!(body["expires_in"], 86_400);
    assert!(body.get("refresh_token").is_none(), "{body}");
    let refused = within(ask("wrong".to_owned(), "client_credentials")).await.unwrap();
    assert_eq!(refused.status().as_u16(), 401);
    let refused = within(ask(secret, "password")).await.unwrap();
    assert_eq!(refused.status().as_u16(), 400);
}

#[tokio::test]
async fn a_request_without_a_token_is_refused_with_the_vendors_error_body() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let url = format!("{}/api/v2/notifications/channels", vendor.http_url);
    let response = within(reqwest::get(url)).await.unwrap();
    assert_eq!(response.status().as_u16(), 401);
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!((&body["code"], &body["status"]), (&json!("bad.credentials"), &json!(401)));
    assert!(body["contextId"].is_string() && body["errors"].is_array(), "{body}");
}

#[tokio::test]
async fn one_channel_too_many_evicts_the_oldest_in_silence_unconnected_ones_first() {
    let limited = Settings { channels_max: 3, ..settings() };
    let vendor = Vendor::start(limited).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (oldest, mut socket) = caller.subscribed(&unit_topics(&vendor)).await;
    let (second, _) = caller.channel().await;
    let (third, uri) = caller.channel().await;
    let _third = Socket::open(&uri).await.unwrap();
    socket.event().await;
    let (fourth, uri) = caller.channel().await;
    assert_eq!((caller.head(&oldest).await, caller.head(&second).await), (200, 404));
    let _fourth = Socket::open(&uri).await.unwrap();
    // All are connected now, and `HEAD` counts as use of the first.
    caller.channel().await;
    assert_eq!((caller.head(&oldest).await, caller.head(&third).await), (200, 404));
    for id in [&fourth, &oldest] {
        assert_eq!(caller.head(id).await, 200);
    }
    let listed = caller.get("/api/v2/notifications/channels").await;
    assert_eq!(listed.body["entities"].as_array().unwrap().len(), 3);
    // Now the first is evicted: what is under way comes, then nothing, and it stays open.
    let mut kept = Vec::new();
    while kept.len() < 6 {
        let (_, uri) = caller.channel().await;
        kept.push(Socket::open(&uri).await.unwrap());
    }
    assert_eq!(caller.head(&oldest).await, 404);
    while !socket.is_silent_for(300).await {}
}

#[tokio::test]
async fn an_eviction_can_be_told() {
    let told = Settings { channels_max: 1, eviction_told: true, ..settings() };
    let vendor = Vendor::start(told).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (id, mut socket) = caller.subscribed(&unit_topics(&vendor)).await;
    caller.channel().await;
    let message = socket.next_of("v2.system.no_longer_subscribed").await;
    assert_eq!(message["eventBody"]["channelId"], json!(id));
    assert_eq!(message["eventBody"]["reason"], "another_channel_subscribed");
}

#[tokio::test]
async fn put_replaces_post_adds_and_delete_removes_all() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let topics = unit_topics(&vendor);
    let user = &vendor.account().users[0];
    let more = vec![format!("v2.users.{user}.presence")];
    let (id, _) = caller.channel().await;
    let told = caller.put(&id, &topics, "").await;
    assert_eq!(told.body["entities"].as_array().unwrap().len(), topics.len());
    assert!(told.body["entities"][0].get("state").is_none(), "{told:?}");
    let path = format!("/api/v2/notifications/channels/{id}/subscriptions");
    assert_eq!(caller.post(&path, wishes(&more)).await.status, 200);
    assert_eq!(caller.topics(&id).await.len(), topics.len() + 1);
    caller.put(&id, &more, "").await;
    assert_eq!(caller.topics(&id).await, more);
    assert_eq!(caller.call(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(caller.topics(&id).await, Vec::<String>::new());
    assert_eq!(caller.put("nothing", &more, "").await.status, 404);
}

#[tokio::test]
async fn one_forbidden_topic_refuses_all_unless_errors_are_ignored() {
    let mut limited = settings();
    limited.vendor.seed = 5;
    let users = Vendor::start(limited.clone()).await.unwrap().account().users;
    let topic = |at: usize| format!("v2.users.{}.workforcemanagement.adherence", users[at]);
    limited.forbidden_topics = vec![topic(1)];
    let vendor = Vendor::start(limited).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (id, _) = caller.channel().await;
    let wanted = vec![topic(0), topic(1), "v2.users.nobody.presence".to_owned()];
    caller.put(&id, &wanted[..1], "").await;
    let refused = caller.put(&id, &wanted[..2], "").await;
    assert_eq!((refused.status, &refused.body["status"]), (403, &json!(403)));
    assert_eq!(caller.put(&id, &wanted[2..], "?ignoreErrors=false").await.status, 400);
    assert_eq!(caller.topics(&id).await, wanted[..1], "a refusal changes nothing");
    let told = caller.put(&id, &wanted, "?ignoreErrors=true").await;
    let states: Vec<_> = (0..3).map(|at| &told.body["entities"][at]["state"]).collect();
    assert_eq!(states, ["Permitted", "Rejected", "Rejected"]);
    let rejected = &told.body["entities"][1];
    assert_eq!(rejected["missingPermissions"], json!(["wfm:realtimeAdherence:view"]));
    assert!(rejected["rejectionReason"].is_string(), "{rejected}");
    assert_eq!(caller.topics(&id).await, wanted[..1]);
}

#[tokio::test]
async fn a_channel_has_a_thousand_topics_at_most() {
    let mut large = settings();
    large.vendor.agents = 1_001;
    let vendor = Vendor::start(large).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (id, _) = caller.channel().await;
    let users = vendor.account().users;
    let topics: Vec<String> =
        users.iter().map(|user| format!("v2.users.{user}.presence")).collect();
    assert_eq!(caller.put(&id, &topics[..1_000], "").await.status, 200);
    assert_eq!(caller.put(&id, &topics, "?ignoreErrors=true").await.status, 400);
    let path = format!("/api/v2/notifications/channels/{id}/subscriptions");
    assert_eq!(caller.post(&path, wishes(&topics[1_000..])).await.status, 400);
    assert_eq!(caller.topics(&id).await.len(), 1_000);
}

#[tokio::test]
async fn a_token_that_asks_too_often_is_told_when_to_come_again() {
    let limited = Settings { rate_max: 5, ..settings() };
    let vendor = Vendor::start(limited).await.unwrap();
    let caller = Caller::new(&vendor).await;
    for _ in 0..5 {
        assert_eq!(caller.get("/api/v2/notifications/channels").await.status, 200);
    }
    let told = caller.get("/api/v2/notifications/channels").await;
    assert_eq!(told.status, 429);
    let seconds = told.retry_after.unwrap();
    assert!((1..=60).contains(&seconds.parse::<u32>().unwrap()), "{seconds}");
    assert_eq!(
        told.body["message"],
        format!("Rate limit exceeded the maximum. Retry the request in [{seconds}] seconds")
    );
    assert_eq!(told.body["code"], "too.many.requests.retry.after");
    // Another token has a budget of its own.
    let other = Caller::new(&vendor).await;
    assert_eq!(other.get("/api/v2/notifications/channels").await.status, 200);
}

#[tokio::test]
async fn a_channel_is_told_of_its_end_and_a_change_of_topics_prolongs_it() {
    let mut short = Settings { channel_life_ms: 900, ..settings() };
    short.vendor.closing_notice_ms = 300;
    let vendor = Vendor::start(short).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (id, mut socket) = caller.subscribed(&unit_topics(&vendor)).await;
    let notice = socket.next_of("v2.system.socket_closing").await;
    assert!(notice["eventBody"]["message"].is_string());
    caller.put(&id, &unit_topics(&vendor), "").await;
    let (messages, end) = socket.drain().await;
    assert_eq!(end, End::Close(1001));
    let notices = messages.iter().filter(|one| one["topicName"] == "v2.system.socket_closing");
    assert_eq!(notices.count(), 1, "the life began anew, and so did its end");
    assert_eq!(caller.head(&id).await, 404);
}
