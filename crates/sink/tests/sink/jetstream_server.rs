//! A NATS server with JetStream, of a test's own, and a client that asks it what is there.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ports::free_port;
use crate::server::cache;

/// How long a server may take to start, or to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// It ends with the test. It listens on a port of the loopback address.
pub(crate) struct JetStream {
    dir: TempDir,
    port: u16,
    arguments: Vec<String>,
    process: Child,
}

/// A message as a consumer is given it.
pub(crate) struct Told {
    pub(crate) subject: String,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl JetStream {
    pub(crate) fn start() -> Self {
        Self::with(&["-js"])
    }

    /// With arguments in place of those of a test.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let begun = Instant::now();
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        loop {
            let (dir, port) = (tempfile::tempdir().expect("a directory"), free_port());
            let process = spawn(dir.path(), port, &arguments);
            let mut server = Self { dir, port, arguments: arguments.clone(), process };
            if server.is_up() {
                return server;
            }
            // Somebody may have taken the port meanwhile: another one is tried.
            assert!(begun.elapsed() < PATIENCE, "it starts: {}", server.log());
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Where it keeps its streams.
    pub(crate) fn streams(&self) -> PathBuf {
        self.dir.path().join("jetstream/$G/streams")
    }

    /// As a power cut would end it, but for what the operating system still writes.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was ours");
    }

    pub(crate) fn start_again(&mut self) {
        let begun = Instant::now();
        loop {
            self.process = spawn(self.dir.path(), self.port, &self.arguments);
            if self.is_up() {
                return;
            }
            // Who looks for a port may hold this one for a moment.
            assert!(begun.elapsed() < PATIENCE, "it starts: {}", self.log());
        }
    }

    /// What JetStream answers.
    pub(crate) fn api(&self, what: &str, asked: &Value) -> Value {
        let mut client = Client::of(self.port);
        client.publish(&format!("$JS.API.{what}"), "_TEST.answer", &asked.to_string());
        serde_json::from_slice(&client.next().body).expect("JSON")
    }

    /// Publishes a message, and returns the server's answer.
    pub(crate) fn publish(&self, subject: &str, body: &str) -> Value {
        self.publish_with(subject, "", body)
    }

    /// With a header, `NAME: VALUE`.
    pub(crate) fn publish_with(&self, subject: &str, header: &str, body: &str) -> Value {
        let mut client = Client::of(self.port);
        if header.is_empty() {
            client.publish(subject, "_TEST.answer", body);
        } else {
            let headers = format!("NATS/1.0\r\n{header}\r\n\r\n");
            let (size, all) = (headers.len(), headers.len() + body.len());
            let head = format!("HPUB {subject} _TEST.answer {size} {all}");
            client.send(&format!("{head}\r\n{headers}{body}\r\n"));
        }
        serde_json::from_slice(&client.next().body).expect("JSON")
    }

    /// All messages of a stream below a prefix, in order, as a new consumer is given them.
    pub(crate) fn messages(&self, stream: &str, prefix: &str) -> Vec<Told> {
        let mut client = Client::of(self.port);
        let config = json!({
            "ack_policy": "none", "deliver_policy": "all", "mem_storage": true,
            "filter_subject": format!("{prefix}.>"), "inactive_threshold": 60_000_000_000_u64,
        });
        let asked = json!({ "stream_name": stream, "config": config }).to_string();
        client.publish(&format!("$JS.API.CONSUMER.CREATE.{stream}"), "_TEST.answer", &asked);
        let made: Value = serde_json::from_slice(&client.next().body).expect("JSON");
        let name = made["name"].as_str().unwrap_or_else(|| panic!("{made}"));
        let next = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}");
        let mut told = Vec::new();
        loop {
            client.publish(
                &next,
                "_TEST.told",
                &json!({ "batch": 500, "no_wait": true }).to_string(),
            );
            let held = told.len();
            // A status without a body ends what one request is answered with.
            let ended = loop {
                let message = client.next();
                if message.subject == "_TEST.told" {
                    break true;
                }
                told.push(message);
                if told.len() == held + 500 {
                    break false;
                }
            };
            if ended {
                return told;
            }
        }
    }

    /// Waits until it answers; `false`: it has ended.
    fn is_up(&mut self) -> bool {
        let begun = Instant::now();
        while self.process.try_wait().expect("it was ours").is_none() {
            if greeting(self.port).is_ok_and(|line| {
                line.starts_with("INFO ") && line.contains(&format!("\"{}\"", name(self.port)))
            }) {
                return true;
            }
            assert!(begun.elapsed() < PATIENCE, "it answers: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

/// What is said by whoever listens on a port.
fn greeting(port: u16) -> io::Result<String> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

/// Tells it from another test's.
fn name(port: u16) -> String {
    format!("test-{}-{port}", std::process::id())
}

impl Drop for JetStream {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(dir: &Path, port: u16, arguments: &[String]) -> Child {
    Command::new(installed())
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-n", &name(port)])
        .arg("-sd")
        .arg(dir)
        .arg("-l")
        .arg(dir.join("log"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("`make nats-setup` installs it")
}

/// The version of what is installed.
pub(crate) fn version() -> String {
    let told = Command::new(installed()).arg("--version").output();
    let told = told.expect("`make nats-setup` installs it").stdout;
    let text = String::from_utf8_lossy(&told).into_owned();
    text.split_whitespace().last().expect("a version").trim_start_matches('v').to_owned()
}

fn installed() -> PathBuf {
    cache().join("nats/bin/nats-server")
}

/// As much of the protocol as a test needs.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn of(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        let mut client = Self { stream: BufReader::new(stream) };
        assert!(client.line().starts_with("INFO "));
        client.send("CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB _TEST.> 1\r\n");
        client
    }

    fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).expect("it listens");
    }

    fn publish(&mut self, subject: &str, answer: &str, body: &str) {
        self.send(&format!("PUB {subject} {answer} {}\r\n{body}\r\n", body.len()));
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("it says something");
        line
    }

    fn next(&mut self) -> Told {
        loop {
            let line = self.line();
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |back: usize| -> usize {
                words[words.len() - back].parse().expect("a number of bytes")
            };
            let (headers, all) = match words.first().copied() {
                Some("PING") => {
                    self.send("PONG\r\n");
                    continue;
                }
                Some("MSG") => (0, number(1)),
                Some("HMSG") => (number(2), number(1)),
                _ => panic!("{line:?}"),
            };
            let subject = words[1].to_owned();
            let mut body = vec![0; all + 2];
            self.stream.read_exact(&mut body).expect("it goes on");
            body.truncate(all);
            let rest = body.split_off(headers);
            let headers = String::from_utf8(body).expect("text");
            return Told { subject, headers, body: rest };
        }
    }
}
