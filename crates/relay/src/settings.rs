//! The section `[relay]` of the configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

/// See the module. Without the section there is no relay.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelayConfig {
    /// Where to listen. Port 0: one that is free, told in `relay.addr`.
    pub listen: SocketAddr,
    /// Names by which clients call this service, beside those of this machine alone: `name` or
    /// `name:port`.
    pub allowed_hosts: Vec<String>,
    /// A certificate with its chain (PEM): the listener speaks TLS.
    pub tls_cert: Option<PathBuf>,
    /// Its key (PEM).
    pub tls_key: Option<PathBuf>,
    /// A proxy in front of it speaks TLS with the clients.
    pub behind_proxy: bool,
    /// A client hears something at least so often, in milliseconds.
    pub heartbeat_ms: u64,
    /// A client that takes nothing for so long, although there is something for it, is cut off; in
    /// milliseconds.
    pub stall_ms: u64,
    /// A request's head must be there within this time, and so must its body; in milliseconds.
    pub head_ms: u64,
    /// Largest head of a request, in bytes.
    pub head_bytes_max: usize,
    /// Largest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// Largest message of a WebSocket's client, in bytes.
    pub frame_bytes_max: usize,
    /// Connections at the same time.
    pub connections_max: usize,
    /// Requests and streams of one token at the same time.
    pub connections_per_token_max: usize,
    /// The newest records are kept in memory up to this size, in bytes; those that wait for clients
    /// of a few keys up to as much again.
    pub ring_bytes_max: usize,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8470)),
            allowed_hosts: Vec::new(),
            tls_cert: None,
            tls_key: None,
            behind_proxy: false,
            heartbeat_ms: 15_000,
            stall_ms: 30_000,
            head_ms: 10_000,
            head_bytes_max: 16 * 1024,
            body_bytes_max: 256 * 1024,
            frame_bytes_max: 64 * 1024,
            connections_max: 20_000,
            connections_per_token_max: 12_000,
            ring_bytes_max: 32 * 1024 * 1024,
        }
    }
}

/// Longest target of a request, and longest value in it, in bytes: a thousand short keys.
pub(crate) const TARGET_BYTES_MAX: usize = 8 * 1024;

/// The least that the HTTP library can do with.
const HEAD_BYTES_MIN: usize = 8 * 1024;

impl RelayConfig {
    /// What is wrong with it, and what to do, if anything is.
    pub fn fault(&self) -> Option<(String, &'static str)> {
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            let what = "relay: of `tls_cert` and `tls_key` one is missing".to_owned();
            return Some((what, "name both files, or none"));
        }
        let is_guarded = self.tls_cert.is_some() || self.behind_proxy;
        if !self.listen.ip().is_loopback() && !is_guarded {
            let what = format!("relay: {} can be reached from other machines", self.listen);
            let todo = "set `tls_cert` and `tls_key`, or `behind_proxy = true` if a proxy speaks \
                        TLS for it; 127.0.0.1 needs neither";
            return Some((what, todo));
        }
        if self.head_bytes_max < HEAD_BYTES_MIN {
            let what = "relay: `head_bytes_max` is too small".to_owned();
            return Some((what, "8192 is the least"));
        }
        let times = [self.heartbeat_ms, self.stall_ms, self.head_ms];
        let counts = [
            self.body_bytes_max,
            self.frame_bytes_max,
            self.connections_max,
            self.connections_per_token_max,
            self.ring_bytes_max,
        ];
        if times.contains(&0) || counts.contains(&0) {
            let what = "relay: a limit is 0".to_owned();
            return Some((what, "leave a limit out to have its default"));
        }
        None
    }

    /// Clients see TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.tls_cert.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::RelayConfig;

    #[test]
    fn an_address_that_others_can_reach_needs_tls_or_a_proxy() {
        let open = RelayConfig {
            listen: "0.0.0.0:8470".parse().expect("an address"),
            ..RelayConfig::default()
        };
        assert!(open.fault().is_some_and(|(what, _)| what.contains("0.0.0.0:8470")));
        let proxied = RelayConfig { behind_proxy: true, ..open.clone() };
        assert_eq!(proxied.fault(), None);
        let half = RelayConfig { tls_cert: Some("cert.pem".into()), ..open.clone() };
        assert!(half.fault().is_some_and(|(what, _)| what.contains("tls_key")));
        let whole = RelayConfig { tls_key: Some("key.pem".into()), ..half };
        assert_eq!(whole.fault(), None);
        assert_eq!(RelayConfig::default().fault(), None);
    }
}
