//! How far an attempt has come, so that a deadline can say what took so long.

use std::sync::{Mutex, PoisonError};

use crate::transport::error::{ProxyFault, TransportError};

/// What is going on.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The host's address is looked up and connected to.
    Connection,
    /// The same for the proxy, up to the tunnel.
    Proxy(String),
    /// TLS with the vendor.
    Tls,
    /// The request or the handshake is sent and its answer awaited.
    Exchange(&'static str),
}

/// The present step, shared between an attempt and its deadline.
#[derive(Debug)]
pub(crate) struct Stage(Mutex<Step>);

impl Stage {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Step::Connection))
    }

    pub(crate) fn enter(&self, step: Step) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    /// The deadline has passed.
    pub(crate) fn timeout(&self, limit_ms: u64) -> TransportError {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            Step::Proxy(proxy) => {
                let fault = ProxyFault::Timeout { limit_ms };
                TransportError::Proxy { proxy, fault, source: None }
            }
            Step::Connection => TransportError::Timeout { step: "connection", limit_ms },
            Step::Tls => TransportError::Timeout { step: "TLS", limit_ms },
            Step::Exchange(step) => TransportError::Timeout { step, limit_ms },
        }
    }
}
