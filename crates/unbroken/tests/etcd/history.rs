//! What etcd itself says has happened: its history, read by a watch of its own before it is
//! compacted, and not through the path that breaks.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::writer::Change;

/// How long the history may take to come.
const READ_MAX: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Line {
    result: Answer,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    canceled: bool,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    kv: Pair,
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    #[serde(default)]
    value: String,
    mod_revision: String,
}

/// All changes from one revision through another, by revision and key. The last one must be of a
/// watched key.
pub(crate) async fn history(port: u16, prefix: &str, from: u64, through: u64) -> Vec<Change> {
    let mut end = prefix.as_bytes().to_vec();
    *end.last_mut().expect("a prefix") += 1;
    let watch = json!({"create_request": {
        "key": STANDARD.encode(prefix),
        "range_end": STANDARD.encode(end),
        "start_revision": from.to_string(),
    }});
    let url = format!("http://127.0.0.1:{port}/v3/watch");
    let sent = reqwest::Client::new().post(url).json(&watch).send().await;
    let mut answer = sent.unwrap().error_for_status().unwrap();
    let mut line = Vec::new();
    let mut changes: Vec<Change> = Vec::new();
    while changes.last().is_none_or(|change| change.revision < through) {
        let chunk = timeout(READ_MAX, answer.chunk()).await.expect("etcd keeps its history back");
        let chunk = chunk.unwrap().expect("etcd ended the watch");
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let read: Line = serde_json::from_slice(&line).unwrap();
                assert!(!read.result.canceled, "etcd has compacted {from} already");
                changes.extend(read.result.events.into_iter().map(change));
                line.clear();
            }
        }
    }
    changes.retain(|change| change.revision <= through);
    changes.sort_by(|a, b| (a.revision, &a.key).cmp(&(b.revision, &b.key)));
    changes
}

fn change(event: Event) -> Change {
    let key = String::from_utf8(STANDARD.decode(event.kv.key).unwrap()).unwrap();
    let value = STANDARD.decode(event.kv.value).unwrap();
    let is_deleted = event.kind.as_deref() == Some("DELETE");
    let revision = event.kv.mod_revision.parse().unwrap();
    Change { revision, key, value: (!is_deleted).then_some(value) }
}
