//! Where the vendor is served: a host that the tenant may be moved away from, and the service that
//! names the present one and never moves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::fault::PollFault;
use super::serve::{Shared, lock, serve};
use super::states::{States, refusal};
use crate::server::http::{Request, Response, read_request};
use crate::server::wire::Wire;

/// Before another try where the system has no room for a connection or a port.
const AGAIN_MS: u64 = 5;

/// Serves the API, at one host after another.
pub(super) async fn serve_api(states: Shared, first: TcpListener, at: SocketAddr) {
    let moving = Arc::clone(&lock(&states).moving);
    let mut listener = first;
    loop {
        tokio::select! {
            () = accept(Arc::clone(&states), listener, serve) => return,
            // The old host and all of its connections are gone by then.
            () = moving.notified() => {}
        }
        listener = loop {
            match TcpListener::bind((at.ip(), 0)).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(AGAIN_MS)).await,
            }
        };
        lock(&states).api = listener.local_addr().ok();
    }
}

/// Serves the service that names it.
pub(super) async fn serve_discovery(states: Shared, listener: TcpListener) {
    accept(states, listener, answer_all).await;
}

async fn accept<S>(states: Shared, listener: TcpListener, serve: impl Fn(Shared, Wire) -> S)
where
    S: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of descriptors, or the client was gone at once: neither is ours to fail on.
                let Ok((socket, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(AGAIN_MS)).await;
                    continue;
                };
                let _ = socket.set_nodelay(true);
                connections.spawn(serve(Arc::clone(&states), Wire::new(socket)));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn answer_all(states: Shared, mut wire: Wire) {
    let mut buffer = BytesMut::new();
    while let Ok(Some(request)) = read_request(&mut wire, &mut buffer).await {
        let (answer, told_us) = {
            let mut states = lock(&states);
            (named(&mut states, &request), states.clock.wall_us())
        };
        let Some(answer) = answer else { return wire.reset() };
        let mut out = BytesMut::new();
        answer.write(told_us, &mut out);
        let written = wire.write_all(&out).await.is_ok() && wire.flush().await.is_ok();
        if !written || request.wants_close() {
            break;
        }
    }
    // A client that has gone does not hear the end.
    let _ = wire.shutdown().await;
}

/// `None`: nobody can connect.
fn named(states: &mut States, request: &Request) -> Option<Response> {
    if states.is_active(PollFault::VendorOutage) {
        states.fire(PollFault::VendorOutage);
        return None;
    }
    let is_asked = request.method == "GET" && request.path == "/.well-known/cxone-configuration";
    let tenant = request.query.iter().find(|(name, _)| name == "tenantId");
    if !is_asked || tenant.is_none_or(|(_, id)| *id != states.tenant_id) {
        return Some(refusal(404, "no such tenant"));
    }
    let Some(api) = states.api else { return Some(refusal(503, "the tenant is being moved")) };
    states.fire(PollFault::TenantMoved);
    let id = &states.tenant_id;
    Some(Response::new(
        200,
        format!(
            "{{\"tenantId\":\"{id}\",\"area\":\"sim\",\"cluster\":\"C0\",\
             \"domain\":\"localhost\",\"acdDomain\":\"localhost\",\"uhDomain\":\"localhost\",\
             \"globaldomain\":\"localhost\",\"private\":false,\"api_endpoint\":\"http://{api}\",\
             \"auth_endpoint\":\"http://{api}\",\"ui_endpoint\":\"http://{api}\"}}"
        ),
    ))
}
