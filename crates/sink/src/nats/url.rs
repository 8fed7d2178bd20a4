//! Where the servers are.

use std::net::IpAddr;

use async_nats::ServerAddr;

/// Servers of one NATS, of which any will do.
#[derive(Clone, Debug)]
pub struct NatsServers {
    addresses: Vec<ServerAddr>,
    user: Option<String>,
    is_tls: bool,
}

/// Why URLs are refused. Never with the URL in it: that may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNatsUrl {
    /// It cannot be read.
    #[error("`url` is no URL of a NATS server")]
    Unreadable,
    /// It has a password in it.
    #[error("`url` holds a password")]
    Password,
    /// It names different users.
    #[error("`url` names more than one user")]
    Users,
}

impl InvalidNatsUrl {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Unreadable => {
                "write `nats://host:4222` or `tls://host:4222`; several with commas between them"
            }
            Self::Password => "say where it is: `password = { file = \"…\" }`",
            Self::Users => "all servers are asked as the same user",
        }
    }
}

/// Reads them, with commas between them. Unless `tls` says otherwise, servers on other machines are
/// spoken to in TLS, and those on this machine only where the URL is `tls://…`.
///
/// # Errors
/// They cannot be used.
pub fn nats_servers(urls: &str, tls: Option<bool>) -> Result<NatsServers, InvalidNatsUrl> {
    let mut addresses = Vec::new();
    for url in urls.split(',') {
        let url = url.trim();
        if !["nats://", "tls://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(InvalidNatsUrl::Unreadable);
        }
        let address: ServerAddr = url.parse().map_err(|_| InvalidNatsUrl::Unreadable)?;
        if address.password().is_some() {
            return Err(InvalidNatsUrl::Password);
        }
        if address.host().is_empty() {
            return Err(InvalidNatsUrl::Unreadable);
        }
        addresses.push(address);
    }
    let user = addresses.first().and_then(|first| first.username().map(str::to_owned));
    if addresses.iter().any(|address| address.username() != user.as_deref()) {
        return Err(InvalidNatsUrl::Users);
    }
    let wants = |address: &ServerAddr| address.tls_required() || !is_this_machine(address.host());
    let is_tls = tls.unwrap_or_else(|| addresses.iter().any(wants));
    Ok(NatsServers { addresses, user, is_tls })
}

impl NatsServers {
    /// Whom the URLs name.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether one of them is among others.
    pub fn meet(&self, others: &Self) -> bool {
        let is_one = |one: &ServerAddr, other: &ServerAddr| {
            (one.host(), one.port()) == (other.host(), other.port())
        };
        let known = |one: &ServerAddr| others.addresses.iter().any(|other| is_one(one, other));
        self.addresses.iter().any(known)
    }

    pub(super) fn addresses(&self) -> Vec<ServerAddr> {
        self.addresses.clone()
    }

    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{InvalidNatsUrl, nats_servers};

    #[test]
    fn another_machine_is_spoken_to_in_tls_unless_it_is_said_otherwise() {
        for (url, tls, is_tls) in [
            ("nats://nats.example", None, true),
            ("nats://nats.example:4222", Some(false), false),
            ("nats://u@127.0.0.1:4222", None, false),
            ("nats://[::1]:4222", None, false),
            ("tls://localhost", None, true),
            ("nats://localhost", Some(true), true),
            ("nats://localhost, nats://nats.example", None, true),
        ] {
            assert_eq!(nats_servers(url, tls).expect(url).is_tls(), is_tls, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_being_quoted() {
        for (url, why) in [
            ("http://nats.example", InvalidNatsUrl::Unreadable),
            ("nats.example", InvalidNatsUrl::Unreadable),
            ("ws://nats.example", InvalidNatsUrl::Unreadable),
            ("nats://", InvalidNatsUrl::Unreadable),
            ("nats://u:secret@nats.example", InvalidNatsUrl::Password),
            ("nats://u@a.example,nats://v@b.example", InvalidNatsUrl::Users),
        ] {
            assert_eq!(nats_servers(url, None).expect_err(url), why, "{url}");
        }
    }
}
