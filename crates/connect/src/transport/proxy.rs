//! One proxy, and the tunnel through it: `CONNECT`, whatever the vendor's scheme, so that the proxy
//! carries bytes and sees no request and no bearer.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use crate::secret::{Secret, SecretError, SecretSource};
use crate::transport::dialer::{Pipe, Unreachable, connect};
use crate::transport::error::{ProxyFault, TransportError, kind};
use crate::transport::origin::{Origin, OriginError};
use crate::transport::tls::Tls;

/// Most bytes of a proxy's answer to `CONNECT`. Real ones have some hundreds.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A proxy, and what is shown to it. `Display` is its origin.
#[derive(Clone, Debug)]
pub struct Proxy {
    origin: Origin,
    username: Option<SecretSource>,
    password: Option<SecretSource>,
}

/// Why a text names no proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It is no origin.
    #[error(transparent)]
    Origin(OriginError),
    /// A name or password in the URL is not percent-encoded text.
    #[error("user name or password in the proxy's URL is no percent-encoded text")]
    Credentials,
    /// The variable that names it is wrong.
    #[error("environment variable {name} names no proxy: {why}")]
    Variable {
        /// Its name.
        name: &'static str,
        /// Why.
        why: Box<ProxyError>,
    },
}

impl ProxyError {
    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Variable { .. } => {
                "write it like http://user:password@proxy.example:3128, unset it, or set \
                 `proxy = \"none\"`"
            }
            _ => "write it like http://user:password@proxy.example:3128, or \"none\"",
        }
    }
}

impl Proxy {
    /// From a URL, which may hold a user name and a password.
    ///
    /// # Errors
    /// See [`ProxyError`].
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let Ok(mut url) = Url::parse(text) else {
            // Where the text is no URL, nobody knows which part of it is the password.
            return Err(ProxyError::Origin(OriginError::NotUrl("[proxy]".into())));
        };
        let decoded = |part: &str| -> Result<SecretSource, ProxyError> {
            let text = percent_decode_str(part).decode_utf8();
            let text = text.map_err(|_| ProxyError::Credentials)?;
            Ok(SecretSource::Literal(Secret::new(text)))
        };
        let username = Some(url.username()).filter(|name| !name.is_empty());
        let username = username.map(decoded).transpose()?;
        let password = url.password().map(decoded).transpose()?;
        // A URL without a host can have neither, and is refused below.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        let origin = Origin::proxy(url.as_str()).map_err(ProxyError::Origin)?;
        Ok(Self { origin, username, password })
    }

    /// With credentials from elsewhere.
    #[must_use]
    pub fn with_credentials(
        mut self,
        username: Option<SecretSource>,
        password: Option<SecretSource>,
    ) -> Self {
        self.username = username.or(self.username);
        self.password = password.or(self.password);
        self
    }

    /// The secrets shown to it.
    pub fn secrets_mut(&mut self) -> impl Iterator<Item = &mut SecretSource> {
        self.username.iter_mut().chain(&mut self.password)
    }

    /// Whether its password stands in the configuration itself.
    pub fn has_literal(&self) -> bool {
        self.password.as_ref().is_some_and(SecretSource::is_literal)
    }

    /// Whether TLS protects the way to it.
    pub fn is_encrypted(&self) -> bool {
        self.origin.is_encrypted()
    }

    /// Connects to the proxy and asks for a tunnel. The credentials are read now, so that a rotated
    /// password counts.
    pub(crate) async fn tunnel(
        &self,
        tls: &Tls,
        host: &str,
        port: u16,
    ) -> Result<Box<dyn Pipe>, TransportError> {
        let credentials = self.credentials().await.map_err(|error| {
            let fault = ProxyFault::Secret { hint: error.hint() };
            self.failed_by(fault, error)
        })?;
        let mut pipe = self.connect(tls).await?;
        let target = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let status = ask(&mut pipe, &target, credentials.as_ref()).await.map_err(|error| {
            let fault = ProxyFault::Answer { kind: error.kind().to_string() };
            self.failed_by(fault, error)
        })?;
        match status {
            200..300 => Ok(pipe),
            407 => Err(self.failed(ProxyFault::Credentials)),
            _ => Err(self.failed(ProxyFault::Refused { target, status })),
        }
    }

    async fn connect(&self, tls: &Tls) -> Result<Box<dyn Pipe>, TransportError> {
        let (host, port) = self.origin.host_and_port();
        let tcp = connect(&host, port).await.map_err(|why| {
            let (kind, source) = match why {
                Unreachable::Name(source) => ("its name has no address".to_owned(), source),
                Unreachable::Connection(source) => (kind(&source), source),
            };
            let fault = ProxyFault::Unreachable { kind };
            self.failed_by(fault, source)
        })?;
        if !self.origin.is_encrypted() {
            return Ok(Box::new(tcp));
        }
        let shaken = tls.shake(&host, Box::new(tcp)).await.map_err(|error| {
            let fault = ProxyFault::Unreachable { kind: error.to_string() };
            self.failed_by(fault, error)
        })?;
        Ok(Box::new(shaken))
    }

    fn failed(&self, fault: ProxyFault) -> TransportError {
        TransportError::Proxy { proxy: self.to_string(), fault, source: None }
    }

    fn failed_by(
        &self,
        fault: ProxyFault,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> TransportError {
        TransportError::Proxy { proxy: self.to_string(), fault, source: Some(Box::new(source)) }
    }

    async fn credentials(&self) -> Result<Option<Secret>, SecretError> {
        let username = match &self.username {
            Some(source) => source.read().await?,
            None if self.password.is_none() => return Ok(None),
            None => Secret::new(""),
        };
        let password = match &self.password {
            Some(source) => source.read().await?,
            None => Secret::new(""),
        };
        let pair = format!("{}:{}", username.expose(), password.expose());
        Ok(Some(Secret::new(format!("Basic {}", STANDARD.encode(pair)))))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}

/// Asks for a tunnel; the answer's status. The proxy may say nothing after its head: the next word
/// is ours.
async fn ask(
    pipe: &mut Box<dyn Pipe>,
    target: &str,
    credentials: Option<&Secret>,
) -> std::io::Result<u16> {
    let mut head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    head.push_str(concat!("User-Agent: unbroken/", env!("CARGO_PKG_VERSION"), "\r\n"));
    if let Some(credentials) = credentials {
        head.push_str(&format!("Proxy-Authorization: {}\r\n", credentials.expose()));
    }
    head.push_str("\r\n");
    pipe.write_all(head.as_bytes()).await?;
    pipe.flush().await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= HEAD_BYTES_MAX {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        // One byte at a time: what follows the head is the vendor's.
        answer.push(pipe.read_u8().await?);
    }
    status(&answer).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}

/// The status of `HTTP/1.1 200 Connection established`.
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1)?.parse().ok().filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_in_the_url_is_decoded_and_never_shown() {
        let proxy = Proxy::parse("http://me:hunter%402@proxy.example:3128").unwrap();
        assert_eq!(proxy.to_string(), "http://proxy.example:3128");
        assert!(!format!("{proxy:?}").contains("hunter"), "{proxy:?}");
        let shown = proxy.credentials().await.unwrap().unwrap();
        assert_eq!(shown.expose(), format!("Basic {}", STANDARD.encode("me:hunter@2")));
        let proxy = Proxy::parse("http://proxy.example").unwrap();
        assert!(proxy.credentials().await.unwrap().is_none());
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_showing_a_password() {
        for text in [
            "proxy:3128",
            "socks5://me:hunter2@proxy",
            "http://me:hunter2@proxy/path",
            "http://me:hunter2@:0:0",
            "me:hunter2@proxy",
            "http://",
        ] {
            let error = Proxy::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        assert_eq!(Proxy::parse("http://a%ff:b@proxy").unwrap_err(), ProxyError::Credentials);
    }

    #[test]
    fn the_status_is_read_from_a_head_of_http_1_only() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407\r\n\r\n"), Some(407));
        for head in [&b"SSH-2.0-x\r\n\r\n"[..], b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 9 x\r\n\r\n"] {
            assert_eq!(status(head), None);
        }
    }
}
