//! A road to a server, which is closed for a while, or cut in the middle of what passes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// See the module. It ends with the test's process.
#[derive(Clone)]
pub(crate) struct Road {
    at: SocketAddr,
    state: Arc<State>,
}

/// Which of what passes is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// To the server.
    Forth,
    /// From it.
    Back,
}

struct State {
    /// What the server says of where it is, and what is made of it on the way back.
    renamed: Option<[Vec<u8>; 2]>,
    is_closed: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    /// Bytes each way until it is closed.
    left: [AtomicI64; 2],
    /// Then it stays open, and nothing more arrives.
    is_to_fall_silent: AtomicBool,
}

impl Road {
    pub(crate) fn to(server: SocketAddr) -> Self {
        Self::renaming(server, |_| None)
    }

    /// Of a server that tells clients where it is, which then would go there: so many bytes are
    /// replaced by as many, by where the road is.
    pub(crate) fn renaming(
        server: SocketAddr,
        renamed: impl FnOnce(SocketAddr) -> Option<[Vec<u8>; 2]>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("a port");
        let left = [AtomicI64::new(i64::MAX), AtomicI64::new(i64::MAX)];
        let (is_closed, open, renamed) = (AtomicBool::new(false), Mutex::default(), renamed(at));
        let is_to_fall_silent = AtomicBool::new(false);
        let state = State { renamed, is_closed, open, left, is_to_fall_silent };
        let road = Self { at, state: Arc::new(state) };
        let state = Arc::clone(&road.state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.is_closed.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(server) else { continue };
                let mut open = state.open.lock().expect("nobody panics with it");
                open.extend([client.try_clone(), server.try_clone()].into_iter().flatten());
                drop(open);
                let back = [server.try_clone(), client.try_clone()];
                let passing = Arc::clone(&state);
                thread::spawn(move || passing.pass(Way::Forth, client, server));
                let [Ok(server), Ok(client)] = back else { continue };
                let passing = Arc::clone(&state);
                thread::spawn(move || passing.pass(Way::Back, server, client));
            }
        });
        road
    }

    pub(crate) fn at(&self) -> SocketAddr {
        self.at
    }

    /// Cuts it, and lets nobody pass until it is opened.
    pub(crate) fn close(&self) {
        self.state.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.is_closed.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) {
        self.state.left.iter().for_each(|left| left.store(i64::MAX, Ordering::SeqCst));
        self.state.is_to_fall_silent.store(false, Ordering::SeqCst);
        self.state.is_closed.store(false, Ordering::SeqCst);
    }

    /// Closes it behind so many more bytes.
    pub(crate) fn close_after(&self, way: Way, bytes: i64) {
        self.state.left[way as usize].store(bytes, Ordering::SeqCst);
    }

    /// Behind so many more bytes nothing arrives, while all connections stay, and new ones are
    /// made.
    pub(crate) fn silent_after(&self, way: Way, bytes: i64) {
        self.state.is_to_fall_silent.store(true, Ordering::SeqCst);
        self.close_after(way, bytes);
    }
}

impl State {
    fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        for socket in self.open.lock().expect("nobody panics with it").drain(..) {
            // It may have ended by itself.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn pass(&self, way: Way, mut from: TcpStream, mut to: TcpStream) {
        let left = &self.left[way as usize];
        let mut bytes = [0; 16 * 1024];
        // Of what was left out nothing can be made good.
        let mut is_silent = false;
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            let before = left.fetch_sub(length as i64, Ordering::SeqCst);
            let mut passing = length.min(usize::try_from(before).unwrap_or(0));
            if is_silent {
                passing = 0;
            }
            if let (Some(renamed), Way::Back) = (&self.renamed, way) {
                rename(&mut bytes[..length], renamed);
            }
            if to.write_all(&bytes[..passing]).is_err() {
                break;
            }
            is_silent |= passing < length && self.is_to_fall_silent.load(Ordering::SeqCst);
            if passing < length && !is_silent {
                self.close();
            }
        }
        let _: [io::Result<()>; 2] = [from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)];
    }
}

fn rename(bytes: &mut [u8], [from, to]: &[Vec<u8>; 2]) {
    for at in 0..bytes.len().saturating_sub(from.len() - 1) {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
}
