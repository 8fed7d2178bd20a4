//! One connection's bytes, whatever carries them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::latency::Delayed;

/// What carries a connection, and can break it.
pub(crate) trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {
    /// From now on dropping the connection resets it instead of closing it.
    fn arm_reset(&self) -> io::Result<()>;
}

impl Carrier for TcpStream {
    fn arm_reset(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl Carrier for Delayed {
    fn arm_reset(&self) -> io::Result<()> {
        self.reset_when_through();
        Ok(())
    }
}

impl<C: Carrier> Carrier for TlsStream<C> {
    fn arm_reset(&self) -> io::Result<()> {
        self.get_ref().0.arm_reset()
    }
}

/// A connection.
pub(crate) struct Wire(Box<dyn Carrier>);

impl Wire {
    pub(crate) fn new(carrier: impl Carrier + 'static) -> Self {
        Self(Box::new(carrier))
    }

    /// Breaks the connection with a TCP reset; what the client has not read yet is lost to it.
    pub(crate) fn reset(self) {
        // A socket that cannot be armed is gone already.
        let _ = self.0.arm_reset();
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
