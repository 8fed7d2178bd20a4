//! Sockets, and nothing of any dialect: HTTP/1.1 and WebSocket framing of our own, so that a fault
//! can reset, silence or cut a connection at any byte.

pub(crate) mod house;
pub(crate) mod http;
pub(crate) mod latency;
pub(crate) mod listener;
pub(crate) mod stream;
pub(crate) mod tls;
pub(crate) mod websocket;
pub(crate) mod wire;
