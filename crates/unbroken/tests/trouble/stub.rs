//! A vendor that grants every token, and gives one answer to everything else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// The token that it grants.
pub(crate) const TOKEN: &str = "stub-token-hunter2";

/// Its port. It lives as long as the test's process.
pub(crate) struct Stub {
    pub(crate) port: u16,
}

impl Stub {
    /// `answer`: status line and headers, each with its line end, and the body.
    pub(crate) fn start(head: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || answer(stream, head, body));
            }
        });
        Self { port }
    }

    pub(crate) fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn stream(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }
}

/// Answers one request; a client that goes away is no failure of the test's.
fn answer(stream: TcpStream, head: &str, body: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    reader.take(length).read_to_end(&mut Vec::new()).ok()?;
    let granted = format!(r#"{{"access_token":"{TOKEN}","expires_in":3600}}"#);
    let (head, body) = match first.starts_with("POST /token ") {
        true => ("200 OK\r\n", granted.as_str()),
        false => (head, body),
    };
    let length = body.len();
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}")
        .ok()
}
