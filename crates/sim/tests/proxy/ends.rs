//! A server that echoes, and clients of it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use unbroken_sim::proxy::{Proxy, Route};

/// How long a test waits for what must happen. Only a test that fails waits so long.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(20);
/// How long a test watches that nothing happens.
pub(crate) const QUIET: Duration = Duration::from_millis(200);

/// How a socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Reset,
    Finished,
}

/// An echo server; what it received and how each of its connections ended.
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    pub(crate) ended: mpsc::UnboundedReceiver<(Vec<u8>, Ended)>,
}

impl Echo {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, ended) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let tell = tell.clone();
                tokio::spawn(async move { tell.send(echo(socket).await) });
            }
        });
        Self { address, ended }
    }

    pub(crate) async fn next_end(&mut self) -> (Vec<u8>, Ended) {
        timeout(WAIT_MAX, self.ended.recv()).await.unwrap().unwrap()
    }
}

async fn echo(mut socket: TcpStream) -> (Vec<u8>, Ended) {
    let mut received = Vec::new();
    loop {
        let before = received.len();
        match socket.read_buf(&mut received).await {
            Ok(0) => return (received, Ended::Finished),
            Ok(_) if socket.write_all(&received[before..]).await.is_ok() => {}
            _ => return (received, Ended::Reset),
        }
    }
}

/// A path to an echo server, for connections that begin with `mark `.
pub(crate) async fn path(seed: u64) -> (Echo, Proxy) {
    let echo = Echo::start().await;
    let route = Route { mark: b"mark ".to_vec(), seed, ..Route::to(echo.address) };
    let proxy = Proxy::start(route).unwrap();
    (echo, proxy)
}

/// A client that has sent and got back its first words.
pub(crate) async fn client(proxy: &Proxy, words: &str) -> TcpStream {
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    socket.set_nodelay(true).unwrap();
    say(&mut socket, words).await;
    assert_eq!(hear(&mut socket, words.len()).await, words);
    socket
}

pub(crate) async fn say(socket: &mut TcpStream, words: &str) {
    socket.write_all(words.as_bytes()).await.unwrap();
}

pub(crate) async fn hear(socket: &mut TcpStream, bytes: usize) -> String {
    let mut heard = vec![0; bytes];
    timeout(WAIT_MAX, socket.read_exact(&mut heard)).await.unwrap().unwrap();
    String::from_utf8(heard).unwrap()
}

/// All that still comes, and how the socket ends.
pub(crate) async fn until_ended(socket: &mut TcpStream) -> (String, Ended) {
    let mut heard = Vec::new();
    loop {
        match timeout(WAIT_MAX, socket.read_buf(&mut heard)).await.unwrap() {
            Ok(0) => return (String::from_utf8(heard).unwrap(), Ended::Finished),
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                return (String::from_utf8(heard).unwrap(), Ended::Reset);
            }
        }
    }
}

/// Nothing comes, and the socket stays open.
pub(crate) async fn assert_quiet(socket: &mut TcpStream) {
    let mut heard = [0];
    let read = timeout(QUIET, socket.read(&mut heard)).await;
    assert!(read.is_err(), "{read:?}");
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(WAIT_MAX, wait).await.is_ok(), "not {what}");
}
