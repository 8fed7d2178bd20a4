//! What each fault looks like on the wire, for faults that play on a stream that is up.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use unbroken_sim::{Fault, Numbering, Settings, Stage, Vendor};

use crate::client::{End, Stream, is_event, page, sequence, sequences, settings, token, until};

async fn begun(settings: Settings) -> (Vendor, String, Stream) {
    let vendor = Vendor::start(settings).await.unwrap();
    let token = token(&vendor).await;
    let (mut stream, _) = Stream::subscribed(&vendor, &token, None).await;
    stream.events(10).await;
    (vendor, token, stream)
}

#[tokio::test]
async fn a_clean_close_comes_after_all_that_was_sent() {
    let (vendor, _, mut stream) = begun(settings()).await;
    vendor.inject(Fault::CleanClose).unwrap();
    let (messages, end) = stream.drain().await;
    assert_eq!(end, End::Close(1012));
    let served = sequences(&messages);
    assert!(served.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    let mut news = vendor.told();
    if vendor.fault_counts()[&Fault::CleanClose].ended == 0 {
        until(&mut news, Fault::CleanClose, Stage::Ended).await;
    }
    // The answer to the close frame proves that all was read.
    let ended = loop {
        let truth = vendor.truth();
        let served = truth.subscriptions.last().unwrap().clone();
        if served.end == unbroken_sim::truth::SubscriptionEnd::Closed {
            break served;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(ended.confirmed, ended.delivered);
}

#[tokio::test]
async fn a_half_open_socket_is_silent_and_stays() {
    let (vendor, _, mut stream) = begun(settings()).await;
    let mut news = vendor.told();
    vendor.inject(Fault::HalfOpen).unwrap();
    until(&mut news, Fault::HalfOpen, Stage::Injected).await;
    // What was under way may still come, then nothing: no event, no heartbeat, no pong.
    while timeout(Duration::from_millis(200), stream.next()).await.is_ok() {}
    stream.say(json!({"action": "ping"})).await;
    stream.say(json!({"action": "subscribe"})).await;
    assert!(timeout(Duration::from_millis(400), stream.next()).await.is_err());
    until(&mut news, Fault::HalfOpen, Stage::Fired).await;
    drop(stream);
    until(&mut news, Fault::HalfOpen, Stage::Ended).await;
}

#[tokio::test]
async fn duplicates_follow_at_once_and_nothing_else_is_wrong() {
    let (vendor, _, mut stream) = begun(settings()).await;
    let mut news = vendor.told();
    vendor.inject(Fault::Duplicates).unwrap();
    until(&mut news, Fault::Duplicates, Stage::Fired).await;
    let mut served = sequences(&stream.events(300).await);
    assert!(served.is_sorted());
    let all = served.len();
    served.dedup();
    assert!(served.len() < all);
    assert!(served.windows(2).all(|pair| pair[0] + 1 == pair[1]));
}

#[tokio::test]
async fn reordered_events_stay_within_their_window() {
    let (vendor, _, mut stream) = begun(settings()).await;
    let mut news = vendor.told();
    vendor.inject(Fault::Reordering).unwrap();
    until(&mut news, Fault::Reordering, Stage::Fired).await;
    let served = sequences(&stream.events(300).await);
    assert!(!served.is_sorted());
    let first = served.iter().min().unwrap();
    for (place, position) in served.iter().enumerate() {
        assert!((place as u64).abs_diff(position - first) < 5, "{position} at {place}");
    }
}

#[tokio::test]
async fn a_planned_close_is_announced_and_a_second_stream_is_served_meanwhile() {
    let quick = Settings { closing_notice_ms: 300, ..settings() };
    let (vendor, token, mut stream) = begun(quick).await;
    vendor.inject(Fault::PlannedClose).unwrap();
    let notice = stream.next_of(&["closing"]).await;
    assert_eq!(notice, json!({"type": "closing", "inSeconds": 0.3}));
    let (mut second, _) = Stream::subscribed(&vendor, &token, None).await;
    let joined = sequence(&second.events(1).await[0]);
    let (messages, end) = stream.drain().await;
    assert_eq!(end, End::Close(1001));
    assert!(sequences(&messages).contains(&joined), "both were served at once");
    second.events(100).await;
}

#[tokio::test]
async fn a_revoked_token_closes_the_stream_and_is_refused() {
    let (vendor, token, mut stream) = begun(settings()).await;
    let mut news = vendor.told();
    vendor.inject(Fault::TokenRevokedEarly).unwrap();
    let (messages, end) = stream.drain().await;
    assert_eq!(end, End::Close(4401));
    assert_eq!(messages.last(), Some(&json!({"type": "error", "code": "unauthorized"})));
    let (status, body) = Stream::try_open(&vendor, &token).await.err().unwrap();
    assert_eq!((status, &body["error_description"]), (401, &json!("token revoked")));
    until(&mut news, Fault::TokenRevokedEarly, Stage::Ended).await;
    let fresh = crate::client::token(&vendor).await;
    Stream::subscribed(&vendor, &fresh, None).await;
}

#[tokio::test]
async fn a_token_that_expired_in_the_outage_is_refused() {
    let (vendor, token, mut stream) = begun(settings()).await;
    vendor.inject(Fault::TokenExpiredInOutage).unwrap();
    stream.drain().await;
    let (status, body) = page(&vendor, &token, "?limit=1").await;
    assert_eq!((status, &body["error_description"]), (401, &json!("token expired")));
    assert_eq!(vendor.fault_counts()[&Fault::TokenExpiredInOutage].ended, 1);
}

#[tokio::test]
async fn a_reset_numbering_begins_again_under_another_name() {
    let (vendor, token, mut stream) = begun(settings()).await;
    let before = page(&vendor, &token, "?limit=1").await.1;
    vendor.inject(Fault::SequenceReset).unwrap();
    assert_eq!(stream.drain().await.1, End::Reset);
    let (mut stream, ack) = Stream::subscribed(&vendor, &token, Some(0)).await;
    assert_ne!(ack["epoch"], before["epoch"]);
    let events = stream.events(5).await;
    assert_eq!(sequences(&events), [1, 2, 3, 4, 5]);
    assert!(events.iter().all(|event| event["epoch"] == ack["epoch"]));
    let mut other = Stream::open(&vendor, &token).await;
    let refused = other.subscribe(Some(sequence(&before) + 1_000_000)).await;
    assert_eq!(refused["code"], "unknown_sequence");
}

#[tokio::test]
async fn agents_come_and_go_while_the_client_is_away() {
    let (vendor, token, mut stream) = begun(settings()).await;
    let ids = |body: &serde_json::Value| -> Vec<String> {
        let rows = body["schedules"].as_array().unwrap().iter();
        rows.map(|row| row["agentId"].as_str().unwrap().to_owned()).collect()
    };
    let before = ids(&page(&vendor, &token, "").await.1);
    vendor.inject(Fault::AgentsChangedInOutage).unwrap();
    let seen = stream.drain().await.0;
    assert!(seen.iter().all(|message| message["type"] != "removed"));
    let after = ids(&page(&vendor, &token, "").await.1);
    assert!(before.iter().any(|id| !after.contains(id)));
    assert!(after.iter().any(|id| !before.contains(id)));
    Stream::subscribed(&vendor, &token, None).await;
    assert_eq!(vendor.fault_counts()[&Fault::AgentsChangedInOutage].ended, 1);
}

#[tokio::test]
async fn faults_without_numbers_leave_numbers_out() {
    let none = Settings { numbering: Numbering::None, ..settings() };
    let (vendor, token, mut stream) = begun(none).await;
    vendor.inject(Fault::MuteAfterReconnect).unwrap();
    stream.drain().await;
    let (mut muted, _) = Stream::subscribed(&vendor, &token, None).await;
    for _ in 0..4 {
        let message = muted.next().await.unwrap();
        assert_eq!(message, json!({"type": "heartbeat"}));
        assert!(!is_event(&message));
    }
    assert!(vendor.inject(Fault::HistoryFlood).is_err());
}
