//! A path through the network that can be broken: forwards TCP to one port, resets everything that
//! is open, refuses what comes new.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How a request for the watch begins: those are the sockets that count.
const WATCH: &[u8] = b"GET /v3/watch";

/// See the module.
pub(crate) struct Proxy {
    address: SocketAddr,
    /// Bound but not listening: while nobody listens the port stays ours, and is refused.
    _reserved: TcpSocket,
    to_port: u16,
    between_cuts: Arc<Mutex<Arc<BetweenCuts>>>,
    accepting: Option<JoinHandle<()>>,
}

/// The connections that were opened between two cuts.
#[derive(Default)]
struct BetweenCuts {
    over: watch::Sender<bool>,
    watches: AtomicUsize,
}

impl Proxy {
    /// A path to a port of this machine, open.
    pub(crate) fn start(to_port: u16) -> Self {
        let reserved = socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let mut proxy = Self {
            address: reserved.local_addr().unwrap(),
            _reserved: reserved,
            to_port,
            between_cuts: Arc::default(),
            accepting: None,
        };
        proxy.up();
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Resets every connection, and gives how many of them were watches. New ones are forwarded.
    pub(crate) fn cut(&self) -> usize {
        let broken = std::mem::take(&mut *lock(&self.between_cuts));
        broken.over.send_replace(true);
        broken.watches.load(Ordering::SeqCst)
    }

    /// Resets every connection and refuses new ones until [`Proxy::up`].
    pub(crate) async fn down(&mut self) -> usize {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // The listener is closed when the task is gone.
            accepting.await.ok();
        }
        self.cut()
    }

    /// Forwards new connections again.
    pub(crate) fn up(&mut self) {
        let listener = socket(self.address).and_then(|socket| socket.listen(1024)).unwrap();
        let between_cuts = self.between_cuts.clone();
        self.accepting = Some(tokio::spawn(accept(listener, self.to_port, between_cuts)));
    }

    /// How many watches are open.
    pub(crate) fn watches(&self) -> usize {
        lock(&self.between_cuts).watches.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // So that listener and reservation may have the same port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn accept(listener: TcpListener, to_port: u16, between_cuts: Arc<Mutex<Arc<BetweenCuts>>>) {
    while let Ok((client, _)) = listener.accept().await {
        let now = lock(&between_cuts).clone();
        tokio::spawn(forward(client, to_port, now));
    }
}

/// One connection, until one side ends it or it is reset; then what is on its way is lost.
async fn forward(mut client: TcpStream, to_port: u16, opened: Arc<BetweenCuts>) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to_port)).await else { return };
    let mut over = opened.over.subscribe();
    // The cut is looked at first: what came after it must not pass.
    let is_reset = tokio::select! {
        biased;
        _ = over.wait_for(|over| *over) => true,
        () = carry(&mut client, &mut server, &opened.watches) => false,
    };
    if is_reset {
        client.set_zero_linger().ok();
        server.set_zero_linger().ok();
    }
}

async fn carry(client: &mut TcpStream, server: &mut TcpStream, watches: &AtomicUsize) {
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let mut first = vec![0; 4096];
    let Ok(length) = client.read(&mut first).await else { return };
    first.truncate(length);
    let is_watch = usize::from(first.starts_with(WATCH));
    if server.write_all(&first).await.is_err() {
        return;
    }
    watches.fetch_add(is_watch, Ordering::SeqCst);
    tokio::io::copy_bidirectional(client, server).await.ok();
    watches.fetch_sub(is_watch, Ordering::SeqCst);
}
