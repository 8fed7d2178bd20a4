//! A vendor with TLS: one that answers requests, one that takes sockets. Both keep what they saw.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::server::{Request as Handshake, Response};
use unbroken_connect::transport::{
    Answer, Dialer, Header, Http, Method, Origin, Request, Socket, SocketEvent, SocketLimits,
    Sockets, TransportError,
};
use unbroken_core::ids::ConnId;

pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
pub(crate) const BEARER: &str = "Bearer hunter2";

/// What was seen, in order.
pub(crate) type Seen = Arc<Mutex<Vec<String>>>;

pub(crate) struct Vendor {
    pub(crate) port: u16,
    /// The head of each request.
    pub(crate) seen: Seen,
}

impl Vendor {
    /// Answers each request with `{}`.
    pub(crate) async fn http(acceptor: TlsAcceptor) -> Self {
        let (listener, vendor) = Self::listen().await;
        let seen = Arc::clone(&vendor.seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { break };
                    head.push(byte);
                }
                seen.lock().unwrap().push(String::from_utf8(head).unwrap());
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
                stream.write_all(answer).await.ok();
                stream.shutdown().await.ok();
            }
        });
        vendor
    }

    /// Greets each socket with `hello`.
    #[expect(clippy::result_large_err, reason = "the library's callback is of this type")]
    pub(crate) async fn sockets(acceptor: TlsAcceptor) -> Self {
        let (listener, vendor) = Self::listen().await;
        let seen = Arc::clone(&vendor.seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let seen = Arc::clone(&seen);
                let look = move |handshake: &Handshake, response: Response| {
                    seen.lock().unwrap().push(format!("{:?}", handshake.headers()));
                    Ok(response)
                };
                let accepted = tokio_tungstenite::accept_hdr_async(stream, look).await;
                let Ok(mut ws) = accepted else { continue };
                ws.send("hello".into()).await.ok();
            }
        });
        vendor
    }

    async fn listen() -> (TcpListener, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, Self { port, seen: Seen::default() })
    }

    pub(crate) fn saw(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn request() -> Request {
    let bearer = Header { name: "authorization".into(), value: BEARER.into(), secret: true };
    let path_and_query = "/v1".to_owned();
    Request { method: Method::Get, path_and_query, headers: vec![bearer], body: None }
}

/// Asks `host` over TLS.
pub(crate) async fn ask(
    dialer: &Dialer,
    host: &str,
    port: u16,
    deadline: Duration,
) -> Result<Answer, TransportError> {
    let origin = Origin::api(&format!("https://{host}:{port}"), false).unwrap();
    Http::new(dialer.clone(), 1024).send(&origin, &request(), deadline).await
}

/// Opens a socket at `host` over TLS.
pub(crate) async fn open(
    dialer: &Dialer,
    host: &str,
    port: u16,
    deadline: Duration,
) -> Result<Socket, TransportError> {
    let origin = Origin::stream(&format!("wss://{host}:{port}"), false).unwrap();
    let limits = SocketLimits { connect: deadline, write: DEADLINE, frame_bytes_max: 64 * 1024 };
    Socket::open(dialer, &origin, &request(), &[], limits).await
}

/// Waits for the greeting.
pub(crate) async fn greeted(socket: Socket) {
    let mut sockets = Sockets::default();
    sockets.insert(ConnId(1), Box::new(socket));
    let mut batch = Vec::new();
    tokio::time::timeout(DEADLINE, sockets.next_batch(&mut batch)).await.unwrap();
    assert_eq!(batch[0], (ConnId(1), SocketEvent::Frame("hello".into())));
}
