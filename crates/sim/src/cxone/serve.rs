//! One connection: requests one after another, and perhaps a stream at the end.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::hub::{Hub, State};
use super::token::refusal;
use crate::load::Call;
use crate::server::http::{Request, Response, read_request};
use crate::server::stream;
use crate::server::wire::Wire;

/// What an answer leads to.
enum Answer {
    /// After a delay in milliseconds.
    Plain(Response, u64),
    /// Nobody answers any more.
    Gone,
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
            Answer::Gone => return wire.reset(),
            Answer::Plain(response, delay_ms) => {
                if delay_ms > 0 {
                    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                    hub.lock().fault_on_paced();
                }
                response.write(told_us(&hub), &mut out);
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

/// The time by the vendor's clock.
fn told_us(hub: &Hub) -> i64 {
    hub.clock.wall_us() + hub.lock().world.told_offset_us
}

fn route(hub: &Hub, request: &Request) -> Answer {
    let call = match request.path.as_str() {
        "/token" => Call::Token,
        "/api/v2/wfm/schedules" => Call::Rest,
        "/notifications/v1/stream" => Call::Handshake,
        _ => return Answer::Plain(refusal(404, "not_found", "no such path"), 0),
    };
    let now_ms = hub.clock.now_ms();
    let mut state = hub.lock();
    state.load.count(now_ms, call);
    if state.is_down() {
        return Answer::Gone;
    }
    if let Some(refused) = state.fault_on_request(call) {
        return Answer::Plain(refused, 0);
    }
    match call {
        Call::Token if request.method != "POST" => {
            Answer::Plain(refusal(405, "method_not_allowed", "only POST"), 0)
        }
        Call::Token => {
            let response = state.tokens.grant(request, now_ms);
            if response.status == 200 {
                state.fault_on_granted();
            }
            Answer::Plain(response, 0)
        }
        Call::Rest => {
            let response = state.schedules(request);
            let delay_ms = state.fault_on_pace();
            Answer::Plain(response, delay_ms)
        }
        Call::Handshake | Call::Connection => shake_hands(&mut state, request, now_ms),
    }
}

fn shake_hands(state: &mut State, request: &Request, now_ms: u64) -> Answer {
    let key = request.header("sec-websocket-key").filter(|_| request.wants_websocket());
    let Some(key) = key else {
        return Answer::Plain(refusal(426, "upgrade_required", "only websocket"), 0);
    };
    if let Err(denied) = state.tokens.check(request.bearer(), None, now_ms) {
        state.fault_on_denied(denied);
        return Answer::Plain(denied.response(), 0);
    }
    if state.fault_on_handshake() {
        let told = refusal(410, "stale_sequence", "read a baseline, then connect again");
        return Answer::Plain(told, 0);
    }
    Answer::Stream(state.open_session(), derive_accept_key(key.as_bytes()))
}
