//! Accepts connections and gives each its carrier.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::house::House;
use super::latency::Delayed;
use super::wire::Wire;

/// Accepts until dropped; every connection's task ends with it.
pub(crate) async fn accept<H: House>(
    house: Arc<H>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    if !house.admit() {
                        // Dropped unarmed it is closed instead of reset: gone all the same.
                        let _ = socket.set_zero_linger();
                        continue;
                    }
                    connections.spawn(carry(Arc::clone(&house), socket, tls.clone()));
                }
                // Out of descriptors, or the client was gone at once: neither is ours to fail on.
                Err(error) => {
                    debug!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn carry<H: House>(house: Arc<H>, socket: TcpStream, tls: Option<TlsAcceptor>) {
    if let Err(error) = socket.set_nodelay(true) {
        debug!(%error, "no-delay refused");
    }
    let delay = Duration::from_millis(house.latency_ms());
    let wire = match (tls, delay.is_zero()) {
        (None, true) => Ok(Wire::new(socket)),
        (None, false) => Ok(Wire::new(Delayed::new(socket, delay))),
        (Some(tls), true) => tls.accept(socket).await.map(Wire::new),
        (Some(tls), false) => tls.accept(Delayed::new(socket, delay)).await.map(Wire::new),
    };
    match wire {
        Ok(wire) => house.serve(wire).await,
        Err(error) => debug!(%error, "tls handshake failed"),
    }
}
