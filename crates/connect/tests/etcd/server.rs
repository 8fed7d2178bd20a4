//! A real etcd server on a directory and ports of its own, killed when dropped.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// See the module.
pub(crate) struct Etcd {
    child: Child,
    pub(crate) port: u16,
    client: reqwest::Client,
    _dir: tempfile::TempDir,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Etcd {
    /// Starts a server. Another process may take the chosen ports first: then others are tried.
    pub(crate) async fn start() -> Self {
        for _ in 0..5 {
            if let Some(etcd) = Self::try_start().await {
                return etcd;
            }
        }
        panic!("etcd did not start; is Debian's etcd-server installed?");
    }

    async fn try_start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (port, peer_port) = (free_port(), free_port());
        let client_url = format!("http://127.0.0.1:{port}");
        let peer_url = format!("http://127.0.0.1:{peer_port}");
        let child = Command::new("etcd")
            .arg("--data-dir")
            .arg(dir.path())
            .args(["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url])
            .args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url])
            .args(["--initial-cluster", &format!("default={peer_url}"), "--unsafe-no-fsync"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd must be installed (Debian: etcd-server)");
        let mut etcd = Self { child, port, client: reqwest::Client::new(), _dir: dir };
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if etcd.child.try_wait().unwrap().is_some() {
                return None;
            }
            if etcd.post("/v3/kv/range", json!({"key": "AA=="})).await.is_some() {
                return Some(etcd);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }

    async fn post(&self, path: &str, body: Value) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let answer = self.client.post(url).json(&body).send().await.ok()?;
        answer.json().await.ok()
    }

    /// Sets a key and returns the revision.
    pub(crate) async fn put(&self, key: &str, value: &str) -> u64 {
        revision(self.post("/v3/kv/put", put(key, value)).await)
    }

    /// Deletes a key and returns the revision.
    pub(crate) async fn delete(&self, key: &str) -> u64 {
        revision(self.post("/v3/kv/deleterange", json!({"key": STANDARD.encode(key)})).await)
    }

    /// Sets several keys in one transaction and returns the revision.
    pub(crate) async fn put_all(&self, pairs: &[(&str, &str)]) -> u64 {
        let puts: Vec<Value> =
            pairs.iter().map(|(key, value)| json!({"request_put": put(key, value)})).collect();
        revision(self.post("/v3/kv/txn", json!({"success": puts})).await)
    }

    /// Compacts everything superseded before a revision.
    pub(crate) async fn compact(&self, revision: u64) {
        let body = json!({"revision": revision.to_string(), "physical": true});
        self.post("/v3/kv/compaction", body).await.unwrap();
    }
}

fn put(key: &str, value: &str) -> Value {
    json!({"key": STANDARD.encode(key), "value": STANDARD.encode(value)})
}

fn revision(answer: Option<Value>) -> u64 {
    answer.unwrap()["header"]["revision"].as_str().unwrap().parse().unwrap()
}
