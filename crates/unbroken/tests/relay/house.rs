//! A vendor in this process, a directory with a configuration for it, and the binary in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;
use unbroken_sim::{Settings, Vendor};

/// How long anything may take that happens in milliseconds on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct House {
    runtime: Runtime,
    vendor: Option<Vendor>,
    dir: TempDir,
}

impl House {
    /// With these keys in the section of the relay.
    pub(crate) fn new(relay: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let settings =
            Settings { agents: 20, rate: 200.0, ack_position: true, ..Settings::default() };
        let vendor = runtime.block_on(Vendor::start(settings)).expect("a vendor");
        let dir = tempdir().expect("a temporary directory");
        let config = configuration(&vendor, relay);
        fs::write(dir.path().join("unbroken.toml"), config).expect("a file");
        fs::write(dir.path().join("secret"), &vendor.credentials.client_secret).expect("a file");
        Self { runtime, vendor: Some(vendor), dir }
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.dir.path().join("data").join(name)
    }

    /// Starts the service, and waits until its relay listens.
    pub(crate) fn run(&self) -> Service {
        let mut child = command(self.dir.path())
            .args(["run", "--log", "json"])
            .env("UNBROKEN_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log_file())
            .spawn()
            .expect("the binary was built for this test");
        let (file, begun) = (self.data("relay.addr"), Instant::now());
        loop {
            // One that a killed process has left is no longer true.
            let address = fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
            let url = format!("http://{address}");
            if !address.is_empty() && get(&url, "/healthz", None).is_some() {
                let token = fs::read_to_string(self.data("relay.token")).expect("a token");
                return Service { child, url, token: token.trim().to_owned() };
            }
            let ended = child.try_wait().expect("its state");
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs another command in the same directory.
    pub(crate) fn command(&self, args: &[&str]) -> Output {
        command(self.dir.path()).args(args).output().expect("the binary was built for this test")
    }

    fn log_file(&self) -> fs::File {
        let mut options = fs::OpenOptions::new();
        options.create(true).append(true).open(self.dir.path().join("log")).expect("a file")
    }

    /// All log lines so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The vendor is gone.
    pub(crate) fn stop_vendor(&mut self) {
        if let Some(vendor) = self.vendor.take() {
            self.runtime.block_on(vendor.shutdown()).expect("its ledger");
        }
    }
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unbroken"));
    command.current_dir(dir).env("NO_COLOR", "1").env_remove("UNBROKEN_LOG");
    command
}

fn configuration(vendor: &Vendor, relay: &str) -> String {
    format!(
        r#"data_dir = "data"

[relay]
{relay}

[[source]]
name = "cx"
profile = "cxone"
api = "{}"
stream = "{}"
timing = "demo"

[source.auth]
grant = "client_credentials"
client_id = "{}"
client_secret = {{ file = "secret" }}
"#,
        vendor.http_url, vendor.ws_url, vendor.credentials.client_id
    )
}

/// Any answer at all.
fn get(url: &str, path: &str, token: Option<&str>) -> Option<Response> {
    let client = Client::builder().timeout(PATIENCE).build().expect("a client");
    let asked = client.get(format!("{url}{path}"));
    match token {
        Some(token) => asked.bearer_auth(token).send().ok(),
        None => asked.send().ok(),
    }
}

/// A running service. Killed if the test ends before it does.
pub(crate) struct Service {
    child: Child,
    pub(crate) url: String,
    pub(crate) token: String,
}

impl Service {
    /// An answer to a request with this token.
    pub(crate) fn ask_as(&self, token: &str, path: &str) -> Response {
        get(&self.url, path, Some(token)).expect("an answer")
    }

    /// The same with the first token; status and JSON.
    pub(crate) fn ask(&self, path: &str) -> (u16, Value) {
        let answer = self.ask_as(&self.token, path);
        (answer.status().as_u16(), answer.json().expect("JSON"))
    }

    /// Waits until an answer is as wanted.
    pub(crate) fn wait(&self, path: &str, wanted: impl Fn(u16, &Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let (status, value) = self.ask(path);
            if wanted(status, &value) {
                return value;
            }
            assert!(begun.elapsed() < PATIENCE, "{path}: {status} {value}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it; nothing is tidied up.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("its end");
    }

    /// Asks it to stop; gives its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.expect("the system has `kill`").success());
        self.child.wait().expect("its end").code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
