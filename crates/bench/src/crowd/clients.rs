//! SSE clients in one process: most wait for an agent who never does anything, the others follow
//! one agent each.

use std::io::{self, BufRead as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::Failure;
use crate::fanout::raise_files;
use crate::process::say;

/// Read at once, by each.
const READ_BYTES: usize = 16 * 1024;

/// Connections that are made at the same time.
const CONNECTING_MAX: usize = 64;

/// Begins each event of the stream that is one of the log's.
const EVENT: &[u8] = b"\nevent: unbroken.change\n";

/// Of the operating system's priorities the last: in earnest clients are on other machines, and
/// take no processor from the one that records.
const PRIORITY: i32 = 19;

/// How many, and of what.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) idle: usize,
    pub(crate) live: usize,
}

/// Says `connected` when all are; then says how many events were told, whenever it reads a line.
pub(crate) fn run(crowd: &Crowd) -> Result<(), Failure> {
    rustix::process::setpriority_process(None, PRIORITY)?;
    raise_files((crowd.idle + crowd.live) as u64 + 64)?;
    let (told, lost) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (counted, failed) = (Arc::clone(&told), Arc::clone(&lost));
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let readers = runtime.block_on(connect_all(crowd, &told, &lost))?;
    say("connected")?;
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if line == "end" {
                std::process::exit(0);
            }
            let word = if failed.load(Ordering::Relaxed) { "lost" } else { "told" };
            // Whoever has asked and is gone needs no answer.
            let _ = say(&format!("{word} {}", counted.load(Ordering::Relaxed)));
        }
        std::process::exit(0);
    });
    runtime.block_on(async move {
        let _readers = readers;
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    })
}

async fn connect_all(
    crowd: &Crowd,
    told: &Arc<AtomicU64>,
    lost: &Arc<AtomicBool>,
) -> Result<JoinSet<()>, Failure> {
    let mut readers = JoinSet::new();
    let mut connecting = JoinSet::new();
    let idle = (0..crowd.idle).map(|_| "nobody".to_owned());
    let live = (0..crowd.live).map(|agent| format!("agent-{agent:06}"));
    let mut read = |socket: TcpStream| {
        let (told, lost) = (Arc::clone(told), Arc::clone(lost));
        readers.spawn(async move {
            count(socket, &told).await;
            lost.store(true, Ordering::Relaxed);
        });
    };
    for key in idle.chain(live) {
        if connecting.len() == CONNECTING_MAX
            && let Some(connected) = connecting.join_next().await
        {
            read(connected??);
        }
        connecting.spawn(connect(crowd.address.clone(), crowd.token.clone(), key));
    }
    while let Some(connected) = connecting.join_next().await {
        read(connected??);
    }
    Ok(readers)
}

async fn connect(address: String, token: String, key: String) -> Result<TcpStream, Failure> {
    let mut socket = TcpStream::connect(&address).await?;
    let request = format!(
        "GET /v1/events/stream?after=latest&key={key} HTTP/1.1\r\nHost: {address}\r\n\
         Authorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    if !head.starts_with(b"HTTP/1.1 200") {
        return Err(format!("no stream: {}", String::from_utf8_lossy(&head)).into());
    }
    Ok(socket)
}

/// Counts events until the connection ends.
async fn count(socket: TcpStream, told: &AtomicU64) {
    // Made when something comes: most sockets wait.
    let mut bytes = Vec::new();
    let mut kept = 0;
    while socket.readable().await.is_ok() {
        bytes.resize(kept + READ_BYTES, 0);
        match socket.try_read(&mut bytes[kept..]) {
            Ok(0) => return,
            Ok(read) => {
                let all = &bytes[..kept + read];
                let found = all.windows(EVENT.len()).filter(|part| *part == EVENT).count();
                told.fetch_add(found as u64, Ordering::Relaxed);
                // What may begin one, and is no whole one yet.
                let rest = all.len() - all.len().min(EVENT.len() - 1);
                bytes.copy_within(rest..kept + read, 0);
                kept = kept + read - rest;
                bytes.truncate(kept);
                bytes.shrink_to(READ_BYTES / 4);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
