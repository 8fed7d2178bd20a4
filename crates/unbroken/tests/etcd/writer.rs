//! Who changes the keys: writes to the server itself, not through the path that is cut, and keeps
//! account of what it wrote. Knows nothing of Unbroken.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// One change of one key; without a value it was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) key: String,
    pub(crate) value: Option<Vec<u8>>,
}

/// What to do with one key in a transaction.
pub(crate) enum Write<'a> {
    Put(&'a str, &'a [u8]),
    Delete(&'a str),
}

/// See the module.
pub(crate) struct Writer {
    client: reqwest::Client,
    base: String,
    /// Every change under the prefix, in the order of its making.
    pub(crate) changes: Vec<Change>,
    present: BTreeSet<String>,
}

impl Writer {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            client: reqwest::Client::new(),
            base: format!("http://127.0.0.1:{port}/v3/kv/"),
            changes: Vec::new(),
            present: BTreeSet::new(),
        }
    }

    /// The revision of the last change.
    pub(crate) fn revision(&self) -> u64 {
        self.changes.last().map_or(0, |change| change.revision)
    }

    pub(crate) async fn put(&mut self, key: &str, value: &[u8]) {
        let answer = self.post("put", put_body(key, value)).await;
        self.note(revision(&answer), key, Some(value));
    }

    pub(crate) async fn delete(&mut self, key: &str) {
        let answer = self.post("deleterange", json!({"key": STANDARD.encode(key)})).await;
        assert_eq!(answer["deleted"], "1", "{key}");
        self.note(revision(&answer), key, None);
    }

    /// Several keys in one transaction: one revision. A key may be named once.
    pub(crate) async fn transact(&mut self, writes: &[Write<'_>]) {
        let requests: Vec<Value> = writes.iter().map(request).collect();
        let answer = self.post("txn", json!({ "success": requests })).await;
        let revision = revision(&answer);
        for write in writes {
            match *write {
                Write::Put(key, value) => self.note(revision, key, Some(value)),
                // Nothing happens to a key that is not there.
                Write::Delete(key) if !self.present.contains(key) => {}
                Write::Delete(key) => self.note(revision, key, None),
            }
        }
    }

    /// Moves the revision without a change under the prefix.
    pub(crate) async fn put_elsewhere(&self) {
        self.post("put", put_body("elsewhere", b"not watched")).await;
    }

    /// Forgets every revision before this one that was superseded.
    pub(crate) async fn compact(&self, revision: u64) {
        let body = json!({"revision": revision.to_string(), "physical": true});
        self.post("compaction", body).await;
    }

    fn note(&mut self, revision: u64, key: &str, value: Option<&[u8]>) {
        match value {
            Some(_) => self.present.insert(key.to_owned()),
            None => self.present.remove(key),
        };
        let value = value.map(ToOwned::to_owned);
        self.changes.push(Change { revision, key: key.to_owned(), value });
    }

    async fn post(&self, what: &str, body: Value) -> Value {
        let request = self.client.post(format!("{}{what}", self.base)).json(&body);
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        answer.json().await.unwrap()
    }
}

fn request(write: &Write<'_>) -> Value {
    match *write {
        Write::Put(key, value) => json!({ "request_put": put_body(key, value) }),
        Write::Delete(key) => {
            json!({ "request_delete_range": { "key": STANDARD.encode(key) } })
        }
    }
}

pub(crate) fn put_body(key: &str, value: &[u8]) -> Value {
    json!({"key": STANDARD.encode(key), "value": STANDARD.encode(value)})
}

/// The revision that an answer names.
pub(crate) fn revision(answer: &Value) -> u64 {
    let revision = answer["header"]["revision"].as_str();
    revision.and_then(|revision| revision.parse().ok()).expect("etcd names a revision")
}
