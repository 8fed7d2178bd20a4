//! The open sockets of a source, polled together.

use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;
use unbroken_core::ids::ConnId;

use crate::secret::Secret;
use crate::transport::connection::Connection;
use crate::transport::socket::{Ended, SocketEvent};

/// Most events handed over at once: enough to spread the cost of a wake-up, few enough for the
/// machine's timers to be met.
const BATCH_EVENTS_MAX: usize = 256;

/// Most bytes handed over at once (one event may be larger).
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Several sockets at once: a hand-over has two.
#[derive(Default)]
pub struct Sockets {
    open: Vec<(ConnId, Box<dyn Connection>)>,
    stopped: bool,
    /// Where the next round begins, so that a busy socket cannot starve another.
    first: usize,
}

impl Sockets {
    /// Adds an open socket.
    pub fn insert(&mut self, conn: ConnId, socket: Box<dyn Connection>) {
        self.open.push((conn, socket));
    }

    /// Takes a socket out; dropping it closes it at once.
    pub fn remove(&mut self, conn: ConnId) -> Option<Box<dyn Connection>> {
        let at = self.open.iter().position(|(known, _)| *known == conn)?;
        Some(self.open.swap_remove(at).1)
    }

    /// The sockets' numbers.
    pub fn conns(&self) -> Vec<ConnId> {
        self.open.iter().map(|(conn, _)| *conn).collect()
    }

    /// Stops or resumes reading on all of them. What the vendor sends meanwhile waits in the
    /// kernel, and then at the vendor.
    pub fn set_reading(&mut self, reading: bool) {
        self.stopped = !reading;
    }

    /// Whether they are read.
    pub fn is_reading(&self) -> bool {
        !self.stopped
    }

    /// Sends a text, or a ping of the protocol. `None`: there is no such socket.
    pub fn send(&mut self, conn: ConnId, text: Option<String>) -> Option<Result<(), Ended>> {
        let (_, socket) = self.open.iter_mut().find(|(known, _)| *known == conn)?;
        Some(match text {
            Some(text) => socket.send(text),
            None => socket.ping(),
        })
    }

    /// Hands a renewed token to a connection that asks by itself.
    pub fn renew(&mut self, conn: ConnId, token: &Secret) {
        if let Some((_, socket)) = self.open.iter_mut().find(|(known, _)| *known == conn) {
            socket.renew(token);
        }
    }

    /// Waits until something came, then takes everything that is there, up to a bound. A socket
    /// that ended is taken out. Nothing is lost if the future is dropped.
    pub async fn next_batch(&mut self, batch: &mut Vec<(ConnId, SocketEvent)>) {
        poll_fn(|cx| self.poll_batch(cx, batch)).await;
    }

    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Vec<(ConnId, SocketEvent)>,
    ) -> Poll<()> {
        let (mut bytes, before) = (0, batch.len());
        self.first = self.first.wrapping_add(1);
        let (count, reading) = (self.open.len(), !self.stopped);
        for turn in 0..count {
            let at = self.first.wrapping_add(turn) % count;
            let Some((conn, socket)) = self.open.get_mut(at) else { continue };
            while batch.len() - before < BATCH_EVENTS_MAX && bytes < BATCH_BYTES_MAX {
                let Poll::Ready(event) = socket.poll_event(cx, reading) else { break };
                bytes += match &event {
                    SocketEvent::Frame(frame) => frame.len(),
                    SocketEvent::Told(told) => told.frame.as_ref().map_or(0, Bytes::len),
                    SocketEvent::Alive | SocketEvent::Ended(_) => 0,
                };
                let ended = matches!(event, SocketEvent::Ended(_));
                batch.push((*conn, event));
                if ended {
                    break;
                }
            }
        }
        for (conn, event) in batch.iter().skip(before) {
            if matches!(event, SocketEvent::Ended(_)) {
                self.open.retain(|(known, _)| known != conn);
            }
        }
        if batch.len() > before { Poll::Ready(()) } else { Poll::Pending }
    }
}
