//! What a dialect is to the sockets that carry it.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::sync::watch;

use super::wire::Wire;
use crate::truth::SubscriptionEnd;

/// Something to do with a stream, from outside of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Say a text.
    Say(String),
    /// Close with a close frame.
    Close { code: u16, reason: &'static str },
    /// Reset the TCP connection; with half a frame first, if so.
    Reset { mid_frame: bool },
    /// Swallow everything, say nothing.
    HalfOpen,
}

/// A vendor behind its listener. Streams are named by the number of their connection.
pub(crate) trait House: Send + Sync + Sized + 'static {
    /// Delay added to every byte, each way, in milliseconds.
    fn latency_ms(&self) -> u64;

    /// Between two heartbeats on a stream, in milliseconds.
    fn heartbeat_ms(&self) -> u64;

    /// A connection arrives; `false`: it is reset.
    fn admit(&self) -> bool;

    /// Serves a connection until it is gone.
    fn serve(self: Arc<Self>, wire: Wire) -> impl Future<Output = ()> + Send;

    /// Wakes when there may be events or commands.
    fn sleeper(&self) -> watch::Receiver<()>;

    /// Takes the next thing to do with a stream and writes the frames that are due; the flag says
    /// whether there are more.
    fn fill(&self, conn: u64, out: &mut BytesMut) -> (Option<Command>, bool);

    /// Whether there is something to do with a stream that cannot wait for a slow reader.
    fn must_break(&self, conn: u64) -> bool;

    /// What was filled is in the hands of the operating system.
    fn delivered(&self, conn: u64);

    /// The heartbeat of a stream and the payload of the ping that follows it; `None`: it is left
    /// out.
    fn heartbeat(&self, conn: u64) -> Option<(String, [u8; 16])>;

    /// The client answered a ping.
    fn pong(&self, payload: &[u8]);

    /// The answer to a client's message; `None`: there is none.
    fn answer(&self, conn: u64, payload: &[u8]) -> Option<String>;

    /// A command was carried out on a stream.
    fn performed(&self, conn: u64, command: &Command);

    /// A stream's socket is gone.
    fn closed(&self, conn: u64, end: SubscriptionEnd);
}
