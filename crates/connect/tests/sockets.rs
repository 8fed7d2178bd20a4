//! The WebSocket against a small server that behaves and misbehaves.

use std::future::Future;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use unbroken_connect::transport::{
    Connection, Dialer, Ended, Header, Method, Origin, Request, Socket, SocketEvent, SocketLimits,
    Sockets, Tls, TransportError,
};
use unbroken_core::ids::ConnId;
use unbroken_core::record::Closer;

const LIMITS: SocketLimits = SocketLimits {
    connect: Duration::from_secs(10),
    write: Duration::from_secs(10),
    frame_bytes_max: 64 * 1024,
};

fn request() -> Request {
    let header =
        Header { name: "Authorization".into(), value: "Bearer hunter2".into(), secret: true };
    Request {
        method: Method::Get,
        path_and_query: "/stream?a=b".into(),
        headers: vec![header],
        body: None,
    }
}

async fn listen() -> (TcpListener, Origin) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("ws://{}", listener.local_addr().unwrap());
    (listener, Origin::stream(&origin, false).unwrap())
}

async fn open(origin: &Origin, limits: SocketLimits) -> Result<Socket, TransportError> {
    Socket::open(&Dialer::direct(Tls::none().unwrap()), origin, &request(), &[], limits).await
}

/// A client connected to a server that runs `talk` after the handshake.
async fn connected<F, T>(limits: SocketLimits, talk: F) -> Socket
where
    F: FnOnce(WebSocketStream<TcpStream>) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let (listener, origin) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        talk(tokio_tungstenite::accept_async(stream).await.unwrap()).await;
    });
    open(&origin, limits).await.unwrap()
}

/// Everything until the socket ends.
async fn until_end(socket: Socket) -> (Vec<SocketEvent>, Ended) {
    rest(Box::new(socket)).await
}

async fn rest(connection: Box<dyn Connection>) -> (Vec<SocketEvent>, Ended) {
    let mut sockets = Sockets::default();
    sockets.insert(ConnId(1), connection);
    let mut events = Vec::new();
    loop {
        let mut batch = Vec::new();
        let next = sockets.next_batch(&mut batch);
        tokio::time::timeout(Duration::from_secs(10), next).await.unwrap();
        for (_, event) in batch {
            match event {
                SocketEvent::Ended(ended) => {
                    assert!(sockets.conns().is_empty());
                    return (events, ended);
                }
                event => events.push(event),
            }
        }
    }
}

fn frame(text: &'static str) -> SocketEvent {
    SocketEvent::Frame(text.into())
}

#[tokio::test]
async fn texts_binaries_and_fragments_arrive_whole() {
    let socket = connected(LIMITS, |mut ws| async move {
        ws.send(Message::text("text")).await.unwrap();
        ws.send(Message::binary(b"binary".as_slice())).await.unwrap();
        let fragment = |bytes: &'static [u8], code, last| {
            Message::Frame(Frame::message(bytes, OpCode::Data(code), last))
        };
        ws.send(fragment(b"in ", Data::Text, false)).await.unwrap();
        ws.send(Message::Ping("are you there".into())).await.unwrap();
        ws.send(fragment(b"three ", Data::Continue, false)).await.unwrap();
        ws.send(fragment(b"parts", Data::Continue, true)).await.unwrap();
        let pong = ws.next().await.unwrap().unwrap();
        assert_eq!(pong, Message::Pong("are you there".into()));
        ws.close(None).await.unwrap();
    })
    .await;
    let (events, ended) = until_end(socket).await;
    assert_eq!(
        events,
        [frame("text"), frame("binary"), SocketEvent::Alive, frame("in three parts")]
    );
    assert_eq!((ended.by, ended.code), (Closer::Vendor, None));
}

#[tokio::test]
async fn a_close_code_says_why_the_vendor_closed() {
    let socket = connected(LIMITS, |mut ws| async move {
        let close = CloseFrame { code: 4401.into(), reason: "hunter2".into() };
        ws.send(Message::Close(Some(close))).await.unwrap();
        while ws.next().await.is_some() {}
    })
    .await;
    let (_, ended) = until_end(socket).await;
    assert_eq!((ended.by, ended.code), (Closer::Vendor, Some(4401)));
    assert!(!ended.what.contains("hunter2"));
}

#[tokio::test]
async fn a_message_above_the_cap_ends_the_socket_on_our_side() {
    for parts in [1, 3] {
        let socket = connected(LIMITS, move |mut ws| async move {
            let part = vec![b'x'; 65 * 1024 / parts];
            for n in 0..parts {
                let code = if n == 0 { Data::Binary } else { Data::Continue };
                let frame = Frame::message(part.clone(), OpCode::Data(code), n + 1 == parts);
                ws.send(Message::Frame(frame)).await.ok();
            }
            while let Some(Ok(_)) = ws.next().await {}
        })
        .await;
        let (events, ended) = until_end(socket).await;
        assert_eq!(events, []);
        assert_eq!((ended.by, ended.code), (Closer::Us, Some(1009)), "{parts} parts");
        assert!(ended.unread.is_some_and(|length| length > 64 * 1024), "{parts} parts");
    }
}

#[tokio::test]
async fn a_half_written_frame_is_no_event_and_the_transport_is_to_blame() {
    let socket = connected(LIMITS, |mut ws| async move {
        ws.send(Message::text("whole")).await.unwrap();
        let mut tcp = ws.into_inner();
        tcp.write_all(&[0x81, 100, b'h', b'a', b'l', b'f']).await.unwrap();
    })
    .await;
    let (events, ended) = until_end(socket).await;
    assert_eq!(events, [frame("whole")]);
    assert_eq!((ended.by, ended.code), (Closer::Transport, None));
}

#[tokio::test]
async fn a_text_that_is_no_utf8_ends_the_socket_on_our_side() {
    let socket = connected(LIMITS, |ws| async move {
        let mut tcp = ws.into_inner();
        tcp.write_all(&[0x81, 2, 0xff, 0xff]).await.unwrap();
        tcp.read_u8().await.unwrap();
    })
    .await;
    let (_, ended) = until_end(socket).await;
    assert_eq!((ended.by, ended.code), (Closer::Us, Some(1007)));
}

#[tokio::test]
async fn a_dropped_socket_says_nothing_and_is_gone_at_once() {
    let (heard, mut hears) = tokio::sync::mpsc::channel(1);
    let socket = connected(LIMITS, |ws| async move {
        let mut tcp = ws.into_inner();
        heard.send(tcp.read(&mut [0; 64]).await.unwrap()).await.unwrap();
    })
    .await;
    drop(socket);
    assert_eq!(hears.recv().await, Some(0), "the end of the stream, and no close frame before it");
}

#[tokio::test]
async fn a_polite_close_says_farewell_and_waits_for_the_answer() {
    let (heard, mut hears) = tokio::sync::mpsc::channel(8);
    let socket = connected(LIMITS, |mut ws| async move {
        while let Some(Ok(message)) = ws.next().await {
            heard.send(message).await.unwrap();
        }
    })
    .await;
    socket.close(vec!["bye".into()]).await;
    assert_eq!(hears.recv().await, Some(Message::text("bye")));
    assert!(
        matches!(hears.recv().await, Some(Message::Close(Some(close))) if close.code == 1000.into())
    );
    assert_eq!(hears.recv().await, None);
}

#[tokio::test]
async fn a_polite_close_does_not_wait_for_ever() {
    let (listener, origin) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let ws = tokio_tungstenite::accept_async(stream).await.unwrap();
        std::future::pending::<()>().await;
        drop(ws);
    });
    let socket = open(&origin, LIMITS).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(10), socket.close(Vec::new())).await;
    assert!(closed.is_ok());
    server.abort();
}

#[tokio::test]
async fn a_refused_handshake_keeps_status_wait_and_body() {
    let (listener, origin) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let length = stream.read(&mut head).await.unwrap();
        let answer = "HTTP/1.1 410 Gone\r\nRetry-After: 2\r\nContent-Length: 25\r\n\r\n\
                      {\"code\":\"stale_sequence\"} ";
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    match open(&origin, LIMITS).await {
        Err(TransportError::Refused { status: 410, retry_after_ms: Some(2_000), body }) => {
            assert!(body.starts_with(br#"{"code":"stale_sequence"}"#), "{body:?}");
        }
        other => panic!("{:?}", other.err()),
    }
    let head = server.await.unwrap();
    assert!(head.starts_with("GET /stream?a=b HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("uthorization: Bearer hunter2\r\n"), "{head}");
}

#[tokio::test]
async fn a_handshake_follows_no_redirect() {
    let (listener, origin) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, address) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        let answer = format!(
            "HTTP/1.1 302 Found\r\nLocation: ws://{address}/other\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        listener
    });
    let refused = open(&origin, LIMITS).await;
    assert!(matches!(refused, Err(TransportError::Refused { status: 302, .. })));
    let listener = server.await.unwrap();
    let again = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(again.is_err(), "nobody came a second time");
}

#[tokio::test]
async fn a_silent_handshake_is_given_up_at_the_deadline() {
    let (listener, origin) = listen().await;
    let limits = SocketLimits { connect: Duration::from_millis(50), ..LIMITS };
    let refused = open(&origin, limits).await;
    assert!(matches!(refused, Err(TransportError::Timeout { limit_ms: 50, .. })));
    drop(listener);
}

#[tokio::test]
async fn a_write_that_nobody_takes_ends_the_socket() {
    let limits = SocketLimits { write: Duration::from_millis(50), ..LIMITS };
    let mut socket = connected(limits, |ws| async move {
        std::future::pending::<()>().await;
        drop(ws);
    })
    .await;
    let text = "x".repeat(1024 * 1024);
    while socket.send(text.clone()).is_ok() {}
    let (_, ended) = until_end(socket).await;
    assert_eq!((ended.by, ended.what.as_str()), (Closer::Transport, "a write took too long"));
}

#[tokio::test]
async fn while_reading_is_stopped_nothing_comes_and_nothing_is_lost() {
    let socket = connected(LIMITS, |mut ws| async move {
        for n in 0..10 {
            ws.send(Message::text(n.to_string())).await.unwrap();
        }
        ws.close(None).await.unwrap();
        while ws.next().await.is_some() {}
    })
    .await;
    let mut sockets = Sockets::default();
    sockets.insert(ConnId(1), Box::new(socket));
    sockets.set_reading(false);
    let mut batch = Vec::new();
    let waited =
        tokio::time::timeout(Duration::from_millis(50), sockets.next_batch(&mut batch)).await;
    assert!(waited.is_err() && batch.is_empty());
    let socket = sockets.remove(ConnId(1)).unwrap();
    let (events, _) = rest(socket).await;
    let expected: Vec<_> = (0..10).map(|n| SocketEvent::Frame(n.to_string().into())).collect();
    assert_eq!(events, expected);
}
