//! A server's URL.

use std::net::IpAddr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Why a URL is refused. Never with the URL in it: that may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It cannot be read.
    #[error("`url` is no URL of a PostgreSQL server")]
    Unreadable,
    /// It has a password in it.
    #[error("`url` holds a password")]
    Password,
    /// It names no host.
    #[error("`url` names no host")]
    NoHost,
    /// Whoever is on the way could turn off its TLS.
    #[error("`url` says `sslmode=prefer` of a server on another machine")]
    Prefer,
}

impl InvalidUrl {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Unreadable | Self::NoHost => {
                "write `postgresql://user@host:5432/database`, or `?host=/path` for a Unix socket"
            }
            Self::Prefer => {
                "leave `sslmode` out: TLS is asked for then; or write `disable`, if whoever is on \
                 the way may read the record and the password"
            }
            Self::Password => "say where it is: `password = { file = \"…\" }`",
        }
    }
}

/// Reads it. Unless it says otherwise (`sslmode`), a server on another machine is spoken to in TLS,
/// and one on this machine is not.
///
/// # Errors
/// It cannot be used.
pub fn postgres_server(url: &str) -> Result<Config, InvalidUrl> {
    // In the form of keys and values, what it says of TLS would not be found below.
    if !url.starts_with("postgresql://") && !url.starts_with("postgres://") {
        return Err(InvalidUrl::Unreadable);
    }
    let mut config: Config = url.parse().map_err(|_| InvalidUrl::Unreadable)?;
    if config.get_password().is_some() {
        return Err(InvalidUrl::Password);
    }
    if config.get_hosts().is_empty() {
        return Err(InvalidUrl::NoHost);
    }
    let is_near = config.get_hosts().iter().all(is_this_machine)
        && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
    let settings = url.split_once('?').map_or("", |(_, settings)| settings);
    if !settings.split('&').any(|setting| setting.starts_with("sslmode=")) {
        config.ssl_mode(if is_near { SslMode::Disable } else { SslMode::Require });
    } else if !is_near && config.get_ssl_mode() == SslMode::Prefer {
        return Err(InvalidUrl::Prefer);
    }
    Ok(config)
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;

    use super::{InvalidUrl, postgres_server};

    #[test]
    fn another_machine_is_spoken_to_in_tls_unless_the_url_says_otherwise() {
        for (url, mode) in [
            ("postgresql://u@db.example/wfm", SslMode::Require),
            ("postgresql://u@db.example/wfm?sslmode=disable", SslMode::Disable),
            ("postgresql://u@127.0.0.1/wfm", SslMode::Disable),
            ("postgresql://u@127.0.0.1/wfm?sslmode=require", SslMode::Require),
            ("postgresql://u@127.0.0.1/wfm?sslmode=prefer", SslMode::Prefer),
            ("postgresql://u@localhost/wfm?hostaddr=10.0.0.5", SslMode::Require),
            ("postgresql://u@localhost/wfm?application_name=sslmode=x", SslMode::Disable),
            ("postgresql://u@localhost,db.example/wfm", SslMode::Require),
            ("postgresql:///wfm?host=/run/postgresql&user=u", SslMode::Disable),
        ] {
            assert_eq!(postgres_server(url).expect(url).get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_being_quoted() {
        for (url, why) in [
            ("http://db.example", InvalidUrl::Unreadable),
            ("host=localhost user=u dbname=wfm sslmode=require", InvalidUrl::Unreadable),
            ("postgresql://u:secret@db.example/wfm", InvalidUrl::Password),
            ("postgresql:///wfm", InvalidUrl::NoHost),
            ("postgresql://u@db.example/wfm?sslmode=prefer", InvalidUrl::Prefer),
        ] {
            assert_eq!(postgres_server(url).expect_err(url), why);
        }
    }
}
