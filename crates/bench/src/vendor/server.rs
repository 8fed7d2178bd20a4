//! One connection after the other is served by a thread of its own; the contest says on standard
//! input when, how much and how fast.

use std::io::{BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::events::{EPOCH, FIRST_SEQUENCE, Frames, put_row};
use super::http::{Request, answer};
use super::{certificate, socket};
use crate::Failure;
use crate::process::wall_us;

/// Frames of one write: a vendor under load sends several at once.
const FRAMES_PER_WRITE: usize = 16;
/// How long a write may wait for the reader, and a reader for us.
const PATIENCE: Duration = Duration::from_secs(120);
/// Rows of a page, at most.
const PAGE_ROWS_MAX: usize = 500;

/// How a vendor is started.
#[derive(Debug)]
pub(crate) struct VendorSettings {
    pub(crate) agents: usize,
    /// Distinct events, at most.
    pub(crate) events: usize,
    /// Where the authority's certificate goes. Without it there is no TLS.
    pub(crate) certificate: Option<PathBuf>,
}

/// What the contest has asked for.
#[derive(Clone, Copy, Debug)]
struct Go {
    distinct: usize,
    /// Frames per second; 0: as fast as they are taken.
    rate: usize,
}

struct Vendor {
    agents: usize,
    frames: Frames,
    made_at: Timestamp,
    tls: Option<Arc<ServerConfig>>,
    /// Position of the last event sent.
    head: AtomicU64,
    go: Mutex<Option<Go>>,
    going: Condvar,
}

/// Serves until standard input ends.
pub(crate) fn run(settings: &VendorSettings) -> Result<(), Failure> {
    let tls = settings.certificate.as_deref().map(certificate::make).transpose()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let vendor = Arc::new(Vendor {
        agents: settings.agents,
        frames: Frames::make(settings.agents, settings.events)?,
        made_at: Timestamp::now(),
        tls,
        head: AtomicU64::new(FIRST_SEQUENCE),
        go: Mutex::new(None),
        going: Condvar::new(),
    });
    tell(&format!("listening {port}"))?;
    let accepting = Arc::clone(&vendor);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let vendor = Arc::clone(&accepting);
            thread::spawn(move || {
                if let Err(failure) = vendor.serve(stream) {
                    let _ = tell(&format!("failed {failure}"));
                }
            });
        }
    });
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["go", distinct, rate] => {
                vendor.go(Go { distinct: distinct.parse()?, rate: rate.parse()? });
            }
            _ => return Err(format!("what is `{line}`?").into()),
        }
    }
    Ok(())
}

/// Tells the contest on standard output.
fn tell(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

impl Vendor {
    fn go(&self, go: Go) {
        *self.go.lock().unwrap_or_else(PoisonError::into_inner) = Some(go);
        self.going.notify_all();
    }

    /// Takes what was asked for; nobody else gets it.
    fn await_go(&self) -> Result<Go, Failure> {
        let held = self.go.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut held, _) = self
            .going
            .wait_timeout_while(held, PATIENCE, |go| go.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        held.take().ok_or_else(|| "nobody said go".into())
    }

    fn serve(&self, stream: TcpStream) -> Result<(), Failure> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        match &self.tls {
            None => self.talk(stream),
            Some(tls) => {
                self.talk(StreamOwned::new(ServerConnection::new(Arc::clone(tls))?, stream))
            }
        }
    }

    fn talk(&self, mut stream: impl Read + Write) -> Result<(), Failure> {
        while let Some(request) = Request::read(&mut stream)? {
            match request.path.as_str() {
                "/token" => {
                    let token =
                        r#"{"access_token":"bench","token_type":"Bearer","expires_in":86400}"#;
                    answer(&mut stream, 200, token)?;
                }
                "/api/v2/wfm/schedules" => answer(&mut stream, 200, &self.page(&request)?)?,
                "/notifications/v1/stream" => {
                    socket::accept(&mut stream, &request)?;
                    return self.subscription(&mut stream);
                }
                "/raw" => {
                    tell("subscribed")?;
                    return self.stream(&mut stream);
                }
                _ => answer(&mut stream, 404, r#"{"error":"not_found"}"#)?,
            }
        }
        Ok(())
    }

    fn page(&self, request: &Request) -> Result<String, Failure> {
        let offset = request.number("offset").unwrap_or(0).min(self.agents);
        let limit = request.number("limit").unwrap_or(PAGE_ROWS_MAX).min(PAGE_ROWS_MAX);
        let head = self.head.load(Ordering::Acquire);
        let mut text = format!(
            "{{\"sequenceId\":{head},\"epoch\":\"{EPOCH}\",\"total\":{},\"offset\":{offset},\
             \"limit\":{limit},\"generatedAt\":\"{:.6}\",\"schedules\":[",
            self.agents, self.made_at
        );
        for agent in offset..(offset + limit).min(self.agents) {
            if agent > offset {
                text.push(',');
            }
            put_row(&mut text, agent, self.made_at)?;
        }
        text.push_str("]}");
        Ok(text)
    }

    fn subscription(&self, stream: &mut (impl Read + Write)) -> Result<(), Failure> {
        if !socket::next_text(stream)?.is_some_and(|text| text.contains("\"subscribe\"")) {
            return Err("the first message is no subscription".into());
        }
        // All begin at the baseline: nobody has come before them.
        self.head.store(FIRST_SEQUENCE, Ordering::Release);
        let confirmed = format!(
            "{{\"type\":\"subscribed\",\"subscriptionId\":\"sub-1\",\"epoch\":\"{EPOCH}\",\
             \"sequenceId\":{FIRST_SEQUENCE}}}"
        );
        socket::send_text(stream, &confirmed)?;
        tell("subscribed")?;
        self.stream(stream)?;
        while socket::next_text(stream)?.is_some() {}
        Ok(())
    }

    fn stream(&self, stream: &mut impl Write) -> Result<(), Failure> {
        let go = self.await_go()?;
        let frames = self.frames.first(go.distinct)?;
        tell(&format!("started {}", wall_us()))?;
        let late = match go.rate {
            0 => self.send_all(stream, frames)?,
            rate => self.send_paced(stream, frames, rate)?,
        };
        self.head.store(FIRST_SEQUENCE + go.distinct as u64, Ordering::Release);
        tell(&format!("sent {}", late.as_micros()))
    }

    fn send_all(&self, stream: &mut impl Write, frames: &[u8]) -> Result<Duration, Failure> {
        for chunk in frames.chunks(FRAMES_PER_WRITE * self.frames.frame_bytes) {
            stream.write_all(chunk)?;
        }
        stream.flush()?;
        Ok(Duration::ZERO)
    }

    /// Frame n is meant to go n / rate seconds after the start; all that are due go in one write.
    /// Gives the most that a frame was late.
    fn send_paced(
        &self,
        stream: &mut impl Write,
        frames: &[u8],
        rate: usize,
    ) -> Result<Duration, Failure> {
        let began = Instant::now();
        let (size, mut sent) = (self.frames.frame_bytes, 0);
        let mut late_max = Duration::ZERO;
        while sent < frames.len() {
            let elapsed = began.elapsed();
            let due = (elapsed.as_micros() as usize * rate / 1_000_000 + 1) * size;
            let due = due.min(frames.len());
            if due > sent {
                let planned = Duration::from_micros((sent / size * 1_000_000 / rate) as u64);
                late_max = late_max.max(elapsed.saturating_sub(planned));
                stream.write_all(&frames[sent..due])?;
                stream.flush()?;
                sent = due;
            } else {
                thread::sleep(Duration::from_micros(10));
            }
        }
        Ok(late_max)
    }
}
