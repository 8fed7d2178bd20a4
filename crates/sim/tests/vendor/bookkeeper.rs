//! A client that keeps books, for a contiguous vendor whose acknowledgements name the position: it
//! stores each event once and in order, and writes down what it could not have.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::timeout;
use unbroken_sim::Vendor;
use unbroken_sim::verdict::{Evidence, LedgerRow, Origin, Outcome, Place, Stored};

use crate::client::{AGAIN, Stream, is_event, page, sequence, token_at_last};

/// Silence after which it leaves: more than four heartbeats of the tests' vendors.
const SILENCE: Duration = Duration::from_millis(300);
/// Heartbeats without an event after which it leaves.
const HEARTBEATS: u32 = 5;
/// Events that may wait behind a hole before it is taken for a loss and asked for again.
const HELD: usize = 20;

#[derive(Default)]
pub(crate) struct Bookkeeper {
    pub(crate) evidence: Evidence,
    is_careless: bool,
    names: Vec<String>,
    /// Number of the present numbering, and the last position stored or given up.
    stands: Option<Place>,
    access: String,
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64
}

impl Bookkeeper {
    /// One that takes what comes, drops nothing and writes no ledger.
    pub(crate) fn careless() -> Self {
        Self { is_careless: true, ..Self::default() }
    }

    /// Follows until dropped.
    pub(crate) async fn follow(&mut self, vendor: &Vendor) {
        let mut refused = false;
        loop {
            let mut stream = match Stream::try_open(vendor, &self.access).await {
                Ok(stream) => stream,
                Err((401, _)) => {
                    self.access = token_at_last(vendor).await;
                    continue;
                }
                Err(_) => {
                    // Any page will do to be let in again.
                    page(vendor, &self.access, "?limit=1").await;
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            };
            let after = self.stands.filter(|_| !refused).map(|place| place.sequence);
            match ask(&mut stream, after).await {
                Some(answer) if answer["type"] == "subscribed" => {
                    refused = false;
                    self.stand(&answer);
                    self.listen(&mut stream, &answer).await;
                }
                Some(_) => refused = true,
                None => {}
            }
        }
    }

    /// Takes the place that the acknowledgement names; what lies between is written off.
    fn stand(&mut self, answer: &Value) {
        let epoch = self.epoch(answer["epoch"].as_str().unwrap());
        let place = Place { epoch, sequence: sequence(answer) };
        let before = self.stands.replace(place);
        if before == Some(place) || self.is_careless {
            return;
        }
        self.evidence.ledger.push(LedgerRow {
            stream: "test".into(),
            after: before,
            through: Some(place),
            wall_from_us: now_us(),
            wall_to_us: Some(now_us()),
            outcome: Outcome::Unrecoverable,
            cause: "asked elsewhere".into(),
        });
    }

    fn epoch(&mut self, name: &str) -> u32 {
        let known = self.names.iter().position(|known| known == name);
        let index = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        index as u32
    }

    async fn listen(&mut self, stream: &mut Stream, answer: &Value) {
        let mut held = BTreeMap::new();
        let mut heartbeats = 0;
        while let Ok(Ok(message)) = timeout(SILENCE, stream.next()).await {
            if is_event(&message) {
                heartbeats = 0;
                if self.is_careless {
                    self.store(&message);
                } else if message["subscriptionId"] == answer["subscriptionId"] {
                    self.take(message, &mut held);
                }
            } else if message["type"] == "heartbeat" {
                heartbeats += 1;
            }
            if heartbeats > HEARTBEATS || held.len() > HELD {
                return;
            }
        }
    }

    /// Stores the event when its turn has come.
    fn take(&mut self, message: Value, held: &mut BTreeMap<u64, Value>) {
        let Some(mut stands) = self.stands else { return };
        if sequence(&message) <= stands.sequence {
            return;
        }
        held.insert(sequence(&message), message);
        while let Some(next) = held.remove(&(stands.sequence + 1)) {
            self.store(&next);
            stands.sequence += 1;
        }
        self.stands = Some(stands);
    }

    fn store(&mut self, message: &Value) {
        let name = message["epoch"].as_str().unwrap();
        let epoch = self.epoch(name);
        if self.is_careless {
            self.stands = Some(Place { epoch, sequence: sequence(message) });
        }
        self.evidence.stored.push(Stored {
            stream: "test".into(),
            epoch,
            epoch_name: Some(name.to_owned()),
            sequence: Some(sequence(message)),
            key: message["adherence"]["agentId"].as_str().unwrap().to_owned(),
            ordinal: 0,
            deleted: message["type"] == "removed",
            payload: in_the_vendors_order(&message["adherence"]),
            origin: Origin::Live,
            is_state: true,
            occurred_us: None,
            received_us: now_us(),
            offset: self.evidence.stored.len() as u64,
        });
    }
}

/// The tests' JSON reader sorts members; the rules say in which order the vendor writes them.
fn in_the_vendors_order(body: &Value) -> Bytes {
    let names = ["agentId", "state", "activity", "scheduledActivity", "since", "inAdherence"];
    let members = names
        .iter()
        .filter_map(|name| body.get(name).map(|value| format!("{}:{value}", json!(name))));
    Bytes::from(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
}

async fn ask(stream: &mut Stream, after: Option<u64>) -> Option<Value> {
    let payload = match after {
        Some(position) => json!({"sequenceId": position}),
        None => json!({}),
    };
    stream.try_say(json!({"action": "subscribe", "payload": payload})).await?;
    loop {
        let message = timeout(SILENCE, stream.next()).await.ok()?.ok()?;
        if message["type"] == "subscribed" || message["type"] == "error" {
            return Some(message);
        }
    }
}
