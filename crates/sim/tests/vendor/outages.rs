//! What each fault looks like on the wire, for faults that show when the client comes back.

use serde_json::{Value, json};
use unbroken_sim::{Fault, Settings, Stage, Vendor};

use crate::client::{Stream, page, sequence, sequences, settings, token, until};

/// A client was cut off by the fault's scenario: the last position that it read.
struct Away {
    vendor: Vendor,
    token: String,
    last: u64,
}

async fn away(fault: Fault, settings: Settings) -> Away {
    let vendor = Vendor::start(settings).await.unwrap();
    let token = token(&vendor).await;
    let (mut stream, _) = Stream::subscribed(&vendor, &token, None).await;
    let before = stream.events(40).await;
    vendor.inject(fault).unwrap();
    let (messages, _) = stream.drain().await;
    let last = sequences(&messages).into_iter().max().unwrap_or(sequence(&before[39]));
    Away { vendor, token, last }
}

impl Away {
    fn ended(&self, fault: Fault) -> u64 {
        self.vendor.fault_counts()[&fault].ended
    }

    async fn ask(&self, after: Option<u64>) -> (Stream, Value) {
        let mut stream = Stream::open(&self.vendor, &self.token).await;
        let answer = stream.subscribe(after).await;
        (stream, answer)
    }

    async fn head(&self) -> u64 {
        sequence(&page(&self.vendor, &self.token, "?limit=1").await.1)
    }
}

#[tokio::test]
async fn a_stale_handshake_is_refused_until_a_baseline_was_read() {
    let away = away(Fault::HandshakeRefusedStale, settings()).await;
    for _ in 0..2 {
        let (status, body) = Stream::try_open(&away.vendor, &away.token).await.err().unwrap();
        assert_eq!((status, &body["error"]), (410, &json!("stale_sequence")));
    }
    let tag = away.head().await;
    let (mut stream, answer) = away.ask(Some(tag)).await;
    assert_eq!(answer["type"], "subscribed");
    assert_eq!(sequence(&stream.events(1).await[0]), tag + 1);
    assert_eq!(away.ended(Fault::HandshakeRefusedStale), 1);
}

#[tokio::test]
async fn a_client_that_never_reads_a_baseline_is_let_in_at_the_fourth_try() {
    let away = away(Fault::HandshakeRefusedStale, settings()).await;
    for _ in 0..3 {
        assert!(Stream::try_open(&away.vendor, &away.token).await.is_err());
    }
    // What it missed is gone all the same.
    assert_eq!(away.ask(Some(away.last)).await.1["code"], "stale_sequence");
}

#[tokio::test]
async fn an_old_position_is_refused_and_a_fresh_one_is_not() {
    let away = away(Fault::SubscribeRefusedStale, settings()).await;
    let (mut stream, answer) = away.ask(Some(away.last)).await;
    assert_eq!(answer["code"], "stale_sequence");
    let tag = away.head().await;
    assert_eq!(stream.subscribe(Some(tag)).await["type"], "subscribed");
    assert_eq!(sequence(&stream.events(1).await[0]), tag + 1);
}

#[tokio::test]
async fn only_the_exact_head_is_accepted_and_a_refusal_purges() {
    let away = away(Fault::ExactHeadOnly, settings()).await;
    assert_eq!(away.ask(Some(away.last)).await.1["code"], "stale_sequence");
    assert_eq!(away.vendor.fault_counts()[&Fault::ExactHeadOnly].fired, 1);
    let (mut stream, answer) = away.ask(None).await;
    assert_eq!(answer["type"], "subscribed");
    stream.events(1).await;
    assert_eq!(away.ended(Fault::ExactHeadOnly), 1);
    assert_eq!(away.ask(Some(away.last)).await.1["code"], "stale_sequence");
    let truth = away.vendor.truth();
    assert!(truth.subscriptions.last().unwrap().floor > away.last);
}

#[tokio::test]
async fn a_clamp_is_silent_and_its_loss_is_in_the_truth() {
    let away = away(Fault::SilentClamp, settings()).await;
    let (mut stream, answer) = away.ask(Some(away.last)).await;
    assert_eq!(answer["type"], "subscribed");
    let first = sequence(&stream.events(1).await[0]);
    assert!(first > away.last + 1);
    let truth = away.vendor.truth();
    let served = truth.subscriptions.last().unwrap();
    assert_eq!((served.asked, served.floor), (Some(away.last), first - 1));
}

#[tokio::test]
async fn a_clamp_is_told_by_an_acknowledgement_with_position() {
    let away = away(Fault::SilentClamp, Settings { ack_position: true, ..settings() }).await;
    let (mut stream, answer) = away.ask(Some(away.last)).await;
    assert_eq!(sequence(&answer) + 1, sequence(&stream.events(1).await[0]));
    assert!(sequence(&answer) > away.last);
}

#[tokio::test]
async fn a_muted_stream_beats_without_events_and_without_lying() {
    let away = away(Fault::MuteAfterReconnect, settings()).await;
    let mut news = away.vendor.told();
    let (mut muted, answer) = away.ask(Some(away.last)).await;
    assert_eq!(answer["type"], "subscribed");
    for _ in 0..5 {
        let message = muted.next().await.unwrap();
        assert_eq!((&message["type"], sequence(&message)), (&json!("heartbeat"), away.last));
    }
    assert!(away.head().await > away.last);
    drop(muted);
    until(&mut news, Fault::MuteAfterReconnect, Stage::Ended).await;
    let (mut stream, _) = away.ask(Some(away.last)).await;
    assert_eq!(sequence(&stream.events(1).await[0]), away.last + 1);
}

#[tokio::test]
async fn a_flood_comes_first_and_under_the_new_subscription() {
    let away = away(Fault::HistoryFlood, settings()).await;
    let (mut stream, answer) = away.ask(Some(away.last)).await;
    let events = stream.events(300).await;
    let served = sequences(&events);
    assert!(served[0] <= away.last);
    assert!(served.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    assert!(served.contains(&(away.last + 1)));
    assert!(events.iter().all(|event| event["subscriptionId"] == answer["subscriptionId"]));
}

#[tokio::test]
async fn a_zombies_frames_bear_the_old_name() {
    let away = away(Fault::ZombieContext, settings()).await;
    let (mut stream, answer) = away.ask(Some(away.last)).await;
    let events = stream.events(200).await;
    let (ours, theirs): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| event["subscriptionId"] == answer["subscriptionId"]);
    assert!(theirs.len() > 10);
    assert!(theirs.iter().all(|event| event["subscriptionId"] == "sub-1"));
    let served = sequences(&ours);
    assert_eq!(served, (away.last + 1..=away.last + served.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn without_replay_a_subscription_begins_now() {
    let away = away(Fault::NoReplay, settings()).await;
    let (mut stream, answer) = away.ask(Some(away.last)).await;
    assert_eq!(answer["type"], "subscribed");
    assert!(sequence(&stream.events(1).await[0]) > away.last + 1);
    let truth = away.vendor.truth();
    let served = truth.subscriptions.last().unwrap();
    assert!(!served.replay && served.floor == served.head);
    assert_eq!(away.ended(Fault::NoReplay), 1);
}

#[tokio::test]
async fn torn_pages_miss_a_row_that_was_there_all_the_time() {
    let away = away(Fault::TornSnapshot, settings()).await;
    away.vendor.stop_emission();
    let mut seen = Vec::new();
    let mut totals = Vec::new();
    while seen.len() < 30 {
        let (_, body) =
            page(&away.vendor, &away.token, &format!("?limit=100&offset={}", seen.len())).await;
        let rows = body["schedules"].as_array().unwrap();
        if rows.is_empty() {
            break;
        }
        totals.push(body["total"].as_u64().unwrap());
        seen.extend(rows.iter().map(|row| row["agentId"].as_str().unwrap().to_owned()));
    }
    assert_eq!(totals[..2], [30, 28]);
    let mut there: Vec<String> = Vec::new();
    while there.len() < 28 {
        let query = format!("?limit=100&offset={}", there.len());
        let (_, body) = page(&away.vendor, &away.token, &query).await;
        let rows = body["schedules"].as_array().unwrap().iter();
        there.extend(rows.map(|row| row["agentId"].as_str().unwrap().to_owned()));
        if away.vendor.fault_counts()[&Fault::TornSnapshot].ended == 1 && there.len() >= 26 {
            break;
        }
    }
    assert!(there.iter().any(|id| !seen.contains(id)), "no row slipped through");
}

#[tokio::test]
async fn a_stale_baseline_is_old_but_not_older_than_it_may_be() {
    let away = away(Fault::StaleSnapshot, settings()).await;
    let (_, body) = page(&away.vendor, &away.token, "?limit=1").await;
    let truth = away.vendor.truth();
    let shown = truth.pages.last().unwrap();
    let missing = &truth.events[shown.as_of as usize];
    assert!(sequence(&body) < truth.events.last().unwrap().sequence.unwrap());
    let bound_us = 400_000;
    assert!(shown.served_us - missing.wall_us <= bound_us);
    assert_eq!(away.vendor.fault_counts()[&Fault::StaleSnapshot].fired, 1);
    let mut news = away.vendor.told();
    until(&mut news, Fault::StaleSnapshot, Stage::Ended).await;
    let head = away.head().await;
    assert!(head > sequence(&body));
}
