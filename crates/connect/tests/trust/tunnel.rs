//! A proxy that knows `CONNECT` and nothing else, and keeps every byte that it could read.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::vendor::Seen;

/// What it does with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Opens tunnels, whatever the host's name, to this machine.
    Open,
    /// Refuses with a status.
    Refuse(u16),
    /// Takes the request and says nothing.
    Silent,
    /// Says something that is no HTTP.
    Babble,
}

pub(crate) struct Tunnel {
    pub(crate) port: u16,
    /// The head of each `CONNECT`.
    heads: Seen,
    /// What clients sent through it, and what came back.
    carried: Arc<Mutex<Vec<u8>>>,
}

impl Tunnel {
    /// With credentials (`name:password`), those that do not show them get a 407.
    pub(crate) async fn start(mood: Mood, credentials: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heads, carried) = (Seen::default(), Arc::default());
        let tunnel = Self { port, heads: Arc::clone(&heads), carried: Arc::clone(&carried) };
        let wanted = credentials
            .map(|pair| format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(pair)));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (heads, carried) = (Arc::clone(&heads), Arc::clone(&carried));
                tokio::spawn(serve(client, mood, wanted.clone(), heads, carried));
            }
        });
        tunnel
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub(crate) fn carried(&self) -> Vec<u8> {
        self.carried.lock().unwrap().clone()
    }
}

async fn serve(
    mut client: TcpStream,
    mood: Mood,
    wanted: Option<String>,
    heads: Seen,
    carried: Arc<Mutex<Vec<u8>>>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    heads.lock().unwrap().push(head.clone());
    let status = match mood {
        Mood::Silent => return std::future::pending().await,
        Mood::Babble => {
            client.write_all(b"220 mail.example ESMTP\r\n\r\n").await.ok()?;
            return None;
        }
        _ if wanted.is_some_and(|wanted| !head.contains(&wanted)) => 407,
        Mood::Refuse(status) => status,
        Mood::Open => 200,
    };
    client.write_all(format!("HTTP/1.1 {status} x\r\n\r\n").as_bytes()).await.ok()?;
    if status != 200 {
        return None;
    }
    let target = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    let port: u16 = target.rsplit(':').next()?.parse().ok()?;
    let server = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let there = carry(client_in, server_out, Arc::clone(&carried));
    let back = carry(server_in, client_out, carried);
    tokio::join!(there, back);
    None
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    carried: Arc<Mutex<Vec<u8>>>,
) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        carried.lock().unwrap().extend_from_slice(&buffer[..length]);
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    to.shutdown().await.ok();
}
