//! One connection: requests one after another, and perhaps a stream at the end.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::hub::Hub;
use super::stream;
use super::token::refusal;
use crate::load::Call;
use crate::server::http::{Request, Response, read_request};
use crate::server::wire::Wire;

/// What an answer leads to.
enum Answer {
    Plain(Response),
    /// The handshake is accepted: the connection and the accept key.
    Stream(u64, String),
}

/// Serves a connection until it is gone.
pub(crate) async fn serve(hub: Arc<Hub>, mut wire: Wire) {
    let mut buffer = BytesMut::new();
    loop {
        // What is not HTTP is not answered: there is no telling what the client would understand.
        let Ok(Some(request)) = read_request(&mut wire, &mut buffer).await else { break };
        let mut out = BytesMut::new();
        match route(&hub, &request) {
            Answer::Plain(response) => {
                response.write(&mut out);
                let written = wire.write_all(&out).await.is_ok() && wire.flush().await.is_ok();
                if !written || request.wants_close() {
                    break;
                }
            }
            Answer::Stream(conn, accept) => {
                let head = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                     Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
                );
                // If this fails the stream finds out at its first read.
                let _ = wire.write_all(head.as_bytes()).await;
                let _ = wire.flush().await;
                stream::serve(hub, conn, wire, buffer).await;
                return;
            }
        }
    }
    // A client that has gone does not hear the end.
    let _ = wire.shutdown().await;
}

fn route(hub: &Hub, request: &Request) -> Answer {
    let mut state = hub.lock();
    let now_ms = hub.clock.now_ms();
    let call = match request.path.as_str() {
        "/token" => Some(Call::Token),
        "/api/v2/wfm/schedules" => Some(Call::Rest),
        "/notifications/v1/stream" => Some(Call::Handshake),
        _ => None,
    };
    if let Some(call) = call {
        state.load.count(now_ms, call);
    }
    match request.path.as_str() {
        "/token" if request.method == "POST" => {
            let response = state.tokens.grant(request, now_ms);
            if response.status == 200 {
                state.fault_on_granted();
            }
            Answer::Plain(response)
        }
        "/token" => Answer::Plain(refusal(405, "method_not_allowed", "only POST")),
        "/api/v2/wfm/schedules" => Answer::Plain(state.schedules(request)),
        "/notifications/v1/stream" => {
            let key = request.header("sec-websocket-key").filter(|_| request.wants_websocket());
            let Some(key) = key else {
                return Answer::Plain(refusal(426, "upgrade_required", "only websocket"));
            };
            if let Err(denied) = state.tokens.check(request.bearer(), None, now_ms) {
                state.fault_on_denied(denied);
                return Answer::Plain(denied.response());
            }
            if state.fault_on_handshake() {
                return Answer::Plain(refusal(
                    410,
                    "stale_sequence",
                    "read a baseline, then connect again",
                ));
            }
            Answer::Stream(state.open_session(), derive_accept_key(key.as_bytes()))
        }
        _ => Answer::Plain(refusal(404, "not_found", "no such path")),
    }
}
