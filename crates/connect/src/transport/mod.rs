//! Bytes to and from the vendor. The only place that knows the HTTP, WebSocket and TLS libraries.
//!
//! A request names a path; the [`Origin`] it goes to comes from the user's configuration, and a
//! bearer never leaves that origin: redirects are not followed.

mod error;
mod http;
mod next_url;
mod origin;
mod request;
mod retry_after;
mod socket;
mod sockets;
pub(crate) mod survey;
mod tls;

pub use error::TransportError;
pub use http::{Answer, Http};
pub use next_url::{NextUrlError, follow};
pub use origin::{Origin, OriginError};
pub use request::{Header, Method, Request};
pub use retry_after::retry_after_ms;
pub use socket::{CLOSE_LIMIT, Ended, Socket, SocketEvent, SocketLimits};
pub use sockets::Sockets;
pub use tls::{Tls, TlsError};
