//! Where connections come in, and orders.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use rustix::net::Shutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tracing::debug;

use super::counts::{Counters, Counts, count};
use super::fault::{Break, Fault, Whom};
use super::line::Line;
use super::road;
use super::weather::Weather;
use crate::SimError;

/// Connections that the system holds until they are accepted.
const BACKLOG: u32 = 1024;

/// Where a path leads.
#[derive(Clone, Debug)]
pub struct Route {
    /// The server.
    pub to: SocketAddr,
    /// Connections whose first bytes from the client begin so are *marked*. Empty: all are, once
    /// the client has sent something.
    pub mark: Vec<u8>,
    /// What is left to chance follows from it.
    pub seed: u64,
    /// How slow the path is in the beginning.
    pub weather: Weather,
}

impl Route {
    /// A clear path to a server.
    pub fn to(to: SocketAddr) -> Self {
        Self { to, mark: Vec::new(), seed: 0, weather: Weather::default() }
    }
}

/// What becomes of new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// They are carried to the server.
    Open,
    /// Nobody listens: the system refuses them.
    Refusing,
    /// They are accepted, and nothing follows.
    Ignoring,
}

/// What the connections of a proxy have in common.
#[derive(Debug)]
pub(crate) struct Path {
    to: Mutex<SocketAddr>,
    mark: Vec<u8>,
    weather: Mutex<Weather>,
    rng: Mutex<Rng>,
    counters: Arc<Counters>,
    lines: Mutex<BTreeMap<u64, Arc<Line>>>,
    ambushes: Mutex<VecDeque<(Whom, Fault)>>,
}

impl Path {
    pub(crate) fn to(&self) -> SocketAddr {
        *lock(&self.to)
    }

    pub(crate) fn weather(&self) -> Weather {
        *lock(&self.weather)
    }

    /// The client's first bytes on a connection: they may be the mark.
    pub(crate) fn handle_first(&self, line: &Line, bytes: &[u8]) {
        if bytes.starts_with(&self.mark) {
            count(&self.counters.marked);
            line.mark();
            self.ambush(Whom::Marked, line);
        }
    }

    /// A connection meets what has been waiting longest for one like it.
    fn ambush(&self, whom: Whom, line: &Line) {
        let mut waiting = lock(&self.ambushes);
        let first = waiting.iter().position(|(waited_for, _)| *waited_for == whom);
        if let Some((_, fault)) = first.and_then(|at| waiting.remove(at)) {
            line.strike(fault);
        }
    }

    fn enter(&self) -> (u64, Arc<Line>) {
        count(&self.counters.connections);
        let line = Arc::new(Line::new(lock(&self.rng).u64(..), Arc::clone(&self.counters)));
        self.ambush(Whom::All, &line);
        let mut lines = lock(&self.lines);
        let id = lines.last_key_value().map_or(0, |(last, _)| last + 1);
        lines.insert(id, Arc::clone(&line));
        (id, line)
    }
}

/// A running path. Dropping it resets all its connections and closes its port.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    /// Bound but not listening: while nobody listens the port stays ours, and is refused.
    _reserved: TcpSocket,
    path: Arc<Path>,
    accepting: Option<Accepting>,
}

impl Proxy {
    /// Opens a path on a free port of this machine. Must be called within a tokio runtime.
    pub fn start(route: Route) -> Result<Self, SimError> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let bound = socket(any).and_then(|socket| Ok((socket.local_addr()?, socket)));
        let (address, reserved) = bound.map_err(|source| not_opened(any, source))?;
        let path = Path {
            to: Mutex::new(route.to),
            mark: route.mark,
            weather: Mutex::new(route.weather),
            rng: Mutex::new(Rng::with_seed(route.seed)),
            counters: Arc::default(),
            lines: Mutex::default(),
            ambushes: Mutex::default(),
        };
        let mut proxy =
            Self { address, _reserved: reserved, path: Arc::new(path), accepting: None };
        proxy.accept(Door::Open)?;
        Ok(proxy)
    }

    /// Where clients connect to. It stays the same whatever the door does.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Decides what becomes of new connections. Those that are open are not touched.
    pub async fn set_door(&mut self, door: Door) -> Result<(), SimError> {
        if let Some(accepting) = self.accepting.take() {
            accepting.end().await;
        }
        match door {
            Door::Refusing => Ok(()),
            Door::Open | Door::Ignoring => self.accept(door),
        }
    }

    /// From now on new connections lead to another server.
    pub fn set_target(&self, to: SocketAddr) {
        *lock(&self.path.to) = to;
    }

    /// The whole path is gone: new connections are refused, all open ones are reset.
    pub async fn take_down(&mut self) -> Result<(), SimError> {
        self.set_door(Door::Refusing).await?;
        self.strike(Whom::All, Fault::now(Break::Reset));
        Ok(())
    }

    /// From now on the path is so slow. What is under way keeps its time.
    pub fn set_weather(&self, weather: Weather) {
        *lock(&self.path.weather) = weather;
    }

    /// Breaks open connections, or arms them to break; gives how many. A second order for a byte to
    /// come, the same way, replaces the first.
    pub fn strike(&self, whom: Whom, fault: Fault) -> usize {
        let lines = lock(&self.path.lines);
        let struck = lines.values().filter(|line| whom == Whom::All || line.is_marked());
        struck.map(|line| line.strike(fault)).count()
    }

    /// The next new connection, or the next that turns out to be marked, gets this fault, before
    /// any of its bytes have passed. Several wait for one connection each.
    pub fn ambush(&self, whom: Whom, fault: Fault) {
        lock(&self.path.ambushes).push_back((whom, fault));
    }

    /// How many marked connections are open and have not fallen silent, neither way.
    pub fn marked_count(&self) -> usize {
        let lines = lock(&self.path.lines);
        lines.values().filter(|line| line.is_marked() && !line.is_silent()).count()
    }

    /// How many marked connections have fallen silent and not been given up yet.
    pub fn silent_count(&self) -> usize {
        let lines = lock(&self.path.lines);
        lines.values().filter(|line| line.is_marked() && line.is_silent()).count()
    }

    /// What has happened since the start.
    pub fn counts(&self) -> Counts {
        self.path.counters.now()
    }

    fn accept(&mut self, door: Door) -> Result<(), SimError> {
        let listener = socket(self.address).and_then(|socket| socket.listen(BACKLOG));
        let listener = listener.map_err(|source| not_opened(self.address, source))?;
        self.accepting = Some(Accepting::start(listener, door, Arc::clone(&self.path)));
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.stop();
        }
        lock(&self.path.lines).values().for_each(|line| line.drop_it());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_opened(address: SocketAddr, source: io::Error) -> SimError {
    SimError::Listen { address: address.to_string(), source }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // So that listener and reservation may have the same port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A listener and the task that takes what comes in.
#[derive(Debug)]
struct Accepting {
    listener: Arc<TcpListener>,
    task: JoinHandle<()>,
}

impl Accepting {
    fn start(listener: TcpListener, door: Door, path: Arc<Path>) -> Self {
        let listener = Arc::new(listener);
        let task = tokio::spawn(accept(Arc::clone(&listener), door, path));
        Self { listener, task }
    }

    /// Closing is not enough: a child of this process has all its descriptors, until it is another
    /// program. As long it would listen: connections are not refused, and the port is taken.
    fn stop(&self) {
        self.task.abort();
        if let Err(error) = rustix::net::shutdown(&self.listener, Shutdown::Read) {
            debug!(%error, "the listener did not stop");
        }
    }

    async fn end(self) {
        self.stop();
        // So that nobody who came in before is met afterwards.
        let _ = self.task.await;
    }
}

async fn accept(listener: Arc<TcpListener>, door: Door, path: Arc<Path>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let (id, line) = path.enter();
                tokio::spawn(attend(client, door, Arc::clone(&path), id, line));
            }
            // Out of descriptors, or the client was gone at once: neither is ours to fail on.
            Err(error) => {
                debug!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

async fn attend(client: TcpStream, door: Door, path: Arc<Path>, id: u64, line: Arc<Line>) {
    match door {
        Door::Ignoring => {
            count(&path.counters.ignored);
            road::ignore(client, &line).await;
        }
        Door::Open | Door::Refusing => road::carry(client, &path, &line).await,
    }
    lock(&path.lines).remove(&id);
}
