//! A client that always comes back, by the simplest rules that work. It is no model of a good one:
//! it only gives every fault the chance to show itself.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;
use unbroken_sim::Vendor;

use crate::client::{AGAIN, Stream, is_event, page, token_at_last};

/// Silence after which it leaves: more than four heartbeats of the tests' vendors.
const SILENCE: Duration = Duration::from_millis(300);

/// Follows until dropped.
pub(crate) async fn follow(vendor: &Vendor) {
    let mut access = token_at_last(vendor).await;
    let mut after = None;
    loop {
        let mut stream = match Stream::try_open(vendor, &access).await {
            Ok(stream) => stream,
            Err((401, _)) => {
                access = token_at_last(vendor).await;
                continue;
            }
            Err((0 | 429 | 503, _)) => {
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            Err(_) => {
                after = baseline(vendor, &mut access).await;
                continue;
            }
        };
        let Some(answer) = ask(&mut stream, after).await else { continue };
        if answer["type"] == "error" {
            after = baseline(vendor, &mut access).await;
            continue;
        }
        if let Some(last) = listen(&mut stream).await {
            after = Some(last);
        }
        if vendor.numbering().is_positioned() {
            continue;
        }
        baseline(vendor, &mut access).await;
    }
}

async fn ask(stream: &mut Stream, after: Option<u64>) -> Option<Value> {
    let message = match after {
        Some(position) => serde_json::json!({
            "action": "subscribe", "payload": {"sequenceId": position}
        }),
        None => serde_json::json!({"action": "subscribe"}),
    };
    stream.try_say(message).await?;
    loop {
        let message = timeout(SILENCE, stream.next()).await.ok()?.ok()?;
        if message["type"] == "subscribed" || message["type"] == "error" {
            return Some(message);
        }
    }
}

/// Reads events until the socket ends, or says nothing, or shows no event; returns the last
/// position.
async fn listen(stream: &mut Stream) -> Option<u64> {
    let (mut last, mut heartbeats) = (None, 0);
    while let Ok(Ok(message)) = timeout(SILENCE, stream.next()).await {
        if is_event(&message) {
            heartbeats = 0;
            last = last.max(message["sequenceId"].as_u64());
        } else if message["type"] == "heartbeat" {
            heartbeats += 1;
        }
        if heartbeats > 5 {
            break;
        }
    }
    last
}

/// Walks through all pages; returns the lowest position on them.
async fn baseline(vendor: &Vendor, access: &mut String) -> Option<u64> {
    let (mut offset, mut lowest) = (0, None);
    loop {
        let (status, body) = page(vendor, access, &format!("?limit=100&offset={offset}")).await;
        if status == 401 || status == 403 {
            *access = token_at_last(vendor).await;
            continue;
        }
        if status != 200 || body.is_string() {
            tokio::time::sleep(AGAIN).await;
            (offset, lowest) = (0, None);
            continue;
        }
        let rows = body["schedules"].as_array().map_or(0, Vec::len);
        let position = body["sequenceId"].as_u64();
        lowest = lowest.min(position).or(position);
        offset += rows;
        if rows == 0 || offset as u64 >= body["total"].as_u64().unwrap_or(0) {
            return lowest;
        }
    }
}
