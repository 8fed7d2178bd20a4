//! An object store: a real S3 server in memory, and a client of another make for it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// What the tests need of Python: `make parquet-setup`.
pub(crate) fn python() -> Command {
    let cache = std::env::var_os("UNBROKEN_CACHE").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cache/unbroken");
    let packages = cache.unwrap_or_else(home).join("parquet");
    assert!(packages.is_dir(), "{} is missing: make parquet-setup", packages.display());
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    python
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
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let bucket = Self { name: format!("bucket-{number}"), endpoint: s3().endpoint.clone() };
        bucket.ask("make");
        bucket
    }

    /// Asks the server by way of a client of another make.
    pub(crate) fn ask(&self, what: &str) -> String {
        let mut python = python();
        python.arg(script("bucket.py")).args([&self.endpoint, &self.name, what]);
        let answer = python.output().expect("python3");
        assert!(answer.status.success(), "{what}: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8(answer.stdout).expect("text")
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
