//! From an origin to a stream of bytes: directly or through a proxy, with TLS where the origin has
//! it. Requests and sockets are dialled in the same way.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::transport::error::TransportError;
use crate::transport::origin::Origin;
use crate::transport::proxies::Proxies;
use crate::transport::stage::{Stage, Step};
use crate::transport::tls::Tls;

/// How long one address is tried alone before the next is tried beside it (RFC 8305, 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// A stream of bytes.
pub(crate) trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

/// How connections come about: whom we trust and by which proxy we go.
#[derive(Clone, Debug)]
pub struct Dialer {
    tls: Tls,
    proxies: Proxies,
}

impl Dialer {
    /// Goes directly.
    pub fn direct(tls: Tls) -> Self {
        Self { tls, proxies: Proxies::none() }
    }

    /// Goes by proxies.
    pub fn new(tls: Tls, proxies: Proxies) -> Self {
        Self { tls, proxies }
    }

    /// The trust.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// The proxies.
    pub fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    pub(crate) async fn dial(
        &self,
        origin: &Origin,
        stage: &Stage,
    ) -> Result<Box<dyn Pipe>, TransportError> {
        let (host, port) = origin.host_and_port();
        let pipe: Box<dyn Pipe> = match self.proxies.of(origin) {
            None => {
                stage.enter(Step::Connection);
                let tcp = connect(&host, port).await;
                Box::new(tcp.map_err(|error| unreachable_host(&host, error))?)
            }
            Some(proxy) => {
                stage.enter(Step::Proxy(proxy.to_string()));
                proxy.tunnel(&self.tls, &host, port).await?
            }
        };
        if !origin.is_encrypted() {
            return Ok(pipe);
        }
        stage.enter(Step::Tls);
        Ok(Box::new(self.tls.shake(&host, pipe).await?))
    }
}

/// Why there is no TCP connection.
pub(crate) enum Unreachable {
    /// The name has no address.
    Name(io::Error),
    /// No address took the connection.
    Connection(io::Error),
}

fn unreachable_host(host: &str, why: Unreachable) -> TransportError {
    match why {
        Unreachable::Name(source) => {
            TransportError::Name { host: host.to_owned(), source: Box::new(source) }
        }
        Unreachable::Connection(error) => TransportError::network("connection", host, error),
    }
}

/// Connects to the first of the host's addresses that answers.
pub(crate) async fn connect(host: &str, port: u16) -> Result<TcpStream, Unreachable> {
    let addresses = tokio::net::lookup_host((host, port)).await.map_err(Unreachable::Name)?;
    let tcp = race(addresses.collect()).await.map_err(Unreachable::Connection)?;
    tcp.set_nodelay(true).map_err(Unreachable::Connection)?;
    Ok(tcp)
}

/// Each address gets a head start on the next, so that one that swallows packets costs a moment
/// and not the whole deadline.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "no address");
    let mut tries = JoinSet::new();
    let mut addresses = addresses.into_iter();
    loop {
        let more = match addresses.next() {
            Some(address) => {
                tries.spawn(TcpStream::connect(address));
                true
            }
            None => false,
        };
        let next = async {
            tokio::time::sleep(NEXT_ADDRESS).await;
            if !more {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            tried = tries.join_next() => match tried {
                Some(Ok(Ok(tcp))) => return Ok(tcp),
                Some(Ok(Err(error))) => failed = error,
                Some(Err(_)) => {}
                None if more => {}
                None => return Err(failed),
            },
            () = next => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_address_that_fails_does_not_hide_one_that_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bad = closed.local_addr().unwrap();
        drop(closed);
        let tcp = race(vec![bad, good]).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), good);
        assert_eq!(race(vec![bad]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(race(vec![]).await.is_err());
    }
}
