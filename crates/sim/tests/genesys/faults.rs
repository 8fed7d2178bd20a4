//! What each of this vendor's own faults looks like on the wire.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use unbroken_sim::Vendor;
use unbroken_sim::{Fault, Stage};

use crate::client::{Caller, End, Socket, settings, unit_topics, until, within};

async fn begun() -> (Vendor, Caller, String, Socket) {
    let vendor = Vendor::start(settings()).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (id, mut socket) = caller.subscribed(&unit_topics(&vendor)).await;
    for _ in 0..5 {
        socket.event().await;
    }
    (vendor, caller, id, socket)
}

#[tokio::test]
async fn a_partial_subscribe_rejects_topics_by_name_and_happens_on_a_new_channel() {
    let (vendor, caller, id, mut socket) = begun().await;
    let mut news = vendor.told();
    vendor.inject(Fault::PartialSubscribe).unwrap();
    socket.drain().await;
    assert_eq!(caller.head(&id).await, 404);
    let (id, _) = caller.channel().await;
    let users = vendor.account().users;
    let topics: Vec<String> =
        users.iter().map(|user| format!("v2.users.{user}.presence")).collect();
    let told = caller.put(&id, &topics, "?ignoreErrors=true").await;
    let rows = told.body["entities"].as_array().unwrap();
    let rejected = rows.iter().filter(|row| row["state"] == "Rejected").count();
    assert_eq!(rejected, topics.len() / 3);
    assert_eq!(caller.topics(&id).await.len(), topics.len() - rejected);
    until(&mut news, Fault::PartialSubscribe, Stage::Ended).await;
    caller.put(&id, &topics, "").await;
    assert_eq!(caller.topics(&id).await.len(), topics.len());
}

#[tokio::test]
async fn an_eviction_by_another_instance_is_silent() {
    let (vendor, caller, id, mut socket) = begun().await;
    let mut news = vendor.told();
    vendor.inject(Fault::ChannelEvicted).unwrap();
    until(&mut news, Fault::ChannelEvicted, Stage::Fired).await;
    while !socket.is_silent_for(300).await {}
    assert_eq!(caller.head(&id).await, 404);
    drop(socket);
    until(&mut news, Fault::ChannelEvicted, Stage::Ended).await;
    // The other instance is gone again.
    let listed = caller.get("/api/v2/notifications/channels").await;
    assert_eq!(listed.body["entities"], json!([]));
}

#[tokio::test]
async fn a_channel_that_expires_closes_its_socket_and_is_gone() {
    let (vendor, caller, id, mut socket) = begun().await;
    vendor.inject(Fault::ChannelExpired).unwrap();
    assert_eq!(socket.drain().await.1, End::Close(1001));
    assert_eq!(caller.head(&id).await, 404);
    let again = Socket::open(&format!("{}/channels/{id}", vendor.ws_url)).await;
    assert_eq!(again.err(), Some(404));
}

#[tokio::test]
async fn when_heartbeats_stop_nothing_comes_and_the_channel_lives_on() {
    let (vendor, caller, id, mut socket) = begun().await;
    let mut news = vendor.told();
    vendor.inject(Fault::HeartbeatStop).unwrap();
    until(&mut news, Fault::HeartbeatStop, Stage::Fired).await;
    while !socket.is_silent_for(300).await {}
    socket.say(json!({"message": "ping"})).await;
    assert!(socket.is_silent_for(200).await);
    assert_eq!(caller.head(&id).await, 200);
    let mut again = Socket::open(&format!("{}/channels/{id}", vendor.ws_url)).await.unwrap();
    again.event().await;
    until(&mut news, Fault::HeartbeatStop, Stage::Ended).await;
}

#[tokio::test]
async fn heartbeats_go_on_while_a_subscription_is_dead_and_the_ledger_says_so() {
    let (vendor, _, _, mut socket) = begun().await;
    let mut news = vendor.told();
    vendor.inject(Fault::DeadSubscription).unwrap();
    until(&mut news, Fault::DeadSubscription, Stage::Fired).await;
    assert!(vendor.truth().subscriptions[0].muted);
    // What was under way may still come; after it there are heartbeats alone.
    let mut beats = 0;
    while beats < 8 {
        let is_event = socket.next().await.unwrap()["metadata"].is_object();
        beats = if is_event { 0 } else { beats + 1 };
    }
    drop(socket);
    until(&mut news, Fault::DeadSubscription, Stage::Ended).await;
}

#[tokio::test]
async fn a_handshake_can_find_nothing_where_head_finds_the_channel() {
    let (vendor, caller, id, mut socket) = begun().await;
    let mut news = vendor.told();
    vendor.inject(Fault::HandshakeGone).unwrap();
    socket.drain().await;
    assert_eq!(caller.head(&id).await, 200);
    let uri = format!("{}/channels/{id}", vendor.ws_url);
    for _ in 0..2 {
        assert_eq!(Socket::open(&uri).await.err(), Some(404));
    }
    let (_, mut other) = caller.subscribed(&unit_topics(&vendor)).await;
    other.event().await;
    until(&mut news, Fault::HandshakeGone, Stage::Ended).await;
}

#[tokio::test]
async fn a_small_listing_comes_as_a_download_once() {
    let (vendor, caller, _, mut socket) = begun().await;
    vendor.inject(Fault::DownloadUrl).unwrap();
    socket.drain().await;
    let unit = &vendor.account().units[0].0;
    let path = format!("/api/v2/workforcemanagement/managementunits/{unit}/adherence");
    let told = caller.get(&path).await.body;
    let url = told["downloadUrl"].as_str().unwrap();
    let listing: Value = within(reqwest::get(url)).await.unwrap().json().await.unwrap();
    assert!(listing["entities"].is_array());
    assert!(caller.get(&path).await.body["entities"].is_array());
}

#[tokio::test]
async fn two_channels_bring_one_event_in_two_orders_and_some_twice() {
    let mut slow = settings();
    slow.vendor.closing_notice_ms = 2_000;
    let vendor = Vendor::start(slow).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (_, mut old) = caller.subscribed(&unit_topics(&vendor)).await;
    old.event().await;
    let mut news = vendor.told();
    vendor.inject(Fault::CrossedChannels).unwrap();
    old.next_of("v2.system.socket_closing").await;
    let (_, mut new) = caller.subscribed(&unit_topics(&vendor)).await;
    until(&mut news, Fault::CrossedChannels, Stage::Fired).await;
    let mut came: Vec<(bool, String)> = Vec::new();
    let deadline = tokio::time::sleep(Duration::from_millis(1_200));
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            () = &mut deadline => break,
            event = old.event() => came.push((true, event["eventBody"].to_string())),
            event = new.event() => came.push((false, event["eventBody"].to_string())),
        }
    }
    // For each event: its places in the order of arrival on each of the two.
    let mut places: BTreeMap<&str, [Vec<usize>; 2]> = BTreeMap::new();
    for (place, (is_old, body)) in came.iter().enumerate() {
        places.entry(body).or_default()[usize::from(*is_old)].push(place);
    }
    let on_both: Vec<_> =
        places.values().filter(|[new, old]| !new.is_empty() && !old.is_empty()).collect();
    let old_first = on_both.iter().filter(|[new, old]| old[0] < new[0]).count();
    assert!(old_first > 0 && old_first < on_both.len(), "{old_first} of {}", on_both.len());
    let twice = |side: usize| places.values().filter(|sides| sides[side].len() > 1).count();
    assert!(twice(0) + twice(1) > 0);
    assert_eq!(old.drain().await.1, End::Close(1001));
    until(&mut news, Fault::CrossedChannels, Stage::Ended).await;
}

/// What analytics say of everything around now, on one page.
async fn history(caller: &Caller) -> (usize, u64) {
    let query = json!({"interval": "2000-01-01T00:00Z/2000-01-02T00:00Z",
                       "paging": {"pageSize": 100}});
    let told = caller.post("/api/v2/analytics/conversations/details/query", query).await.body;
    let rows = told["conversations"].as_array().map_or(0, Vec::len);
    (rows, told["totalHits"].as_u64().unwrap())
}

/// A vendor whose day is so long that any interval touches the present one.
async fn historian() -> (Vendor, Caller) {
    let mut told = settings();
    told.day_ms = u64::MAX / 10_000;
    told.history_lag_ms = 0;
    let vendor = Vendor::start(told).await.unwrap();
    let caller = Caller::new(&vendor).await;
    let (_, mut socket) = caller.subscribed(&unit_topics(&vendor)).await;
    socket.event().await;
    while history(&caller).await.1 < 20 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::spawn(async move { socket.drain().await });
    (vendor, caller)
}

#[tokio::test]
async fn history_can_be_late() {
    let (vendor, caller) = historian().await;
    let mut news = vendor.told();
    let (before, _) = history(&caller).await;
    vendor.inject(Fault::LateHistory).unwrap();
    until(&mut news, Fault::LateHistory, Stage::Injected).await;
    assert!(history(&caller).await.0 < before);
    until(&mut news, Fault::LateHistory, Stage::Ended).await;
    assert!(history(&caller).await.0 >= before);
}

#[tokio::test]
async fn a_page_of_history_can_be_lost_while_the_total_counts_it() {
    let (vendor, caller) = historian().await;
    let mut news = vendor.told();
    vendor.inject(Fault::LostHistory).unwrap();
    until(&mut news, Fault::LostHistory, Stage::Injected).await;
    for _ in 0..2 {
        let (rows, total) = history(&caller).await;
        assert!(rows == 0 && total >= 20, "{rows} of {total}");
    }
    assert!(history(&caller).await.0 >= 20);
    let page = vendor.truth().history_pages.into_iter().rfind(|page| page.conversations.is_empty());
    assert_eq!(page.map(|page| page.total == page.total_told), Some(true));
}

#[tokio::test]
async fn the_total_can_lie_in_both_directions() {
    let (vendor, caller) = historian().await;
    let mut news = vendor.told();
    vendor.stop_emission();
    vendor.inject(Fault::WrongHistoryTotal).unwrap();
    until(&mut news, Fault::WrongHistoryTotal, Stage::Injected).await;
    for _ in 0..3 {
        history(&caller).await;
    }
    let pages = vendor.truth().history_pages;
    let last: Vec<_> = pages[pages.len() - 3..].iter().collect();
    let off = |at: usize| last[at].total_told as i64 - last[at].total as i64;
    assert_eq!([off(0), off(1), off(2)], [7, -7, 7]);
    let (rows, total) = history(&caller).await;
    assert_eq!(rows as u64, total.min(100));
}

#[tokio::test]
async fn requests_are_throttled_with_the_documented_body() {
    let (vendor, caller, _, mut socket) = begun().await;
    vendor.inject(Fault::ThrottledRest).unwrap();
    socket.drain().await;
    let told = caller.get("/api/v2/notifications/channels").await;
    assert_eq!((told.status, told.retry_after.as_deref()), (429, Some("1")));
    assert_eq!(told.body["code"], "too.many.requests.retry.after");
    assert_eq!(
        told.body["message"],
        "Rate limit exceeded the maximum. Retry the request in [1] seconds"
    );
}

#[tokio::test]
async fn a_dropped_event_is_on_the_ledger_and_on_no_socket() {
    let (vendor, _, _, mut socket) = begun().await;
    let mut news = vendor.told();
    vendor.inject(Fault::DroppedFrames).unwrap();
    until(&mut news, Fault::DroppedFrames, Stage::Ended).await;
    let read: Vec<Value> = {
        let mut read = Vec::new();
        for _ in 0..300 {
            read.push(socket.event().await["eventBody"].clone());
        }
        read
    };
    let truth = vendor.truth();
    let dropped = &truth.subscriptions[0].dropped;
    assert_eq!(dropped.len(), 3);
    let after = &truth.events[dropped[2] as usize + 1];
    let body = |at: u64| serde_json::from_slice::<Value>(&truth.events[at as usize].body).unwrap();
    assert!(after.wall_us > 0 && !read.is_empty());
    for at in dropped {
        let times = read.iter().filter(|one| **one == body(*at)).count();
        let same =
            truth.events.iter().filter(|event| event.body == truth.events[*at as usize].body);
        assert!(times < same.count(), "event {at}");
    }
}

#[tokio::test]
async fn a_fault_of_another_vendor_does_not_apply() {
    let vendor = Vendor::start(settings()).await.unwrap();
    assert!(vendor.inject(Fault::HistoryFlood).is_err());
    let cxone = unbroken_sim::Vendor::start(unbroken_sim::Settings::default()).await.unwrap();
    assert!(cxone.inject(Fault::ChannelEvicted).is_err());
}
