//! A server in Python that keeps what it has answered in a file, and can be killed.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::object_store::begin;
use crate::ports::free_port;

/// See the module. It ends with the tests.
pub(crate) struct Mortal {
    script: &'static str,
    dir: TempDir,
    port: u16,
    /// It ends with that, too.
    told: Option<BufReader<TcpStream>>,
    pid: String,
    /// A certificate and its key, in PEM.
    tls: Option<String>,
}

impl Mortal {
    /// A script is told a file and a port, and tells its pid.
    pub(crate) fn start(script: &'static str) -> Self {
        let (dir, port) = (tempfile::tempdir().expect("a directory"), free_port());
        let mut server = Self { script, dir, port, told: None, pid: String::new(), tls: None };
        server.start_again();
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// What it has answered.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("kept")
    }

    /// As a power cut would end it, but for its disk.
    pub(crate) fn kill(&mut self) {
        let killed = Command::new("kill").args(["-KILL", &self.pid]).status().expect("kill");
        assert!(killed.success(), "it runs");
        // It has ended when its output has.
        let mut rest = String::new();
        let _ = self.told.take().expect("it runs").read_to_string(&mut rest);
    }

    /// Has it speak TLS when it is started again, or not any more.
    pub(crate) fn speak_tls(&mut self, pem: Option<&str>) {
        self.tls = pem.map(|pem| {
            let path = self.dir.path().join("pem");
            fs::write(&path, pem).expect("room");
            path.to_str().expect("text").to_owned()
        });
    }

    pub(crate) fn start_again(&mut self) {
        let (file, port) = (self.file(), self.port.to_string());
        let arguments =
            [file.to_str().expect("text"), &port].into_iter().chain(self.tls.as_deref());
        let told = begin(self.script, &arguments.collect::<Vec<_>>());
        let (mut told, mut pid) = (BufReader::new(told), String::new());
        told.read_line(&mut pid).expect("it tells");
        assert!(pid.trim().parse::<u32>().is_ok(), "{} does not start: {pid}", self.script);
        (self.pid, self.told) = (pid.trim().to_owned(), Some(told));
    }
}
