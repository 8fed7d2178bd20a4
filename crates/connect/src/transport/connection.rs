//! What the driver needs of a connection, whatever it is made of.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use unbroken_core::connector::Item;

use crate::secret::Secret;
use crate::transport::socket::{Ended, Socket, SocketEvent};

/// What an answer to a question tells, of a source that is polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What the answer confirms: comes before its events.
    pub before: Vec<Item>,
    /// Its body; `None`: nothing new.
    pub frame: Option<Bytes>,
    /// The place behind it.
    pub behind: Vec<Item>,
}

/// A socket, or something that is asked again and again.
pub trait Connection: Send {
    /// The next event; while not `reading`, none is given.
    fn poll_event(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<SocketEvent>;

    /// Says a text.
    ///
    /// # Errors
    /// If it is broken.
    fn send(&mut self, text: String) -> Result<(), Ended>;

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// If it is broken.
    fn ping(&mut self) -> Result<(), Ended>;

    /// Takes a renewed token for what it asks from now on. A socket asks nothing.
    fn renew(&mut self, token: &Secret);

    /// The subprotocol that the vendor has chosen, if it has.
    fn subprotocol(&self) -> Option<&str>;

    /// Says `farewell` and closes, bounded in time; whether the other side closed too.
    fn close(self: Box<Self>, farewell: Vec<String>) -> Pin<Box<dyn Future<Output = bool> + Send>>;
}

impl Connection for Socket {
    fn poll_event(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<SocketEvent> {
        Socket::poll_event(self, cx, reading)
    }

    fn send(&mut self, text: String) -> Result<(), Ended> {
        Socket::send(self, text)
    }

    fn ping(&mut self) -> Result<(), Ended> {
        Socket::ping(self)
    }

    fn renew(&mut self, _token: &Secret) {}

    fn subprotocol(&self) -> Option<&str> {
        Socket::subprotocol(self)
    }

    fn close(self: Box<Self>, farewell: Vec<String>) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        Box::pin(Socket::close(*self, farewell))
    }
}
