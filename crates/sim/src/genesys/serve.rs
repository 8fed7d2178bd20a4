//! One connection: requests one after another, and perhaps a socket at the end.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::channel::no_channel;
use super::hub::{Hub, State};
use super::refusal::{bad_request, not_found, refusal};
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
pub(super) async fn serve(hub: Arc<Hub>, mut wire: Wire) {
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
                let is_head = request.method == "HEAD";
                let response = if is_head { response.without_body() } else { response };
                response.write(hub.clock.wall_us(), &mut out);
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
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let call = match parts.as_slice() {
        ["oauth", "token"] => Call::Token,
        ["channels", _] => Call::Handshake,
        _ => Call::Rest,
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
    match (call, parts.as_slice()) {
        (Call::Token, _) if request.method != "POST" => {
            Answer::Plain(refusal(405, "method.not.allowed", "HTTP method not allowed"), 0)
        }
        (Call::Token, _) => {
            let response = state.tokens.grant(request, now_ms);
            if response.status == 200 {
                state.fault_on_granted();
            }
            Answer::Plain(response, 0)
        }
        (Call::Handshake, ["channels", id]) => shake_hands(&mut state, request, id),
        // A signed address: whoever has it may read.
        (_, ["downloads", id]) => Answer::Plain(state.download(id), 0),
        (_, parts) => {
            if let Err(denied) = state.tokens.check(request.bearer(), now_ms) {
                state.fault_on_denied(denied);
                return Answer::Plain(denied.response(), 0);
            }
            let response = api(hub, &mut state, request, parts);
            let response = state.fault_on_answer(response);
            let delay_ms = state.fault_on_pace();
            Answer::Plain(response, delay_ms)
        }
    }
}

fn api(hub: &Hub, state: &mut State, request: &Request, parts: &[&str]) -> Response {
    let ["api", "v2", rest @ ..] = parts else { return not_found("The requested resource") };
    match (request.method.as_str(), rest) {
        ("POST", ["notifications", "channels"]) => state.create_channel(&hub.ws_url),
        ("GET", ["notifications", "channels"]) => state.list_channels(&hub.ws_url),
        ("HEAD", ["notifications", "channels", id]) => state.look_at_channel(id),
        (method, ["notifications", "channels", id, "subscriptions"]) => match method {
            "GET" => state.subscriptions(id),
            "DELETE" => state.drop_subscriptions(id),
            "PUT" | "POST" => state.subscribe(id, request),
            _ => refusal(405, "method.not.allowed", "HTTP method not allowed"),
        },
        ("GET", ["workforcemanagement", "adherence"]) => state.adherence_of(request),
        ("GET", ["workforcemanagement", kind @ ("managementunits" | "teams"), id, "adherence"]) => {
            state.adherence_listing(kind, id, request, &hub.http_url)
        }
        ("POST", ["analytics", "conversations", "details", "query"]) => state.history(request),
        ("POST", ["workforcemanagement", "adherence", "historical", "bulk"]) => {
            state.begin_job(request)
        }
        ("GET", ["workforcemanagement", "adherence", "historical", "bulk", "jobs", id]) => {
            state.look_at_job(id, &hub.http_url)
        }
        _ => not_found("The requested resource"),
    }
}

/// The address is the secret: a handshake carries no bearer.
fn shake_hands(state: &mut State, request: &Request, id: &str) -> Answer {
    let key = request.header("sec-websocket-key").filter(|_| request.wants_websocket());
    let Some(key) = key else {
        return Answer::Plain(bad_request("Only a WebSocket is served here"), 0);
    };
    let is_there = state.channels.get(id).is_some_and(|channel| !channel.is_foreign);
    if state.fault_on_handshake(id) || !is_there {
        return Answer::Plain(no_channel(), 0);
    }
    Answer::Stream(state.open_session(id), derive_accept_key(key.as_bytes()))
}
