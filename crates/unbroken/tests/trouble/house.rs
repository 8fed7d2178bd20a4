//! A directory with a configuration, and the binary in it.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;
use unbroken_sim::{Settings, Vendor};

/// How long anything may take that happens in milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Removes its directory when dropped.
pub(crate) struct House {
    dir: TempDir,
}

impl House {
    /// With this configuration.
    pub(crate) fn new(config: &str) -> Self {
        let house = Self { dir: tempdir().expect("a temporary directory") };
        house.write("unbroken.toml", config);
        house
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    /// The binary, without surroundings that could change what it says.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unbroken"));
        self.prepare(&mut command);
        command.args(args);
        command
    }

    /// Makes a command one that runs here.
    pub(crate) fn prepare(&self, command: &mut Command) {
        let dir = self.dir.path();
        command.current_dir(dir).env("NO_COLOR", "1").env_remove("UNBROKEN_LOG");
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary was built for this test")
    }

    /// What it said on stderr, with this directory's name taken out.
    pub(crate) fn said(&self, output: &Output) -> String {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.replace(&self.dir.path().display().to_string(), "[DIR]")
    }

    /// Starts the service.
    pub(crate) fn serve(&self) -> Service {
        self.start(self.command(&["run"]))
    }

    /// Starts it by a command of the caller's.
    pub(crate) fn start(&self, mut command: Command) -> Service {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        let mut stderr = child.stderr.take().expect("it was piped");
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        let reading = std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut chunk) {
                kept.lock().expect("no one panics with it").extend_from_slice(&chunk[..length]);
            }
        });
        Service { child, log, reading: Some(reading), status: self.command(&["status", "--json"]) }
    }
}

/// A running service. Killed if the test ends before it does.
pub(crate) struct Service {
    child: Child,
    log: Arc<Mutex<Vec<u8>>>,
    reading: Option<std::thread::JoinHandle<()>>,
    status: Command,
}

impl Service {
    /// The log so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().expect("no one panics with it")).into_owned()
    }

    /// Waits until the first stream's status satisfies `wanted`.
    pub(crate) fn wait_stream(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.status.output().expect("status");
            let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let stream = &status["sources"][0]["streams"][0];
            if wanted(stream) {
                return stream.clone();
            }
            assert!(Instant::now() < deadline, "not {what}: {status}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for a phase.
    pub(crate) fn wait_phase(&mut self, phase: &str) -> Value {
        self.wait_stream(phase, |stream| stream["phase"] == phase)
    }

    /// Waits for a word in the log.
    pub(crate) fn wait_log(&self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(words) {
            assert!(Instant::now() < deadline, "never said `{words}`\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks it to stop, and waits for its end: exit code and log.
    pub(crate) fn stop(self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.expect("the system has `kill`").success());
        self.wait()
    }

    /// Waits for its end: exit code and log.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("its end");
        if let Some(reading) = self.reading.take() {
            reading.join().expect("a thread that only reads");
        }
        (status.code(), self.log())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The simulated vendor in this process.
pub(crate) struct Simulated {
    pub(crate) vendor: Vendor,
    pub(crate) runtime: Runtime,
}

impl Simulated {
    pub(crate) fn start(settings: Settings) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let vendor = runtime.block_on(Vendor::start(settings)).expect("a vendor");
        Self { vendor, runtime }
    }

    /// Small and lively.
    pub(crate) fn settings() -> Settings {
        Settings { agents: 20, rate: 50.0, ack_position: true, ..Settings::default() }
    }

    /// A configuration for it, whose secret is in the file `secret`, with more keys of the source.
    pub(crate) fn config(&self, more: &str) -> String {
        let client_id = &self.vendor.credentials.client_id;
        let auth = format!(
            "grant = \"client_credentials\"\nclient_id = \"{client_id}\"\n\
             client_secret = {{ file = \"secret\" }}"
        );
        config(&self.vendor.http_url, &self.vendor.ws_url, more, &auth)
    }
}

/// A configuration with one source of the CXone profile.
pub(crate) fn config(api: &str, stream: &str, more: &str, auth: &str) -> String {
    format!(
        r#"data_dir = "data"

[[source]]
name = "cx"
profile = "cxone"
api = "{api}"
stream = "{stream}"
timing = "demo"
{more}

[source.auth]
{auth}
"#
    )
}
