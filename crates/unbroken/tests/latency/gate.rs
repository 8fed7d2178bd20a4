//! A road whose connections take as long to be made as they would over a real distance.
//!
//! The simulator delays every byte each way, but the kernel answers a SYN on this machine at once.
//! The gate holds a new connection back for one round trip before anything passes, which to the
//! client is the same as if TCP's own handshake had taken it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A running gate; dropping it closes it.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Gate {
    /// Opens a gate before `vendor`.
    pub(crate) async fn open(vendor: SocketAddr, round_trip: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            let mut roads = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                roads.spawn(pass(client, vendor, round_trip));
                while roads.try_join_next().is_some() {}
            }
        });
        Self { address, connections, task }
    }

    /// Connections made through it so far.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, vendor: SocketAddr, round_trip: Duration) {
    tokio::time::sleep(round_trip).await;
    let Ok(mut server) = TcpStream::connect(vendor).await else { return };
    let prompt = client.set_nodelay(true).and(server.set_nodelay(true));
    if prompt.is_err() || copy_bidirectional(&mut client, &mut server).await.is_err() {
        // A reset on one side becomes a reset on the other; a socket that cannot be armed is gone.
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}
