//! Why the relay cannot run.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::access::AccessError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The address cannot be listened on.
    #[error("relay cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The Unix socket, or the file with the address, cannot be made.
    #[error("relay's file {} cannot be made", path.display())]
    Socket {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("relay's certificate {} cannot be used", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The files of tokens cannot be used.
    #[error("relay's tokens cannot be used")]
    Access(#[source] AccessError),
    /// A thread cannot be started.
    #[error("relay cannot be started")]
    Thread(#[source] io::Error),
}

impl RelayError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => Some(
                "another program has the port: set `listen` in [relay], with port 0 for one that \
                 is free"
                    .to_owned(),
            ),
            Self::Socket { path, .. } if path.as_os_str().len() > 100 => Some(
                "use a data directory with a shorter path: sockets allow about 100 letters"
                    .to_owned(),
            ),
            Self::Certificate { .. } => {
                Some("both files are PEM: the certificate with its chain, and its key".to_owned())
            }
            Self::Access(error) => error.hint(),
            Self::Listen { .. } | Self::Socket { .. } | Self::Thread(_) => None,
        }
    }
}
