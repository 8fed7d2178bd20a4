//! Many clients in one process: each reads its socket, and notes when it has had which offset. They
//! read of a frame no more than they must, for what they cost is not what is measured.

use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::frame::end_of;
use super::outcome::Receipt;
use crate::Failure;
use crate::process::{say, wall_us};

/// Read at once.
const READ_BYTES: usize = 64 * 1024;

/// Beside the connections.
const OTHER_FILES: u64 = 64;

/// How many, of what, until when.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) count: usize,
    /// Each ends when it has had everything below this offset.
    pub(crate) until: u64,
    /// Where the receipts go.
    pub(crate) out: PathBuf,
}

/// Says `subscribed` when all are, and `reached` with the time when all have had everything.
pub(crate) fn run(clients: &Clients) -> Result<(), Failure> {
    raise_files(clients.count as u64 + OTHER_FILES)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let receipts = runtime.block_on(read_all(clients))?;
    say(&format!("reached {}", wall_us()))?;
    std::fs::write(&clients.out, Receipt::to_bytes(&receipts))?;
    say("noted")?;
    Ok(())
}

/// As far as this process may; says what to do where that is not far enough.
pub(crate) fn raise_files(needed: u64) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|now| now >= needed) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        let maximum = limit.maximum.unwrap_or_default();
        let todo = format!("{needed} open files are needed, {maximum} allowed: raise `ulimit -Hn`");
        return Err(todo.into());
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })?)
}

async fn read_all(clients: &Clients) -> Result<Vec<Vec<Receipt>>, Failure> {
    let (subscribed, mut subscriptions) = unbounded_channel();
    let mut reading = JoinSet::new();
    for _ in 0..clients.count {
        let socket = connect(clients).await?;
        reading.spawn(read(socket, clients.until, subscribed.clone()));
    }
    drop(subscribed);
    for _ in 0..clients.count {
        subscriptions.recv().await.ok_or("a client was turned away")?;
    }
    say("subscribed")?;
    let mut receipts = Vec::new();
    while let Some(read) = reading.join_next().await {
        receipts.push(read??);
    }
    Ok(receipts)
}

async fn connect(clients: &Clients) -> Result<TcpStream, Failure> {
    let Clients { address, token, .. } = clients;
    let mut socket = TcpStream::connect(address).await?;
    let request = format!(
        "GET /v1/ws HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    if !head.starts_with(b"HTTP/1.1 101") {
        return Err(format!("no WebSocket: {}", String::from_utf8_lossy(&head)).into());
    }
    let wish = br#"{"type":"subscribe","after":"latest"}"#;
    // A text frame that is masked with zeros.
    let mut frame = vec![0x81, 0x80 | wish.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(wish);
    socket.write_all(&frame).await?;
    Ok(socket)
}

async fn read(
    mut socket: TcpStream,
    until: u64,
    subscribed: UnboundedSender<()>,
) -> Result<Vec<Receipt>, Failure> {
    let mut bytes = Vec::with_capacity(READ_BYTES);
    let mut receipts: Vec<Receipt> = Vec::new();
    loop {
        let mut at = 0;
        while let Some((begin, end)) = frame(&bytes[at..]) {
            let payload = &bytes[at + begin..at + end];
            at += end;
            if let Some(below) = end_of(payload) {
                receipts.push(Receipt { below, at: wall_us() });
            } else if is_subscribed(payload) {
                subscribed.send(())?;
            }
        }
        bytes.drain(..at);
        if receipts.last().is_some_and(|last| last.below >= until) {
            return Ok(receipts);
        }
        bytes.reserve(READ_BYTES);
        if socket.read_buf(&mut bytes).await? == 0 {
            let had = receipts.last().map_or(0, |last| last.below);
            return Err(format!("a client was cut off at {had} of {until}").into());
        }
    }
}

fn is_subscribed(message: &[u8]) -> bool {
    let said = br#""type":"subscribed""#;
    message.windows(said.len()).any(|part| part == said)
}

/// Where the first frame's payload begins and ends, if it is there as a whole. A server's frames
/// are not masked (RFC 6455, 5.2).
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (begin, length) = match bytes.get(1)? & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    let end = begin + usize::try_from(length).ok()?;
    (bytes.len() >= end).then_some((begin, end))
}
