//! A listener that takes webhooks, of the standard library alone, and answers as a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Takes it.
    Taken,
    /// Takes it, and cuts the connection without a word.
    TakenWithoutAWord,
    /// Cuts the connection, and takes nothing.
    Cut,
    /// Takes nothing, with this status.
    Status(u16),
    /// The same, and asks to be left alone for so many seconds.
    Later(u16, u64),
}

/// What was asked of it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// With lower-case names.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) reply: Reply,
    pub(crate) at: Instant,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        serde_json::from_str(&self.body).expect("an array of events")
    }

    pub(crate) fn is_taken(&self) -> bool {
        matches!(self.reply, Reply::Taken | Reply::TakenWithoutAWord)
    }
}

/// A connection, in TLS or not.
pub(crate) trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

type Rule = Box<dyn FnMut(&str) -> Reply + Send>;

struct Held {
    rule: Rule,
    asked: Vec<Asked>,
}

/// See the module. It ends with the test's process.
#[derive(Clone)]
pub(crate) struct Receiver {
    address: SocketAddr,
    held: Arc<Mutex<Held>>,
}

impl Receiver {
    /// Takes everything.
    pub(crate) fn start() -> Self {
        Self::with(|_| Reply::Taken)
    }

    /// Answers each body by a rule.
    pub(crate) fn with(rule: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        Self::over(rule, |stream| Box::new(stream))
    }

    /// The same, over what becomes of a connection.
    pub(crate) fn over(
        rule: impl FnMut(&str) -> Reply + Send + 'static,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let held = Arc::new(Mutex::new(Held { rule: Box::new(rule), asked: Vec::new() }));
        let receiver = Self { address, held };
        let taking = receiver.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let taking = taking.clone();
                if stream.set_read_timeout(Some(Duration::from_secs(30))).is_err() {
                    continue;
                }
                let stream = wrap(stream);
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    while taking.take(&mut reader).is_some() {}
                });
            }
        });
        receiver
    }

    pub(crate) fn answer_by(&self, rule: impl FnMut(&str) -> Reply + Send + 'static) {
        self.lock().rule = Box::new(rule);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/in?key=h00k", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// All events that it took, in the order in which it took them: some may be there again.
    pub(crate) fn taken(&self) -> Vec<Value> {
        let held = self.lock();
        held.asked.iter().filter(|asked| asked.is_taken()).flat_map(Asked::events).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("nobody panics with it")
    }

    /// One request; `None`: the connection is at its end.
    fn take(&self, reader: &mut BufReader<Box<dyn Stream>>) -> Option<()> {
        let mut headers = Vec::new();
        let mut first = String::new();
        reader.read_line(&mut first).ok().filter(|bytes| *bytes > 0)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length?.1.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).ok()?;
        let reply = {
            // Under one lock: what is taken first is written down first.
            let mut held = self.lock();
            let reply = (held.rule)(&body);
            held.asked.push(Asked { headers, body, reply: reply.clone(), at: Instant::now() });
            reply
        };
        let (status, more) = match reply {
            Reply::Taken => (204, String::new()),
            Reply::Status(status) => (status, String::new()),
            Reply::Later(status, seconds) => (status, format!("retry-after: {seconds}\r\n")),
            Reply::Cut | Reply::TakenWithoutAWord => return None,
        };
        let length = if status == 204 { "" } else { "content-length: 0\r\n" };
        let answer = format!("HTTP/1.1 {status} So\r\n{length}{more}\r\n");
        reader.get_mut().write_all(answer.as_bytes()).ok()
    }
}
