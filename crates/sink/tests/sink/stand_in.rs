//! A stand-in for Amazon Redshift (`redshift.py`), in front of a PostgreSQL server of its own and
//! the S3 server.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;

use tempfile::TempDir;

use crate::object_store::{Bucket, begin};
use crate::server::Server;

/// It ends with the test: its input does.
pub(crate) struct StandIn {
    // Ends first, and then what it needs.
    control: Mutex<BufReader<TcpStream>>,
    pub(crate) server: Server,
    pub(crate) bucket: Bucket,
    dir: TempDir,
    port: u16,
}

impl StandIn {
    pub(crate) fn start() -> Self {
        Self::with(Bucket::new())
    }

    /// With a bucket of another server.
    pub(crate) fn with(bucket: Bucket) -> Self {
        let server = Server::start();
        let dir = tempfile::tempdir().expect("a directory");
        let [socket, statements] =
            [server.host().join(".s.PGSQL.5432"), dir.path().join("statements")];
        let [socket, statements] = [&socket, &statements].map(|path| path.to_str().expect("text"));
        let told = begin("redshift.py", &[socket, &bucket.endpoint, statements]);
        let mut control = BufReader::new(told);
        let port = line(&mut control).parse().expect("where it is");
        Self { server, bucket, dir, port, control: Mutex::new(control) }
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
        writeln!(control.get_mut(), "{what}").expect("it listens");
        assert_eq!(line(&mut control), "ok");
    }

    /// All that were asked, a line each.
    pub(crate) fn statements(&self) -> String {
        fs::read_to_string(self.dir.path().join("statements")).expect("it was asked something")
    }
}

fn line(told: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    told.read_line(&mut line).expect("it tells");
    line.trim().to_owned()
}
