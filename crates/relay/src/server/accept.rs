//! Taking connections.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::admission::{Place, Places};
use super::connection::serve;
use crate::app::App;
use crate::http::{Peer, Road};

/// After a connection that could not be taken, for want of descriptors as a rule.
const RETRY: Duration = Duration::from_millis(100);

/// Said to a connection for which there is no place.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\
                      Connection: close\r\n\r\n";

/// The listeners of a running relay.
pub(crate) struct Doors {
    pub(crate) tcp: TcpListener,
    pub(crate) unix: UnixListener,
    pub(crate) port: u16,
    pub(crate) tls: Option<TlsAcceptor>,
}

/// Takes connections until it is time to stop. Returns when the last of them has ended.
pub(crate) async fn accept(
    app: Arc<App>,
    router: Router,
    doors: Doors,
    stopping: watch::Receiver<bool>,
) {
    let places = Places::new(app.settings.connections_max);
    let door = Door { app, router, places, tls: doors.tls, port: doors.port, stopping };
    let mut stop = door.stopping.clone();
    let mut failing = false;
    loop {
        let taken = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            taken = doors.tcp.accept() => taken.map(|(stream, _)| door.take_tcp(stream)),
            taken = doors.unix.accept() => taken.map(|(stream, _)| {
                let Some(place) = door.places.take(&door.app) else { return };
                let peer = Peer { road: Road::Unix, port: door.port };
                door.spawn(stream, peer, place);
            }),
        };
        match taken {
            Ok(()) => failing = false,
            Err(error) => {
                if !failing {
                    warn!(%error, "relay cannot take a connection");
                }
                failing = true;
                sleep(RETRY).await;
            }
        }
    }
}

struct Door {
    app: Arc<App>,
    router: Router,
    places: Places,
    tls: Option<TlsAcceptor>,
    port: u16,
    stopping: watch::Receiver<bool>,
}

impl Door {
    fn take_tcp(&self, mut stream: TcpStream) {
        let Some(place) = self.places.take(&self.app) else {
            tokio::spawn(async move {
                // It is told if that is quick; nothing is owed to it.
                let _ = timeout(RETRY, stream.write_all(BUSY)).await;
            });
            return;
        };
        // Small messages are sent at once. A socket that is gone already is found out later.
        let _ = stream.set_nodelay(true);
        let Some(tls) = self.tls.clone() else {
            self.spawn(stream, Peer { road: Road::Tcp, port: self.port }, place);
            return;
        };
        let (app, router) = (Arc::clone(&self.app), self.router.clone());
        let (port, stopping) = (self.port, self.stopping.clone());
        tokio::spawn(async move {
            let head = Duration::from_millis(app.settings.head_ms);
            match timeout(head, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let peer = Peer { road: Road::Tls, port };
                    serve(app, router, stream, peer, place, stopping).await;
                }
                Ok(Err(error)) => debug!(%error, "relay's client does not speak TLS"),
                Err(_) => debug!("relay's client was too slow in its TLS handshake"),
            }
        });
    }

    fn spawn<S>(&self, stream: S, peer: Peer, place: Place)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let (app, router) = (Arc::clone(&self.app), self.router.clone());
        tokio::spawn(serve(app, router, stream, peer, place, self.stopping.clone()));
    }
}
