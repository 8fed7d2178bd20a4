//! A longer road: bytes are held for a time each way, in order, and so are a close and a reset.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// Bytes that may be under way in each direction: far above what the vendor writes in one delay.
const ROAD_BYTES_MAX: usize = 4 << 20;
/// Most bytes read at once.
const READ_BYTES_MAX: usize = 64 << 10;

/// The near end of a socket whose bytes take a time to pass.
pub(crate) struct Delayed {
    near: DuplexStream,
    reset: Arc<AtomicBool>,
}

impl Delayed {
    /// Lengthens a socket's road. The far part runs in a task that ends with the connection.
    pub(crate) fn new(socket: TcpStream, delay: Duration) -> Self {
        let (near, far) = duplex(READ_BYTES_MAX);
        let reset = Arc::new(AtomicBool::new(false));
        tokio::spawn(carry(socket, far, delay, Arc::clone(&reset)));
        Self { near, reset }
    }

    /// When the near end is dropped, the socket is reset, after all that was written before.
    pub(crate) fn reset_when_through(&self) {
        self.reset.store(true, Ordering::Release);
    }
}

impl AsyncRead for Delayed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_read(cx, buf)
    }
}

impl AsyncWrite for Delayed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.near).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_shutdown(cx)
    }
}

async fn carry(mut socket: TcpStream, far: DuplexStream, delay: Duration, reset: Arc<AtomicBool>) {
    let (far_read, far_write) = tokio::io::split(far);
    {
        let (socket_read, socket_write) = socket.split();
        let outward = road(far_read, socket_write, delay, &reset);
        let never = AtomicBool::new(false);
        let inward = road(socket_read, far_write, delay, &never);
        tokio::pin!(outward, inward);
        // The near end's going ends the connection; the client's going is passed on to the near
        // end, which then goes too.
        tokio::select! {
            () = &mut outward => {}
            () = &mut inward => outward.await,
        }
    }
    if reset.load(Ordering::Acquire) {
        // A socket that cannot be armed is gone already.
        let _ = socket.set_zero_linger();
    }
}

/// Moves bytes one way, each chunk `delay` after it came; returns when the source has ended and all
/// has passed, or when the target is gone. The end is passed on unless it is to be a reset.
async fn road(
    mut source: impl AsyncRead + Unpin,
    mut target: impl AsyncWrite + Unpin,
    delay: Duration,
    reset: &AtomicBool,
) {
    let mut queue: VecDeque<(Instant, Bytes)> = VecDeque::new();
    let mut queued_bytes = 0;
    let mut buffer = BytesMut::new();
    let mut ended: Option<Instant> = None;
    loop {
        let due = queue.front().map(|(due, _)| *due).or(ended);
        buffer.reserve(READ_BYTES_MAX);
        let has_room = ended.is_none() && queued_bytes < ROAD_BYTES_MAX;
        tokio::select! {
            read = source.read_buf(&mut buffer), if has_room => {
                match read {
                    Ok(count) if count > 0 => {
                        queued_bytes += count;
                        queue.push_back((Instant::now() + delay, buffer.split().freeze()));
                    }
                    _ => ended = Some(Instant::now() + delay),
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let Some((_, bytes)) = queue.pop_front() else { break };
                queued_bytes -= bytes.len();
                if target.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }
    }
    if !reset.load(Ordering::Acquire) {
        // A target that refuses its end is gone already.
        let _ = target.shutdown().await;
    }
}
