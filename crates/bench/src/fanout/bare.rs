//! The barest server: axum, a broadcast channel, and a task per client that sends what comes.
//! No replay, no cursor, no access control, no bounds, no heartbeats; and nothing is ever too slow
//! for it, for the channel holds the whole run.

use std::io;
use std::net::SocketAddr;
use std::thread;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::broadcast::Sender;

/// Starts it on a free port. It serves until the process ends.
pub(super) fn start(events: Sender<Utf8Bytes>) -> io::Result<SocketAddr> {
    // As many threads as the relay has on the one core that both are bound to.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/v1/ws", get(upgrade)).with_state(events);
    thread::spawn(move || runtime.block_on(async { axum::serve(listener, router).await }));
    Ok(address)
}

async fn upgrade(State(events): State<Sender<Utf8Bytes>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| converse(socket, events))
}

async fn converse(mut socket: WebSocket, events: Sender<Utf8Bytes>) {
    // What the client says is that it wants everything from now on.
    let Some(Ok(_)) = socket.recv().await else { return };
    let mut events = events.subscribe();
    if socket.send(Message::text(r#"{"type":"subscribed"}"#)).await.is_err() {
        return;
    }
    while let Ok(message) = events.recv().await {
        if socket.send(Message::Text(message)).await.is_err() {
            return;
        }
    }
}
