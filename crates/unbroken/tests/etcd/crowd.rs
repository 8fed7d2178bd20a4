//! Who changes the keys: many connections to the server itself, not through the path that breaks,
//! and an account of what etcd has answered. Knows nothing of Unbroken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::plan::Size;
use crate::writer::{Change, put_body, revision};

/// Connections that write at the same time.
const HANDS: u64 = 16;
/// Keys of a transaction.
const KEYS_TOGETHER: usize = 3;
/// Longest value of the everyday changes.
const VALUE_BYTES_MAX: usize = 200;

/// A change as it is meant.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Put(Vec<u8>),
    /// Where the key is not there, nothing can be deleted: then this is put.
    DeleteOrPut(Vec<u8>),
}

/// Keys that are changed together.
type Operation = Vec<(String, Write)>;

/// See the module.
pub(crate) struct Crowd {
    work: Arc<Work>,
    _hands: JoinSet<()>,
}

struct Work {
    client: reqwest::Client,
    url: String,
    operations: Mutex<Vec<Operation>>,
    granted: Semaphore,
    done: AtomicUsize,
    account: Mutex<Vec<Change>>,
}

impl Crowd {
    /// A crowd with all its operations before it, in the seed's order. It waits to be let.
    pub(crate) fn gather(port: u16, rng: &mut Rng, prefix: &str, size: &Size) -> Self {
        let keys: Vec<String> = (0..size.keys).map(|n| format!("{prefix}{n:03} Zoë/β")).collect();
        let mut counts = vec![1; size.changes];
        counts.resize(size.changes + size.transactions, KEYS_TOGETHER);
        rng.shuffle(&mut counts);
        let operations = counts.into_iter().map(|count| operation(rng, &keys, count)).collect();
        let work = Arc::new(Work {
            client: reqwest::Client::new(),
            url: format!("http://127.0.0.1:{port}/v3/kv/txn"),
            operations: Mutex::new(operations),
            granted: Semaphore::new(0),
            done: AtomicUsize::new(0),
            account: Mutex::default(),
        });
        let mut hands = JoinSet::new();
        for _ in 0..HANDS {
            hands.spawn(work_on(Arc::clone(&work)));
        }
        Self { work, _hands: hands }
    }

    /// Lets it begin so many more operations.
    pub(crate) fn grant(&self, operations: usize) {
        self.work.granted.add_permits(operations);
    }

    /// How many operations etcd has answered.
    pub(crate) fn done(&self) -> usize {
        self.work.done.load(Ordering::SeqCst)
    }

    /// Waits until so many are done, all in all.
    pub(crate) async fn until_done(&self, operations: usize) {
        while self.done() < operations {
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// One transaction of somebody's own choice, beside what the crowd does.
    pub(crate) async fn transact(&self, writes: Vec<(String, Write)>) -> u64 {
        self.work.perform(writes).await
    }

    /// The same, while the caller does something else.
    pub(crate) fn transact_aside(&self, writes: Vec<(String, Write)>) -> JoinHandle<u64> {
        let work = Arc::clone(&self.work);
        tokio::spawn(async move { work.perform(writes).await })
    }

    /// Every change by its revision, and those of one revision by their key.
    pub(crate) fn account(&self) -> Vec<Change> {
        let mut account = self.work.account.lock().unwrap().clone();
        account.sort_by(|a, b| (a.revision, &a.key).cmp(&(b.revision, &b.key)));
        account
    }

    /// The last revision that etcd has answered with.
    pub(crate) fn revision(&self) -> u64 {
        let account = self.work.account.lock().unwrap();
        account.iter().map(|change| change.revision).max().unwrap_or(0)
    }
}

/// What the changes add up to: each key's value and the revision that wrote it.
pub(crate) fn sum(changes: &[Change]) -> BTreeMap<String, (Vec<u8>, u64)> {
    let mut state = BTreeMap::new();
    for change in changes {
        match &change.value {
            Some(value) => {
                state.insert(change.key.clone(), (value.clone(), change.revision));
            }
            None => drop(state.remove(&change.key)),
        }
    }
    state
}

fn operation(rng: &mut Rng, keys: &[String], count: usize) -> Operation {
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < count {
        let at = rng.usize(..keys.len());
        if !chosen.contains(&at) {
            chosen.push(at);
        }
    }
    // At most one of them is a deletion: whether it can be is one condition of the whole.
    let deleted = (rng.u8(..6) == 0).then(|| rng.usize(..count));
    let write = |(nth, at): (usize, usize)| {
        // All bytes, and none at all.
        let value: Vec<u8> = (0..rng.usize(..VALUE_BYTES_MAX)).map(|_| rng.u8(..)).collect();
        let is_deleted = deleted == Some(nth);
        let write = if is_deleted { Write::DeleteOrPut(value) } else { Write::Put(value) };
        (keys[at].clone(), write)
    };
    chosen.into_iter().enumerate().map(write).collect()
}

async fn work_on(work: Arc<Work>) {
    loop {
        let Ok(granted) = work.granted.acquire().await else { return };
        granted.forget();
        let Some(operation) = work.operations.lock().unwrap().pop() else { return };
        work.perform(operation).await;
        work.done.fetch_add(1, Ordering::SeqCst);
    }
}

impl Work {
    /// Carries it out, and notes what etcd says has happened. Gives the revision.
    async fn perform(&self, operation: Operation) -> u64 {
        let there = operation.iter().filter(|(_, write)| matches!(write, Write::DeleteOrPut(_)));
        let there = there.map(|(key, _)| {
            let key = STANDARD.encode(key);
            json!({"key": key, "target": "VERSION", "result": "GREATER", "version": "0"})
        });
        let there: Vec<Value> = there.collect();
        // Without a condition nothing can fail, and large values are sent once.
        let failure = if there.is_empty() { Vec::new() } else { requests(&operation, false) };
        let success = requests(&operation, true);
        let body = json!({"compare": there, "success": success, "failure": failure});
        let answer = self.client.post(&self.url).json(&body).send().await.unwrap();
        let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
        let (revision, is_there) = (revision(&answer), answer["succeeded"] == true);
        let mut account = self.account.lock().unwrap();
        for (key, write) in operation {
            let value = match write {
                Write::DeleteOrPut(_) if is_there => None,
                Write::DeleteOrPut(value) | Write::Put(value) => Some(value),
            };
            account.push(Change { revision, key, value });
        }
        revision
    }
}

fn requests(operation: &[(String, Write)], is_there: bool) -> Vec<Value> {
    let request = |(key, write): &(String, Write)| match write {
        Write::DeleteOrPut(_) if is_there => {
            json!({"request_delete_range": {"key": STANDARD.encode(key)}})
        }
        Write::DeleteOrPut(value) | Write::Put(value) => {
            json!({"request_put": put_body(key, value)})
        }
    };
    operation.iter().map(request).collect()
}
