//! The service under test: the real binary on a data directory, killed and started again.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_unbroken");

/// The signals by which it is killed, as Linux numbers them.
pub(crate) const SIGKILL: i32 = 9;
/// A file would become longer than it may.
pub(crate) const SIGXFSZ: i32 = 25;

/// A service that is told to stop is gone within this time.
const STOP_MAX: Duration = Duration::from_secs(5);

/// How long a test waits for what must happen. Only a test that fails waits so long.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct Service {
    dir: tempfile::TempDir,
    child: Child,
}

impl Service {
    /// Starts it on a new data directory, to watch a prefix through a port. It has deadlines as
    /// for a real server: a busy machine is not an outage.
    pub(crate) fn start(port: u16, prefix: &str) -> Self {
        Self::start_with(port, prefix, "connect_ms = 10_000\nidle_ms = 10_000\nprove_ms = 5_000")
    }

    /// The same, but it is quick to notice silence.
    pub(crate) fn start_alert(port: u16, prefix: &str) -> Self {
        let timing = "connect_ms = 3_000\nidle_ms = 1_500\nping_ms = 400\nprove_ms = 10_000";
        Self::start_with(port, prefix, timing)
    }

    fn start_with(port: u16, prefix: &str, timing: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // The demo's short delays, so that an outage is over soon.
        let config = format!(
            r#"
            data_dir = "data"
            [[source]]
            name = "etcd"
            api = "http://127.0.0.1:{port}"
            stream = "ws://127.0.0.1:{port}"
            [source.profile]
            extends = "etcd"
            variables = {{ prefix = "{prefix}" }}
            [source.timing]
            preset = "demo"
            subscribe_ms = 10_000
            grace_ms = 2_000
            page_ms = 10_000
            {timing}
            "#
        );
        Self::start_in(dir, &config)
    }

    /// Starts it in a directory, where its data directory is to be `data`.
    pub(crate) fn start_in(dir: tempfile::TempDir, config: &str) -> Self {
        std::fs::write(dir.path().join("unbroken.toml"), config).unwrap();
        let child = spawn(&dir);
        Self { dir, child }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// SIGKILL, and at once another life on the same directory.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.kill().await;
        self.start_again();
    }

    /// SIGKILL; when this returns it is dead.
    pub(crate) async fn kill(&mut self) {
        self.send_kill();
        self.until_killed_by(SIGKILL).await;
    }

    /// Sends SIGKILL, now.
    pub(crate) fn send_kill(&mut self) {
        self.child.start_kill().unwrap();
    }

    /// Waits until it is dead.
    pub(crate) async fn until_killed_by(&mut self, signal: i32) {
        let ended = timeout(WAIT_MAX, self.child.wait()).await.expect("it lives on").unwrap();
        assert_eq!(ended.signal(), Some(signal), "{ended}\n{}", self.log());
    }

    /// From now on the system kills it ([`SIGXFSZ`]) when it writes to a file beyond this byte;
    /// what comes before it is still written.
    pub(crate) async fn limit_files(&self, bytes: u64) {
        let pid = self.child.id().expect("it runs").to_string();
        let limits = [format!("--fsize={bytes}:{bytes}"), "--core=0:0".to_owned()];
        let told = Command::new("prlimit").args(["--pid", &pid]).args(limits).status().await;
        assert!(told.expect("prlimit is a part of util-linux").success());
    }

    /// Another life on the same directory.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(&self.dir);
    }

    /// Runs a command on the data directory.
    pub(crate) async fn ask(&self, args: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(args).arg("--dir").arg(self.data_dir()).env("NO_COLOR", "1");
        command.output().await.unwrap()
    }

    /// Waits until the stream is live.
    pub(crate) async fn until_live(&mut self) {
        self.until("live", |stream| stream["phase"] == "live").await;
    }

    /// Waits until it is live and holds everything up to a revision durably.
    pub(crate) async fn until_durable(&mut self, revision: u64) {
        let what = format!("live and durable up to {revision}");
        self.until(&what, |s| s["phase"] == "live" && position(s) >= revision).await;
    }

    /// The revision up to which it says that it holds everything.
    pub(crate) async fn durable(&mut self) -> u64 {
        self.until("answering", |_| true).await
    }

    /// Waits until the status of the only stream is as wanted, and gives the durable revision.
    async fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> u64 {
        position(&self.until_source("etcd", what, holds).await)
    }

    /// Waits until the status of a source's stream is as wanted, and gives it.
    pub(crate) async fn until_source(
        &mut self,
        source: &str,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + WAIT_MAX;
        let mut last = Value::Null;
        while Instant::now() < deadline {
            if let Some(ended) = self.child.try_wait().unwrap() {
                panic!("unbroken run has ended: {ended}\n{}", self.log());
            }
            let output = self.ask(&["status", "--json"]).await;
            last = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
            let sources = last["sources"].as_array().into_iter().flatten();
            let stream = sources.filter(|s| s["name"] == source).map(|s| &s["streams"][0]).next();
            if let Some(stream) = stream.filter(|stream| stream.is_object() && holds(stream)) {
                return stream.clone();
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("{source} not {what} after {WAIT_MAX:?}: {last:#}\n{}", self.log());
    }

    /// SIGTERM, and the exit.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        let pid = self.child.id().expect("it runs").to_string();
        // The shell's own `kill`: std knows no signal but SIGKILL.
        let told = Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &pid]).status().await;
        assert!(told.unwrap().success());
        match timeout(STOP_MAX, self.child.wait()).await {
            Ok(status) => status.unwrap(),
            Err(_) => panic!("still running {STOP_MAX:?} after SIGTERM\n{}", self.log()),
        }
    }

    /// What it logged, all lives.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

fn spawn(dir: &tempfile::TempDir) -> Child {
    let log = dir.path().join("log");
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    Command::new(PROGRAM)
        .args(["run", "--config", "unbroken.toml"])
        .current_dir(dir.path())
        .env("NO_COLOR", "1")
        .env_remove("UNBROKEN_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// The sequence of a position, which is shown as `epoch:sequence`.
pub(crate) fn position(stream: &Value) -> u64 {
    let shown = stream["position"].as_str().and_then(|shown| shown.split_once(':'));
    shown.and_then(|(_, sequence)| sequence.parse().ok()).unwrap_or(0)
}
