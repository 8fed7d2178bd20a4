//! An object store: a real S3 server in memory, and a client of another make for it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::cache;

/// How long a program may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the tests need of Python: `make parquet-setup`.
pub(crate) fn python() -> Command {
    let packages = cache().join("parquet");
    assert!(packages.is_dir(), "{} is missing: make parquet-setup", packages.display());
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

/// Begins a Python program that needs many packages. Its input and output; it ends with its input.
pub(crate) fn begin(name: &str, told: &[&str]) -> TcpStream {
    static FORKS: OnceLock<Mutex<(Child, ChildStdin)>> = OnceLock::new();
    let forks = FORKS.get_or_init(|| {
        let mut forks = python();
        let mut forks =
            forks.arg(script("forks.py")).stdin(Stdio::piped()).spawn().expect("python3");
        let input = forks.stdin.take().expect("it listens");
        Mutex::new((forks, input))
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut line = vec![json!(port), json!(script(name))];
    line.extend(told.iter().map(|told| json!(told)));
    let line = serde_json::Value::Array(line).to_string();
    writeln!(forks.lock().expect("nobody panics with it").1, "{line}").expect("it listens");
    listener.set_nonblocking(true).expect("a socket");
    let begun = Instant::now();
    loop {
        match listener.accept() {
            Ok((peer, _)) => {
                peer.set_nonblocking(false).expect("a socket");
                return peer;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{name}: {error}"),
        }
        assert!(begun.elapsed() < PATIENCE, "{name} begins");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// An S3 server, which ends with the tests: its standard input ends.
struct S3 {
    _server: Child,
    endpoint: String,
}

/// Beside this file, of whichever crate's tests it is a part.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sink/tests/sink").join(name)
}

fn s3() -> &'static S3 {
    static S3: OnceLock<S3> = OnceLock::new();
    S3.get_or_init(|| {
        let mut server = python();
        server.arg(script("s3.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = server.stderr(Stdio::null()).spawn().expect("python3");
        let mut line = String::new();
        let told = server.stdout.take().expect("it tells");
        BufReader::new(told).read_line(&mut line).expect("where it is");
        S3 { _server: server, endpoint: line.trim().to_owned() }
    })
}

/// A bucket of its own.
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) endpoint: String,
}

impl Bucket {
    pub(crate) fn new() -> Self {
        Self::of(s3().endpoint.clone())
    }

    /// Of a server.
    pub(crate) fn of(endpoint: String) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let bucket = Self { name: format!("bucket-{number}"), endpoint };
        bucket.ask("make");
        bucket
    }

    /// Asks the server by way of a client of another make.
    pub(crate) fn ask(&self, what: &str) -> String {
        let mut answer = String::new();
        let mut told = begin("bucket.py", &[&self.endpoint, &self.name, what]);
        told.read_to_string(&mut answer).expect("text");
        answer.strip_suffix("done\n").unwrap_or_else(|| panic!("{what}: {answer}")).to_owned()
    }

    pub(crate) fn options(&self) -> Vec<(String, String)> {
        Self::options_by(&self.endpoint)
    }

    /// For a client that goes another way.
    pub(crate) fn options_by(endpoint: &str) -> Vec<(String, String)> {
        let option = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        vec![
            option("aws_endpoint", endpoint),
            option("aws_region", "eu-central-1"),
            option("aws_access_key_id", "test"),
            option("aws_secret_access_key", "test"),
            option("allow_http", "true"),
        ]
    }
}
