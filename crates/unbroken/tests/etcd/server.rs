//! A real etcd server on a directory and ports of its own, killed when dropped, and `etcdctl`.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::ports::free_port;

const START_MAX: Duration = Duration::from_secs(20);
const INSTALL: &str = "this test needs a real etcd; `make setup` installs it (Debian: etcd-server \
                       and etcd-client)";

/// See the module.
pub(crate) struct Etcd {
    child: Child,
    pub(crate) port: u16,
    peer_port: u16,
    dir: tempfile::TempDir,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Etcd {
    /// Starts a server. Another process may take the chosen ports first: then others are tried.
    pub(crate) fn start() -> Self {
        (0..5).find_map(|_| Self::try_start()).expect("etcd was found but did not start")
    }

    fn try_start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (port, peer_port) = (free_port(), free_port());
        let child = spawn(dir.path(), port, peer_port);
        let mut etcd = Self { child, port, peer_port, dir };
        etcd.answers().then_some(etcd)
    }

    /// Whether it answers before it ends.
    fn answers(&mut self) -> bool {
        let deadline = Instant::now() + START_MAX;
        while Instant::now() < deadline && self.child.try_wait().unwrap().is_none() {
            if self.etcdctl(&["endpoint", "health"]).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    /// SIGKILL, and another life on the same directory and ports. What it has answered is in the
    /// system's memory, so it must remember it.
    pub(crate) fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(self.dir.path(), self.port, self.peer_port);
        assert!(self.answers(), "etcd did not start again");
    }

    /// Forgets every revision before this one that was superseded.
    pub(crate) fn compact(&self, revision: u64) {
        self.etcdctl(&["compaction", "--physical", &revision.to_string()]).unwrap();
    }

    /// Runs `etcdctl` and gives its output, or what it complained of.
    fn etcdctl(&self, args: &[&str]) -> Result<Vec<u8>, String> {
        let ran = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &format!("http://127.0.0.1:{}", self.port)])
            .args(args)
            .output();
        let output = match ran {
            Err(error) if error.kind() == ErrorKind::NotFound => panic!("{INSTALL}"),
            ran => ran.unwrap(),
        };
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// The revision that it has come to, whether or not a writer has been answered yet.
    pub(crate) fn revision(&self) -> u64 {
        self.get(&["get", "any", "--limit", "1"]).header.revision
    }

    /// What `etcdctl get --prefix` shows: each key's value and the revision that wrote it.
    pub(crate) fn state(&self, prefix: &str) -> BTreeMap<String, (Vec<u8>, u64)> {
        let pairs = self.get(&["get", "--prefix", prefix]).kvs.into_iter().map(|pair| {
            let key = String::from_utf8(STANDARD.decode(pair.key).unwrap()).unwrap();
            (key, (STANDARD.decode(pair.value).unwrap(), pair.mod_revision))
        });
        pairs.collect()
    }

    fn get(&self, args: &[&str]) -> Shown {
        let shown = self.etcdctl(&[args, &["--write-out", "json"]].concat()).unwrap();
        serde_json::from_slice(&shown).unwrap()
    }
}

fn spawn(dir: &Path, port: u16, peer_port: u16) -> Child {
    let client_url = format!("http://127.0.0.1:{port}");
    let peer_url = format!("http://127.0.0.1:{peer_port}");
    let spawned = Command::new("etcd")
        .arg("--data-dir")
        .arg(dir)
        .args(["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url])
        .args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url])
        // It is never cut off from power here, and so can be as quick as memory.
        .args(["--initial-cluster", &format!("default={peer_url}"), "--unsafe-no-fsync"])
        // For transactions whose records take a while to be written.
        .args(["--max-request-bytes", "4194304"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match spawned {
        Err(error) if error.kind() == ErrorKind::NotFound => panic!("{INSTALL}"),
        spawned => spawned.unwrap(),
    }
}

#[derive(Deserialize)]
struct Shown {
    header: Header,
    #[serde(default)]
    kvs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Header {
    revision: u64,
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    #[serde(default)]
    value: String,
    mod_revision: u64,
}
