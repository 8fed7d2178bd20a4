//! The way to an origin, one stretch after the other, to see where it ends.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::transport::dialer::Pipe;
use crate::transport::error::TransportError;
use crate::transport::tls::Tls;

/// What the TLS handshake came to.
#[derive(Clone, Debug)]
pub(crate) struct Shaken {
    /// The protocol's version, as people write it.
    pub(crate) version: &'static str,
    /// The server's own certificate, in DER.
    pub(crate) certificate: Option<Vec<u8>>,
}

/// The addresses of a host.
pub(crate) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
    if addresses.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(addresses) }
}

/// The first of these addresses that takes a connection.
pub(crate) async fn reach(addresses: &[SocketAddr]) -> io::Result<(SocketAddr, TcpStream)> {
    let mut failed = io::ErrorKind::NotFound.into();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(tcp) => return Ok((*address, tcp)),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Shakes hands and hangs up.
pub(crate) async fn shake(
    tls: &Tls,
    host: &str,
    pipe: Box<dyn Pipe>,
) -> Result<Shaken, TransportError> {
    let stream = tls.shake(host, pipe).await?;
    let (_, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS of an unknown version",
    };
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    Ok(Shaken { version, certificate: certificate.map(|leaf| leaf.to_vec()) })
}
