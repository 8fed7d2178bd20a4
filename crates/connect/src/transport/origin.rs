//! Where requests go: scheme, host and port, from the user's configuration alone.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

/// A scheme, a host and a port; nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    url: Url,
}

/// Why a text is no origin that we speak to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It is no URL with a host.
    #[error("`{0}` is no URL with a host")]
    NotUrl(String),
    /// The scheme is not one of those that fit.
    #[error("`{url}` does not begin with {wanted}")]
    Scheme {
        /// The text.
        url: String,
        /// What it should begin with.
        wanted: &'static str,
    },
    /// It holds more than an origin, such as a path or credentials.
    #[error("`{0}` holds more than scheme, host and port")]
    More(String),
    /// Plain text over a network.
    #[error("`{0}` is not encrypted and not on this machine")]
    Plaintext(String),
}

impl OriginError {
    /// What a person can do.
    pub fn hint(&self) -> String {
        match self {
            Self::NotUrl(_) => "write it like https://api.example.com".into(),
            Self::Scheme { wanted, .. } => format!("write it with {wanted}"),
            Self::More(_) => "write scheme, host and port alone: paths belong into the profile, \
                              credentials into `[source.auth]`"
                .into(),
            Self::Plaintext(_) => {
                "use https or wss; or set `insecure = true` if the network may read the \
                 token"
                    .into()
            }
        }
    }
}

impl Origin {
    /// An origin for requests: `https://`, or `http://` where plain text is allowed.
    ///
    /// # Errors
    /// See [`OriginError`].
    pub fn api(text: &str, insecure: bool) -> Result<Self, OriginError> {
        Self::parse(text, ["https", "http"], "https://", insecure)
    }

    /// An origin for sockets: `wss://`, or `ws://` where plain text is allowed.
    ///
    /// # Errors
    /// See [`OriginError`].
    pub fn stream(text: &str, insecure: bool) -> Result<Self, OriginError> {
        Self::parse(text, ["wss", "ws"], "wss://", insecure)
    }

    /// A proxy's origin. `http://` is what nearly all have; what goes through it is protected by
    /// the vendor's TLS.
    ///
    /// # Errors
    /// See [`OriginError`].
    pub(crate) fn proxy(text: &str) -> Result<Self, OriginError> {
        Self::parse(text, ["http", "https"], "http:// or https://", true)
    }

    /// Origin and path of a URL for requests; the path holds the query, and begins with a slash.
    ///
    /// # Errors
    /// See [`OriginError`].
    pub fn of_url(text: &str, insecure: bool) -> Result<(Self, String), OriginError> {
        let authority = text.find("://").map_or(0, |at| at + 3);
        let rest = text.get(authority..).unwrap_or_default();
        let end = authority + rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (origin, path) = text.split_at(end);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok((Self::api(origin, insecure)?, path))
    }

    fn parse(
        text: &str,
        schemes: [&str; 2],
        wanted: &'static str,
        insecure: bool,
    ) -> Result<Self, OriginError> {
        let url = Url::parse(text).map_err(|_| OriginError::NotUrl(safe(text)))?;
        if url.host().is_none() {
            return Err(OriginError::NotUrl(safe(text)));
        }
        if !schemes.contains(&url.scheme()) {
            return Err(OriginError::Scheme { url: safe(text), wanted });
        }
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            return Err(OriginError::More(safe(text)));
        }
        let origin = Self { url };
        if !origin.is_encrypted() && !insecure && !origin.is_loopback() {
            return Err(OriginError::Plaintext(safe(text)));
        }
        Ok(origin)
    }

    /// Whether TLS protects it.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.url.scheme(), "https" | "wss")
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// Host name (or address, without brackets) and port.
    pub(crate) fn host_and_port(&self) -> (String, u16) {
        let host = match self.url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip).to_string(),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip).to_string(),
            Some(Host::Domain(name)) => name.to_owned(),
            None => String::new(),
        };
        (host, self.url.port_or_known_default().unwrap_or(443))
    }

    /// The origin with a path. `None` if the result would lie at another origin, or elsewhere at
    /// this one: `..` as a segment is resolved away, and may have come from a value.
    pub(crate) fn join(&self, path_and_query: &str) -> Option<Url> {
        if has_dot_segments(path_and_query) {
            return None;
        }
        let base = self.to_string();
        let url = Url::parse(&format!("{base}{path_and_query}")).ok()?;
        let same = url.scheme() == self.url.scheme()
            && url.host() == self.url.host()
            && url.port_or_known_default() == self.url.port_or_known_default()
            && url.username().is_empty();
        (path_and_query.starts_with('/') && same).then_some(url)
    }
}

/// Whether a URL parser would shorten the path. It takes `%2e` for a dot and `\\` for a slash.
fn has_dot_segments(path_and_query: &str) -> bool {
    let path = path_and_query.split(['?', '#']).next().unwrap_or_default();
    let plain = path.to_ascii_lowercase().replace("%2e", ".");
    plain.split(['/', '\\']).any(|segment| matches!(segment, "." | ".."))
}

/// Only what stands before a query or after credentials: a URL in an error may hold a secret.
fn safe(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://[secret]@{host}"),
        (None, Some((_, host))) => format!("[secret]@{host}"),
        _ => text.to_owned(),
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_for_this_machine_only() {
        for text in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:9"] {
            assert!(Origin::api(text, false).is_ok(), "{text}");
        }
        let refused = Origin::api("http://api.example.com", false).unwrap_err();
        assert!(refused.hint().contains("insecure"));
        assert!(Origin::api("http://api.example.com", true).is_ok());
        assert!(Origin::stream("ws://10.0.0.1", false).is_err());
    }

    #[test]
    fn an_origin_holds_nothing_but_scheme_host_and_port() {
        for text in [
            "https://a.example/path",
            "https://a.example/?q",
            "https://a.example/#f",
            "https://user:hunter2@a.example",
        ] {
            let error = Origin::api(text, false).unwrap_err();
            assert!(matches!(error, OriginError::More(_)), "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
        assert!(matches!(Origin::api("wss://a.example", false), Err(OriginError::Scheme { .. })));
        assert!(matches!(Origin::api("api.example", false), Err(OriginError::NotUrl(_))));
    }

    #[test]
    fn a_path_cannot_lead_to_another_origin() {
        let origin = Origin::api("https://a.example", false).unwrap();
        assert_eq!(origin.join("/x?y=1").unwrap().as_str(), "https://a.example/x?y=1");
        assert_eq!(origin.join("//b.example/x").unwrap().host_str(), Some("a.example"));
        for path in ["@b.example/", ".b.example/", ":1/", "https://b.example/", ""] {
            assert_eq!(origin.join(path), None, "{path}");
        }
    }
}
