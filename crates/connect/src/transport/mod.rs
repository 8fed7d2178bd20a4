//! Bytes to and from the vendor. The only place that knows the HTTP, WebSocket and TLS libraries.
//!
//! A request names a path; the [`Origin`] it goes to comes from the user's configuration, and a
//! bearer never leaves that origin: redirects are not followed.

mod body;
mod connection;
pub(crate) mod dialer;
mod error;
mod http;
mod identity;
mod next_url;
mod origin;
mod proxies;
mod proxy;
mod request;
mod retry_after;
mod socket;
mod sockets;
mod stage;
pub(crate) mod survey;
mod tls;
mod validity;

pub use connection::{Connection, Told};
pub use dialer::Dialer;
pub use error::{ProxyFault, TransportError};
pub use http::{Answer, Http};
pub use identity::{Identity, IdentityError};
pub use next_url::{NextUrlError, follow};
pub use origin::{Origin, OriginError};
pub use proxies::Proxies;
pub use proxy::{Proxy, ProxyError};
pub use request::{Header, Method, Request};
pub use retry_after::retry_after_ms;
pub use socket::{CLOSE_LIMIT, Ended, Socket, SocketEvent, SocketLimits};
pub use sockets::Sockets;
pub use tls::{Tls, TlsError};
