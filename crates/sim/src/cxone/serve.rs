//! One connection: requests one after another, and perhaps a stream at the end.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::hub::Hub;
use super::route::Answer;
use crate::server::http::read_request;
use crate::server::stream;
use crate::server::wire::Wire;

/// Serves a connection until it is gone.
pub(crate) async fn serve(hub: Arc<Hub>, mut wire: Wire) {
    let mut buffer = BytesMut::new();
    loop {
        // What is not HTTP is not answered: there is no telling what the client would understand.
        let Ok(Some(request)) = read_request(&mut wire, &mut buffer).await else { break };
        let mut out = BytesMut::new();
        let answer = hub.lock().route(&request);
        match answer {
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
            Answer::Stream(conn, key) => {
                let accept = derive_accept_key(key.as_bytes());
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
