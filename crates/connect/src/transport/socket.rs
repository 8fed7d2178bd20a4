//! One WebSocket: frames in as [`Bytes`], texts out, an end with who and why.
//!
//! Everything is polled by one task, so that a batch of frames costs no hand-over between tasks.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::Sleep;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use unbroken_core::connector::Failure;
use unbroken_core::record::Closer;

use crate::transport::connection::Told;
use crate::transport::dialer::{Dialer, Pipe};
use crate::transport::error::TransportError;
use crate::transport::http::{header_map, millis};
use crate::transport::origin::Origin;
use crate::transport::request::Request;
use crate::transport::retry_after::retry_after_ms;
use crate::transport::stage::{Stage, Step};

/// How long a polite close may take: a vendor that does not answer is not worth waiting for, and a
/// stop must end within seconds.
pub const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Bytes that may wait in our write buffer. Messages to a vendor are small; more means that it has
/// stopped reading.
const WRITE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bounds of a socket.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// From the first packet to the accepted handshake.
    pub connect: Duration,
    /// How long a message may wait to be taken by the network.
    pub write: Duration,
    /// Bytes of a message, whole.
    pub frame_bytes_max: usize,
}

/// What came from a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketEvent {
    /// A message, text or binary, put together from its fragments.
    Frame(Bytes),
    /// An answer of a source that is polled.
    Told(Told),
    /// A sign of life: a ping or pong of the protocol (pings were answered), an answer that tells
    /// nothing.
    Alive,
    /// The socket is gone; nothing follows.
    Ended(Ended),
}

/// How a socket ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Who ended it.
    pub by: Closer,
    /// The close code, where one was sent.
    pub code: Option<u16>,
    /// A few words for a person.
    pub what: String,
    /// Length in bytes of what came and could not be read, 0 if nobody knows; `None` if nothing
    /// came. A vendor that is asked from the same place will send it again.
    pub unread: Option<u64>,
    /// What it calls for, where that is known already.
    pub failure: Option<Failure>,
}

/// An open socket. Dropping it closes the TCP connection at once, without a word.
pub struct Socket {
    ws: WebSocketStream<Box<dyn Pipe>>,
    write_limit: Duration,
    frame_bytes_max: usize,
    subprotocol: Option<String>,
    /// Frames that came before somebody wanted them.
    early: VecDeque<Bytes>,
    /// Set while something written has not been taken by the network.
    write_deadline: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// If no connection came about in time, or the vendor answered with a status.
    pub async fn open(
        dialer: &Dialer,
        origin: &Origin,
        request: &Request,
        subprotocols: &[String],
        limits: SocketLimits,
    ) -> Result<Self, TransportError> {
        let stage = Stage::new();
        let connect = Self::connect(dialer, origin, request, subprotocols, limits, &stage);
        match tokio::time::timeout(limits.connect, connect).await {
            Ok(result) => result,
            Err(_) => Err(stage.timeout(millis(limits.connect))),
        }
    }

    async fn connect(
        dialer: &Dialer,
        origin: &Origin,
        request: &Request,
        subprotocols: &[String],
        limits: SocketLimits,
        stage: &Stage,
    ) -> Result<Self, TransportError> {
        let handshake = handshake_request(origin, request, subprotocols)?;
        let pipe = dialer.dial(origin, stage).await?;
        stage.enter(Step::Exchange("handshake"));
        let (host, _) = origin.host_and_port();
        let config = WebSocketConfig::default()
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BYTES_MAX)
            .max_frame_size(Some(limits.frame_bytes_max))
            .max_message_size(Some(limits.frame_bytes_max));
        match client_async_with_config(handshake, pipe, Some(config)).await {
            Ok((ws, response)) => Ok(Self {
                ws,
                subprotocol: subprotocol(&response),
                write_limit: limits.write,
                frame_bytes_max: limits.frame_bytes_max,
                early: VecDeque::new(),
                write_deadline: None,
            }),
            Err(Error::Http(response)) => Err(refused(&response)),
            Err(error) => Err(TransportError::network("handshake", &host, error)),
        }
    }

    /// The subprotocol that the vendor has chosen, if it has.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Hands a text to the network; what the network does not take at once is written while the
    /// socket is polled, within the write deadline.
    ///
    /// # Errors
    /// If the socket is broken.
    pub fn send(&mut self, text: String) -> Result<(), Ended> {
        self.write(Message::text(text))
    }

    /// Sends a ping of the protocol.
    ///
    /// # Errors
    /// If the socket is broken.
    pub fn ping(&mut self) -> Result<(), Ended> {
        self.write(Message::Ping(Bytes::new()))
    }

    /// Gives a frame back: it will come again, behind those that were given back before.
    pub(crate) fn put_back(&mut self, frame: Bytes) {
        self.early.push_back(frame);
    }

    /// The next frame that is not one given back.
    ///
    /// # Errors
    /// If the socket ends.
    pub(crate) async fn next_frame(&mut self) -> Result<Bytes, Ended> {
        loop {
            let early = std::mem::take(&mut self.early);
            let event = std::future::poll_fn(|cx| self.poll_event(cx, true)).await;
            self.early = early;
            match event {
                SocketEvent::Frame(frame) => return Ok(frame),
                SocketEvent::Alive | SocketEvent::Told(_) => {}
                SocketEvent::Ended(ended) => return Err(ended),
            }
        }
    }

    fn write(&mut self, message: Message) -> Result<(), Ended> {
        Pin::new(&mut self.ws).start_send(message).map_err(|error| self.ended(&error))?;
        let limit = self.write_limit;
        self.write_deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        Ok(())
    }

    /// Says `farewell`, sends a close frame and waits for the other side's, all within
    /// [`CLOSE_LIMIT`]; then the connection is dropped. Returns whether the other side closed too.
    pub async fn close(mut self, farewell: Vec<String>) -> bool {
        let mut closed = false;
        let talk = async {
            for text in farewell {
                self.ws.feed(Message::text(text)).await?;
            }
            let reason = Utf8Bytes::from_static("");
            let close = CloseFrame { code: CloseCode::Normal, reason };
            self.ws.send(Message::Close(Some(close))).await?;
            while let Some(message) = self.ws.next().await {
                closed |= matches!(message?, Message::Close(_));
            }
            Ok::<(), Error>(())
        };
        if let Ok(Err(error)) = tokio::time::timeout(CLOSE_LIMIT, talk).await {
            tracing::debug!(error = %error, "polite close failed");
        }
        closed
    }

    /// The next event; while not `reading`, only writes go on.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<SocketEvent> {
        if let Some(deadline) = &mut self.write_deadline {
            match Pin::new(&mut self.ws).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.write_deadline = None,
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(SocketEvent::Ended(self.ended(&error)));
                }
                Poll::Pending if deadline.as_mut().poll(cx).is_ready() => {
                    return Poll::Ready(SocketEvent::Ended(transport("a write took too long")));
                }
                Poll::Pending => {}
            }
        }
        if !reading {
            return Poll::Pending;
        }
        if let Some(frame) = self.early.pop_front() {
            return Poll::Ready(SocketEvent::Frame(frame));
        }
        Poll::Ready(match ready!(Pin::new(&mut self.ws).poll_next(cx)) {
            Some(Ok(Message::Text(text))) => SocketEvent::Frame(text.into()),
            Some(Ok(Message::Binary(bytes))) => SocketEvent::Frame(bytes),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => SocketEvent::Alive,
            Some(Ok(Message::Close(frame))) => {
                // Our answer to the close frame is queued; one try to send it is courtesy enough.
                let _: Poll<Result<(), Error>> = Pin::new(&mut self.ws).poll_flush(cx);
                let code = frame.map(|frame| u16::from(frame.code));
                let what = "vendor closed".to_owned();
                SocketEvent::Ended(Ended {
                    by: Closer::Vendor,
                    code,
                    what,
                    unread: None,
                    failure: None,
                })
            }
            Some(Err(error)) => SocketEvent::Ended(self.ended(&error)),
            None => SocketEvent::Ended(transport("connection ended")),
        })
    }

    fn ended(&self, error: &Error) -> Ended {
        let ours = |code, length, what: String| Ended {
            by: Closer::Us,
            code: Some(code),
            what,
            unread: Some(length),
            failure: None,
        };
        match error {
            Error::Io(error) => transport(&error.kind().to_string()),
            Error::ConnectionClosed | Error::AlreadyClosed => transport("connection ended"),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                transport("connection ended without a close frame")
            }
            Error::Capacity(error) => {
                let length = match error {
                    CapacityError::MessageTooLong { size, .. } => *size as u64,
                    CapacityError::TooManyHeaders => 0,
                };
                ours(1009, length, format!("frame is larger than {} bytes", self.frame_bytes_max))
            }
            Error::WriteBufferFull(_) => transport("writes are not taken"),
            Error::Utf8(_) => ours(1007, 0, "text frame is no UTF-8".into()),
            _ => ours(1002, 0, "frame breaks the WebSocket protocol".into()),
        }
    }
}

fn transport(what: &str) -> Ended {
    Ended { by: Closer::Transport, code: None, what: what.to_owned(), unread: None, failure: None }
}

type HandshakeRequest = tokio_tungstenite::tungstenite::handshake::client::Request;
type HandshakeResponse = tokio_tungstenite::tungstenite::handshake::client::Response;

fn handshake_request(
    origin: &Origin,
    request: &Request,
    subprotocols: &[String],
) -> Result<HandshakeRequest, TransportError> {
    let wrong = |what| TransportError::Request { what };
    let url = origin
        .join(&request.path_and_query)
        .ok_or_else(|| wrong("its path holds `..` or would leave the configured origin"))?;
    let mut handshake = url
        .as_str()
        .into_client_request()
        .map_err(|_| wrong("the stream's URL is none that a handshake can use"))?;
    let headers = handshake.headers_mut();
    headers.extend(header_map(&request.headers)?);
    if !subprotocols.is_empty() {
        let value = HeaderValue::try_from(subprotocols.join(", "))
            .map_err(|_| wrong("a subprotocol holds characters that none may hold"))?;
        headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
    }
    Ok(handshake)
}

fn subprotocol(response: &HandshakeResponse) -> Option<String> {
    let chosen = response.headers().get(SEC_WEBSOCKET_PROTOCOL)?;
    Some(chosen.to_str().ok()?.to_owned())
}

fn refused(response: &HandshakeResponse) -> TransportError {
    let retry_after_ms = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after_ms(value, jiff::Timestamp::now()));
    let body = response.body().as_deref().map(Bytes::copy_from_slice).unwrap_or_default();
    TransportError::Refused { status: response.status().as_u16(), retry_after_ms, body }
}
