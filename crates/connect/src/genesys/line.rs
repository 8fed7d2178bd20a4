//! The socket of a channel.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use tokio::time::Sleep;
use unbroken_core::connector::{Failure, Item};
use unbroken_core::ids::StreamId;
use unbroken_core::record::Closer;

use crate::genesys::channel::Channel;
use crate::genesys::client::retry;
use crate::genesys::vendor::Genesys;
use crate::secret::Secret;
use crate::transport::{CLOSE_LIMIT, Connection, Ended, Socket, SocketEvent, Told};

/// A channel in use. Dropping it leaves the channel to be used again.
pub(super) struct Seat(Arc<Channel>);

impl Seat {
    pub(super) fn take(channel: &Arc<Channel>) -> Self {
        channel.is_busy.store(true, Ordering::Relaxed);
        Self(Arc::clone(channel))
    }

    pub(super) fn channel(&self) -> &Arc<Channel> {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.is_busy.store(false, Ordering::Relaxed);
    }
}

/// See the module.
pub(crate) struct Line {
    pub(super) socket: Socket,
    pub(super) stream: StreamId,
    pub(super) seat: Seat,
    pub(super) genesys: Arc<Genesys>,
    pub(super) token: Option<Secret>,
    /// What the subscription has come to; told once, before everything else.
    pub(super) confirms: Option<Vec<Item>>,
    /// When a second channel has to take over.
    pub(super) rotation: Option<Pin<Box<Sleep>>>,
    /// What the channel shall hold; `None`: it does not hold it all anyway.
    pub(super) topics: Option<Arc<[String]>>,
    pub(super) look: Look,
}

type Looking = Pin<Box<dyn Future<Output = Result<Option<bool>, Failure>> + Send>>;

/// Heartbeats prove no subscription, and where there is no snapshot no audit does: now and then the
/// vendor is asked what the channel holds.
pub(super) enum Look {
    /// Until the next one.
    Resting(Pin<Box<Sleep>>),
    /// It is being asked.
    Asking(Looking),
}

impl Line {
    /// Why the channel brings nothing any more, if that has shown itself.
    fn poll_look(&mut self, cx: &mut Context<'_>) -> Option<&'static str> {
        let topics = self.topics.as_ref()?;
        loop {
            match &mut self.look {
                Look::Resting(until) => {
                    if until.as_mut().poll(cx).is_pending() {
                        return None;
                    }
                    let (genesys, channel) = (&self.genesys, self.seat.channel());
                    let (genesys, channel) = (Arc::clone(genesys), Arc::clone(channel));
                    let (topics, token) = (Arc::clone(topics), self.token.clone());
                    self.look = Look::Asking(Box::pin(async move {
                        channel.has(genesys.client(), &topics, token.as_ref()).await
                    }));
                }
                Look::Asking(answer) => {
                    let Poll::Ready(answer) = answer.as_mut().poll(cx) else { return None };
                    self.look = self.genesys.rest();
                    match answer {
                        Ok(None) => {
                            self.genesys.note_gone(&self.stream, self.seat.channel());
                            return Some("channel is gone, although its socket is up");
                        }
                        Ok(Some(false)) => {
                            return Some("channel's subscriptions were changed by somebody else");
                        }
                        // What else may be wrong shows itself elsewhere.
                        Ok(Some(true)) | Err(_) => {}
                    }
                }
            }
        }
    }

    fn told(items: Vec<Item>) -> Poll<SocketEvent> {
        Poll::Ready(SocketEvent::Told(Told { before: items, frame: None, behind: Vec::new() }))
    }
}

impl Connection for Line {
    fn poll_event(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<SocketEvent> {
        if let Some(items) = self.confirms.take_if(|_| reading) {
            return Self::told(items);
        }
        let is_due = self.rotation.as_mut().is_some_and(|at| at.as_mut().poll(cx).is_ready());
        if is_due && reading {
            self.rotation = None;
            let left = self.seat.channel().until(100);
            let within_ms = u64::try_from(left.as_millis()).ok();
            return Self::told(vec![Item::Closing { within_ms }]);
        }
        // What it finds is told once: not while nobody listens.
        if reading && let Some(what) = self.poll_look(cx) {
            let (failure, what) = (Some(retry(what)), what.to_owned());
            let by = Closer::Vendor;
            return Poll::Ready(SocketEvent::Ended(Ended {
                by,
                code: None,
                what,
                unread: None,
                failure,
            }));
        }
        let event = Socket::poll_event(&mut self.socket, cx, reading);
        if let Poll::Ready(SocketEvent::Frame(frame)) = &event {
            self.seat.channel().note_frame(frame);
        }
        event
    }

    fn send(&mut self, text: String) -> Result<(), Ended> {
        Socket::send(&mut self.socket, text)
    }

    fn ping(&mut self) -> Result<(), Ended> {
        Socket::ping(&mut self.socket)
    }

    fn renew(&mut self, token: &Secret) {
        self.token = Some(token.clone());
    }

    fn subprotocol(&self) -> Option<&str> {
        Socket::subprotocol(&self.socket)
    }

    /// The channel is given up too: it counts among those that the account has.
    fn close(self: Box<Self>, farewell: Vec<String>) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        Box::pin(async move {
            let Self { socket, stream, seat, genesys, token, .. } = *self;
            let release = genesys.release(&stream, seat.channel(), token.as_ref());
            let released = tokio::time::timeout(CLOSE_LIMIT, release);
            let (closed, _) = tokio::join!(socket.close(farewell), released);
            closed
        })
    }
}
