//! Conversations in the past.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use unbroken_sim::Vendor;
use unbroken_sim::genesys::Settings;
use unbroken_sim::verdict::{FactVerdict, StoredFact, judge_facts};

use crate::client::{Caller, settings};

const PATH: &str = "/api/v2/analytics/conversations/details/query";
/// An interval that touches every day there is.
const EVER: &str = "2026-01-01T00:00:00.000Z/2026-01-31T00:00:00.000Z";

/// An interval of some minutes around now, whole days of the test's own length.
fn around_now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seconds = now.as_secs() as i64;
    format!("{}/{}", iso(seconds - 600), iso(seconds + 600))
}

fn iso(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400);
    let of_day = seconds.rem_euclid(86_400);
    let mut year = 1970;
    let mut left = days;
    let length = |year: i64| {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if is_leap {
            [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        } else {
            [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        }
    };
    while left >= length(year).iter().sum::<i64>() {
        left -= length(year).iter().sum::<i64>();
        year += 1;
    }
    let mut month = 1;
    for days in length(year) {
        if left < days {
            break;
        }
        left -= days;
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.000Z", left + 1)
}

async fn page(caller: &Caller, interval: &str, size: u64, number: u64, order: &str) -> Value {
    let query = json!({"interval": interval, "order": order, "orderBy": "conversationStart",
                       "paging": {"pageSize": size, "pageNumber": number}});
    let told = caller.post(PATH, query).await;
    assert_eq!(told.status, 200, "{told:?}");
    told.body
}

/// The conversations of every page, and how many there were as the last, empty page told.
async fn pages(caller: &Caller, interval: &str) -> (Vec<Value>, u64) {
    let mut all = Vec::new();
    let mut number = 1;
    loop {
        let told = page(caller, interval, 100, number, "asc").await;
        let Some(rows) = told["conversations"].as_array() else {
            return (all, told["totalHits"].as_u64().unwrap());
        };
        all.extend(rows.clone());
        number += 1;
    }
}

/// Every conversation there is, of a history that gains none meanwhile.
async fn walk(caller: &Caller, interval: &str) -> Vec<Value> {
    let (all, total) = pages(caller, interval).await;
    assert_eq!(all.len() as u64, total);
    all
}

/// The facts of conversations by (conversation, participant, session, start): the end.
fn facts(conversations: &[Value]) -> BTreeMap<[String; 4], Option<String>> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut facts = BTreeMap::new();
    for conversation in conversations {
        for participant in conversation["participants"].as_array().unwrap() {
            for session in participant["sessions"].as_array().unwrap() {
                for segment in session["segments"].as_array().unwrap() {
                    let identity = [
                        text(&conversation["conversationId"]),
                        text(&participant["participantId"]),
                        text(&session["sessionId"]),
                        text(&segment["segmentStart"]),
                    ];
                    let end = segment["segmentEnd"].as_str().map(str::to_owned);
                    assert!(facts.insert(identity.clone(), end).is_none(), "twice: {identity:?}");
                }
            }
        }
    }
    facts
}

/// A fact as the verdict takes it.
fn stored(identity: &[String; 4]) -> StoredFact {
    let [conversation, participant, session, start] = identity.clone();
    let digits = |range: std::ops::Range<usize>| start[range].parse::<i64>().unwrap();
    let of_day = (digits(11..13) * 60 + digits(14..16)) * 60 + digits(17..19);
    // By the day's own number, found by trying: there is no calendar here.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let today = now.as_secs() as i64 / 86_400;
    let day = (today - 1..=today + 1).find(|day| iso(day * 86_400)[..10] == start[..10]).unwrap();
    let segment_start_us = (day * 86_400 + of_day) * 1_000_000 + digits(20..23) * 1_000;
    StoredFact { conversation, participant, session, segment_start_us }
}

#[tokio::test]
async fn after_the_lag_history_has_every_fact_of_the_ledger_once() {
    // Long enough that the first walk is within it on a busy machine too.
    let settings = Settings { history_lag_ms: 1_000, ..settings() };
    let lag = std::time::Duration::from_millis(settings.history_lag_ms);
    let vendor = Vendor::start(settings).await.unwrap();
    let caller = Caller::new(&vendor).await;
    while vendor.truth().facts.len() < 400 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    vendor.stop_emission();
    // The lag of the newest is not over, so some may come to be shown between two pages.
    let early = facts(&pages(&caller, &around_now()).await.0);
    tokio::time::sleep(lag).await;
    let shown = facts(&walk(&caller, &around_now()).await);
    let truth = vendor.truth();
    assert!(early.len() < shown.len(), "the newest were not shown at once");
    assert_eq!(shown.len(), truth.facts.len());
    for fact in &truth.facts {
        let [conversation, participant, session] =
            [&fact.conversation, &fact.participant, &fact.session].map(Clone::clone);
        let is_it = |identity: &&[String; 4]| {
            identity[..3] == [conversation.clone(), participant.clone(), session.clone()]
        };
        let found = shown.iter().filter(|(identity, _)| is_it(identity));
        let ends = found.filter(|(_, end)| end.is_some() == fact.segment_end_us.is_some());
        assert!(ends.count() > 0, "{fact:?}");
    }
    let ended = shown.values().filter(|end| end.is_some()).count();
    assert_eq!(ended, truth.facts.iter().filter(|fact| fact.segment_end_us.is_some()).count());
    assert!(ended > 100 && ended < shown.len(), "some go on: {ended} of {}", shown.len());
    let held: Vec<StoredFact> = shown.keys().map(stored).collect();
    let verdict = judge_facts(&truth, &[(i64::MIN, i64::MAX)], &held);
    assert_eq!(verdict, FactVerdict { required: held.len() as u64, ..FactVerdict::default() });
    let noted = truth.history_pages.last().unwrap();
    assert_eq!((noted.total, noted.conversations.len()), (noted.total_told, 0));
}

#[tokio::test]
async fn an_interval_matches_by_the_day_of_start() {
    let days = Settings { day_ms: 200, history_lag_ms: 0, ..settings() };
    let vendor = Vendor::start(days).await.unwrap();
    let caller = Caller::new(&vendor).await;
    while vendor.truth().facts.len() < 300 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    vendor.stop_emission();
    let all = walk(&caller, &around_now()).await;
    let start = |one: &Value| one["conversationStart"].as_str().unwrap().to_owned();
    // An interval of a millisecond brings the whole day around it, and nothing else.
    let middle = start(&all[all.len() / 2]);
    let digits: u64 = middle[20..23].parse().unwrap();
    let next = format!("{}{:03}Z", &middle[..20], (digits + 1).min(999));
    let narrow: BTreeSet<String> =
        walk(&caller, &format!("{middle}/{next}")).await.iter().map(start).collect();
    assert!(narrow.contains(&middle) && narrow.len() > 1 && narrow.len() < all.len());
    let day = |text: &str| {
        text[..19].to_owned() + &(text[20..23].parse::<u64>().unwrap() / 200).to_string()
    };
    assert!(narrow.iter().all(|one| day(one) == day(&middle)), "{middle}: {narrow:?}");
    let of_day = all.iter().filter(|one| day(&start(one)) == day(&middle)).count();
    assert_eq!(walk(&caller, &format!("{middle}/{next}")).await.len(), of_day);
    assert_eq!(walk(&caller, EVER).await.len(), 0, "another year");
}

#[tokio::test]
async fn pages_have_an_order_and_a_default_size() {
    let vendor = Vendor::start(Settings { history_lag_ms: 0, ..settings() }).await.unwrap();
    let caller = Caller::new(&vendor).await;
    while vendor.truth().facts.len() < 300 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    vendor.stop_emission();
    let ids = |told: &Value| -> Vec<String> {
        let rows = told["conversations"].as_array().unwrap();
        rows.iter().map(|one| one["conversationId"].as_str().unwrap().to_owned()).collect()
    };
    let now = around_now();
    let told = caller.post(PATH, json!({"interval": now})).await.body;
    assert_eq!(ids(&told).len(), 25);
    assert_eq!(ids(&page(&caller, &now, 25, 1, "asc").await), ids(&told));
    let total = told["totalHits"].as_u64().unwrap();
    let mut falling = ids(&page(&caller, &now, 10, 1, "desc").await);
    falling.reverse();
    let rising = walk(&caller, &now).await;
    let last: Vec<String> = rising[rising.len() - 10..]
        .iter()
        .map(|one| one["conversationId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((falling, total), (last, rising.len() as u64));
    let mut unordered = BTreeSet::new();
    for number in 1..=total.div_ceil(30) {
        unordered.extend(ids(&page(&caller, &now, 30, number, "unordered").await));
    }
    assert_eq!(unordered.len() as u64, total, "pages do not overlap");
    for query in [
        json!({"interval": "x"}),
        json!({"interval": "2026-01-01T00:00Z/2026-06-01T00:00Z"}),
        json!({"interval": EVER, "paging": {"pageSize": 101}}),
        json!({"interval": EVER, "paging": {"pageNumber": 0}}),
        json!({"interval": EVER, "segmentFilters": [{"type": "and"}]}),
    ] {
        assert_eq!(caller.post(PATH, query.clone()).await.status, 400, "{query}");
    }
}
