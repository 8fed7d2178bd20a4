//! `unbroken run` as a child process, against a simulated vendor in this process.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;
use unbroken_sim::{Settings, Truth, Vendor};

/// How long anything may take that happens in milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A vendor, and a directory with a configuration for it.
pub(crate) struct World {
    runtime: Runtime,
    vendor: Option<Vendor>,
    dir: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(50.0)
    }

    /// So many events a second.
    pub(crate) fn of(rate: f64) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let settings = Settings { agents: 20, rate, ack_position: true, ..Settings::default() };
        let vendor = runtime.block_on(Vendor::start(settings)).expect("a vendor");
        let dir = tempdir().expect("a temporary directory");
        fs::write(dir.path().join("unbroken.toml"), configuration(&vendor)).expect("a file");
        fs::write(dir.path().join("secret"), &vendor.credentials.client_secret).expect("a file");
        Self { runtime, vendor: Some(vendor), dir }
    }

    /// Takes another configuration, written for a simulator at its usual address.
    pub(crate) fn configure_as(&self, text: &str) {
        let vendor = self.vendor();
        let text = text
            .replace("http://127.0.0.1:8480", &vendor.http_url)
            .replace("ws://127.0.0.1:8480", &vendor.ws_url)
            .replace("sim-client", &vendor.credentials.client_id)
            .replace("{ env = \"UNBROKEN_EXAMPLE_SECRET\" }", "{ file = \"secret\" }");
        fs::write(self.path("unbroken.toml"), text).expect("a file");
    }

    /// Adds to the configuration.
    pub(crate) fn configure(&self, more: &str) {
        let path = self.path("unbroken.toml");
        let text = fs::read_to_string(&path).expect("a file") + "\n" + more;
        fs::write(path, text).expect("a file");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the service.
    pub(crate) fn run(&self, more: &[&str]) -> Service {
        let child = command(self.dir.path())
            .arg("run")
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        Service { child: Some(child), dir: self.dir.path().to_owned() }
    }

    /// Runs another command in the same directory.
    pub(crate) fn command(&self, args: &[&str]) -> Output {
        command(self.dir.path()).args(args).output().expect("the binary was built for this test")
    }

    pub(crate) fn vendor(&self) -> &Vendor {
        self.vendor.as_ref().expect("it is there until it is shut down")
    }

    /// Stops the vendor and reads its ledger.
    pub(crate) fn truth(mut self) -> Truth {
        let vendor = self.vendor.take().expect("it is there until it is shut down");
        self.runtime.block_on(vendor.shutdown()).expect("its ledger")
    }
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unbroken"));
    command.current_dir(dir).env("NO_COLOR", "1").env_remove("UNBROKEN_LOG");
    command
}

fn configuration(vendor: &Vendor) -> String {
    format!(
        r#"data_dir = "data"

[[source]]
name = "cx"
api = "{}"
stream = "{}"
timing = "demo"
agents_file = "agents"

[source.profile]
extends = "cxone"
[source.profile.capabilities]
# Seen through an agent filter the numbering has holes.
position = "increasing"
coverage = "filtered"
ack = "with_position"
snapshot_staleness_ms_max = 500

[source.auth]
grant = "client_credentials"
client_id = "{}"
client_secret = {{ file = "secret" }}
"#,
        vendor.http_url, vendor.ws_url, vendor.credentials.client_id
    )
}

/// A running service. Killed if the test ends before it does.
pub(crate) struct Service {
    child: Option<Child>,
    dir: PathBuf,
}

impl Service {
    /// Waits until it says that every stream is live, and returns its status.
    pub(crate) fn wait_live(&self) -> Value {
        self.wait_status("live", |status| status["sources"][0]["streams"][0]["phase"] == "live")
    }

    /// Waits for a status that satisfies `wanted`.
    pub(crate) fn wait_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = command(&self.dir).args(["status", "--json"]).output().expect("status");
            let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "not {what}: {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.expect("the system has `kill`").success());
    }

    /// Waits for its end, and returns exit code, log lines, and how long it took.
    pub(crate) fn wait(mut self) -> (Option<i32>, String, Duration) {
        let begun = Instant::now();
        let mut child = self.child.take().expect("it runs");
        let mut log = String::new();
        let mut stderr = child.stderr.take().expect("it was piped");
        stderr.read_to_string(&mut log).expect("text");
        let status = child.wait().expect("its end");
        (status.code(), log, begun.elapsed())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
