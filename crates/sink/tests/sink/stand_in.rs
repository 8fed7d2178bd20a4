//! A stand-in for Amazon Redshift (`redshift.py`), in front of a PostgreSQL server of its own and
//! the S3 server.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use crate::object_store::{Bucket, python, script};
use crate::server::Server;

/// It ends with the test: its standard input does.
pub(crate) struct StandIn {
    pub(crate) server: Server,
    pub(crate) bucket: Bucket,
    dir: TempDir,
    port: u16,
    control: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    process: Child,
}

impl StandIn {
    pub(crate) fn start() -> Self {
        let (server, bucket) = (Server::start(), Bucket::new());
        let dir = tempfile::tempdir().expect("a directory");
        let mut process = python()
            .arg(script("redshift.py"))
            .arg(server.host().join(".s.PGSQL.5432"))
            .arg(&bucket.endpoint)
            .arg(dir.path().join("statements"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let control = process.stdin.take().expect("it listens");
        let mut told = BufReader::new(process.stdout.take().expect("it tells"));
        let port = line(&mut told).parse().expect("where it is");
        Self { server, bucket, dir, port, control: Mutex::new((control, told)), process }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// As a sink's configuration has it.
    pub(crate) fn url(&self) -> String {
        format!("postgresql://unbroken@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends the connection of a statement, the first one but so many, before it or after it.
    pub(crate) fn cut(&self, left: u32, when: &str) {
        self.tell(&format!("cut {left} {when}"));
    }

    /// Has COPY refuse rows with this value.
    pub(crate) fn refuse(&self, value: &str) {
        self.tell(&format!("refuse {value}"));
    }

    fn tell(&self, what: &str) {
        let mut control = self.control.lock().expect("nobody panics with it");
        writeln!(control.0, "{what}").expect("it listens");
        assert_eq!(line(&mut control.1), "ok");
    }

    /// All that were asked, a line each.
    pub(crate) fn statements(&self) -> String {
        fs::read_to_string(self.dir.path().join("statements")).expect("it was asked something")
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn line(told: &mut impl BufRead) -> String {
    let mut line = String::new();
    told.read_line(&mut line).expect("it tells");
    line.trim().to_owned()
}
