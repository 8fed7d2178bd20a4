//! A client that records every kind of event, each as a stream of its own, and keeps a ledger of
//! what it cannot know, or does not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use unbroken_sim::Vendor;
use unbroken_sim::verdict::{Evidence, FinalValue, LedgerRow, Origin, Outcome, Stored};

use crate::client::{Caller, Socket, all_topics, key_of};

/// Between two tries of a client that was refused.
const AGAIN: Duration = Duration::from_millis(40);
/// Without any frame for so long the socket is dead; heartbeats come each 60 ms.
const SILENCE: Duration = Duration::from_millis(400);
/// Without an event for so long the subscription is.
const DEAF_US: i64 = 600_000;
/// The kinds of keys; of the first alone there is a baseline.
const KINDS: [&str; 5] = ["adherence", "presence", "routing", "activity", "conversation"];

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64
}

pub(crate) struct Bookkeeper {
    pub(crate) evidence: Evidence,
    /// Whether intervals without cover are written down.
    keeps_ledger: bool,
    state: BTreeMap<String, Bytes>,
    /// Keys that no event has told of since a gap, and of which there is no baseline.
    stale: BTreeSet<String>,
    /// By key: the last event on the present socket.
    last: BTreeMap<String, Value>,
    /// The last moment that was covered.
    covered_us: Option<i64>,
}

impl Bookkeeper {
    pub(crate) fn new(keeps_ledger: bool) -> Self {
        Self {
            evidence: Evidence::default(),
            keeps_ledger,
            state: BTreeMap::new(),
            stale: BTreeSet::new(),
            last: BTreeMap::new(),
            covered_us: None,
        }
    }

    /// Its record, with the state at the end.
    pub(crate) fn hand_in(mut self) -> Evidence {
        let values = self.state.into_iter().map(|(key, payload)| FinalValue {
            is_marked_stale: self.stale.contains(&key),
            key,
            payload: Some(payload),
        });
        self.evidence.state = values.collect();
        self.evidence
    }

    /// Records until dropped.
    pub(crate) async fn follow(&mut self, vendor: &Vendor) {
        let mut token = None;
        let mut channel = None;
        loop {
            let known = match token.take() {
                Some(caller) => Some(caller),
                None => Caller::try_new(vendor).await,
            };
            let Some(caller) = known else {
                sleep(AGAIN).await;
                continue;
            };
            match self.record(vendor, &caller, &mut channel).await {
                // The token was refused.
                Some(401) => {}
                _ => token = Some(caller),
            }
            sleep(AGAIN).await;
        }
    }

    /// Connects, reads the state, and follows the socket to its end; returns the status of a
    /// refusal.
    async fn record(
        &mut self,
        vendor: &Vendor,
        caller: &Caller,
        channel: &mut Option<String>,
    ) -> Option<u16> {
        if let Some(id) = channel.as_ref() {
            match caller.head(id).await {
                200 => {}
                404 => *channel = None,
                status => return Some(status),
            }
        }
        if channel.is_none() {
            *channel = Some(self.make_channel(vendor, caller).await?);
        }
        let id = channel.clone()?;
        let mut socket = match Socket::open(&format!("{}/channels/{id}", vendor.ws_url)).await {
            Ok(socket) => socket,
            Err(404) => {
                *channel = None;
                return Some(404);
            }
            Err(status) => return Some(status),
        };
        self.last.clear();
        self.covered_us.get_or_insert_with(now_us);
        // Events are stored as they come, whatever becomes of the state that is read beside them.
        let mut asking = Box::pin(async {
            let rows = read_state(vendor, caller).await;
            look_back(vendor, caller).await;
            rows
        });
        let mut heard_us = now_us();
        let mut is_complete = false;
        loop {
            let frame = tokio::select! {
                rows = &mut asking, if !is_complete => {
                    match rows {
                        Ok(rows) => self.take_rows(rows),
                        Err(status) => return Some(status),
                    }
                    is_complete = true;
                    continue;
                }
                frame = timeout(SILENCE, socket.next_text()) => frame,
            };
            let Ok(Ok(text)) = frame else { return None };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["metadata"].is_object() {
                heard_us = now_us();
                self.take(&message, Bytes::from(text));
                if is_complete {
                    self.covered_us = Some(heard_us);
                }
            } else if message["topicName"] == "v2.system.socket_closing" {
                return None;
            } else if now_us() - heard_us > DEAF_US {
                *channel = None;
                return None;
            }
        }
    }

    /// A channel with every topic, or nothing.
    async fn make_channel(&mut self, vendor: &Vendor, caller: &Caller) -> Option<String> {
        let made = caller.call(Method::POST, "/api/v2/notifications/channels", None).await;
        let id = made.body["id"].as_str()?.to_owned();
        let wanted = all_topics(vendor);
        caller.put(&id, &wanted, "?ignoreErrors=true").await;
        let path = format!("/api/v2/notifications/channels/{id}/subscriptions");
        let told = caller.get(&path).await;
        let rows = told.body["entities"].as_array()?;
        let had: BTreeSet<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
        wanted.iter().all(|topic| had.contains(topic.as_str())).then_some(id)
    }

    /// What the baseline shows of agents of whom no event has come since the socket was opened.
    fn take_rows(&mut self, rows: Vec<(String, Bytes)>) {
        let shown: BTreeSet<String> = rows.iter().map(|(key, _)| key.clone()).collect();
        let last = &self.last;
        self.state
            .retain(|key, _| !has_baseline(key) || shown.contains(key) || last.contains_key(key));
        for (key, row) in rows {
            if !self.last.contains_key(&key) {
                self.store(key, row, Origin::Snapshot, false);
            }
        }
        self.close_gap();
    }

    /// One event, unless it repeats the key's last one on this socket.
    fn take(&mut self, message: &Value, text: Bytes) {
        let body = &message["eventBody"];
        let key = key_of(message);
        if self.last.insert(key.clone(), body.clone()).as_ref() != Some(body) {
            let is_over = |all: &Vec<Value>| all.iter().all(|one| one["endTime"].is_string());
            let is_gone = body["removedFromManagementUnit"] == true
                || body["participants"].as_array().is_some_and(is_over);
            self.store(key, text, Origin::Live, is_gone);
        }
    }

    fn store(&mut self, key: String, payload: Bytes, origin: Origin, deleted: bool) {
        self.stale.remove(&key);
        if deleted {
            self.state.remove(&key);
        } else {
            self.state.insert(key.clone(), payload.clone());
        }
        self.evidence.stored.push(Stored {
            stream: stream_of(&key),
            epoch: 0,
            epoch_name: None,
            sequence: None,
            key,
            ordinal: 0,
            deleted,
            payload,
            origin,
            is_state: true,
            occurred_us: None,
            received_us: now_us(),
            offset: self.evidence.stored.len() as u64,
        });
    }

    fn close_gap(&mut self) {
        let now_us = now_us();
        let Some(covered_us) = self.covered_us.replace(now_us) else { return };
        if !self.keeps_ledger {
            return;
        }
        let untold = |key: &&String| !has_baseline(key) && !self.last.contains_key(*key);
        self.stale.extend(self.state.keys().filter(untold).cloned());
        self.evidence.ledger.extend(KINDS.map(|kind| LedgerRow {
            stream: stream_of(kind),
            after: None,
            through: None,
            wall_from_us: covered_us,
            wall_to_us: Some(now_us),
            outcome: Outcome::Unproven,
            cause: "outage".to_owned(),
        }));
    }
}

fn has_baseline(key: &str) -> bool {
    key.starts_with(KINDS[0])
}

fn stream_of(key: &str) -> String {
    format!("genesys/{}", key.split('/').next().unwrap())
}

/// The rows of all users, by key.
async fn read_state(vendor: &Vendor, caller: &Caller) -> Result<Vec<(String, Bytes)>, u16> {
    let users = vendor.account().users;
    let query: Vec<String> = users.iter().map(|user| format!("userId={user}")).collect();
    let path = format!("/api/v2/workforcemanagement/adherence?{}", query.join("&"));
    let told = caller.get(&path).await;
    let rows: Vec<&serde_json::value::RawValue> =
        serde_json::from_str(&told.text).map_err(|_| told.status)?;
    if told.status != 200 {
        return Err(told.status);
    }
    let keyed = rows.into_iter().map(|row| {
        let parsed: Value = serde_json::from_str(row.get()).unwrap();
        let key = format!("adherence/{}", parsed["user"]["id"].as_str().unwrap());
        (key, Bytes::copy_from_slice(row.get().as_bytes()))
    });
    Ok(keyed.collect())
}

/// Reads a listing and a page of history, whatever they say.
async fn look_back(vendor: &Vendor, caller: &Caller) {
    let unit = &vendor.account().units[0].0;
    let path = format!("/api/v2/workforcemanagement/managementunits/{unit}/adherence");
    caller.get(&path).await;
    let query = json!({"interval": "2026-01-01T00:00Z/2026-01-02T00:00Z"});
    for _ in 0..2 {
        caller.post("/api/v2/analytics/conversations/details/query", query.clone()).await;
    }
}
