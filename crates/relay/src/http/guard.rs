//! What is looked at before anything else, whatever is asked: by which name the service is called,
//! and which page asks. A page of somebody else's that a browser has been led to (DNS rebinding)
//! calls the service by that page's name.

use axum::http::{HeaderMap, Uri, header};

use super::dispatch::{Peer, Road};
use super::problem::{HOST_NOT_ALLOWED, ORIGIN_NOT_ALLOWED, Problem, TARGET_TOO_LONG};
use crate::settings::TARGET_BYTES_MAX;

/// The names of this machine for itself.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Names by which the service may be called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    allowed: Vec<String>,
    /// The address it listens on, if it is one.
    own: Option<String>,
    behind_proxy: bool,
}

impl Names {
    pub(crate) fn new(
        allowed: &[String],
        listen: std::net::SocketAddr,
        behind_proxy: bool,
    ) -> Self {
        let own = (!listen.ip().is_unspecified()).then(|| listen.to_string());
        let allowed = allowed.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { allowed, own, behind_proxy }
    }

    fn allow(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let name = without_port(&host);
        if self.own.as_deref() == Some(host.as_str()) {
            return true;
        }
        if self.allowed.iter().any(|allowed| *allowed == host || allowed == name) {
            return true;
        }
        let is_default = name.len() == host.len() && matches!(port, 80 | 443);
        LOOPBACK.contains(&name) && (is_default || host == format!("{name}:{port}"))
    }
}

/// The name alone; of `[::1]:8470` the part in brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether a request may be looked at at all.
pub(crate) fn guard(
    names: &Names,
    peer: Peer,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    if uri.path_and_query().is_some_and(|target| target.as_str().len() > TARGET_BYTES_MAX) {
        return Err(Problem::new(&TARGET_TOO_LONG, format!("more than {TARGET_BYTES_MAX} bytes")));
    }
    if peer.road == Road::Unix {
        return Ok(());
    }
    let refused = || Problem::new(&HOST_NOT_ALLOWED, "the header `Host` is not one of ours");
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(refused()) };
    let host = host.to_str().map_err(|_| refused())?;
    let is_named = uri.authority().is_none_or(|named| named.as_str() == host);
    if !is_named || !names.allow(host, peer.port) {
        return Err(refused());
    }
    let refused = || Problem::new(&ORIGIN_NOT_ALLOWED, "the header `Origin` is not our own");
    for origin in headers.get_all(header::ORIGIN) {
        let origin = origin.to_str().map_err(|_| refused())?;
        let (scheme, named) = origin.split_once("://").ok_or_else(refused)?;
        let is_scheme = match (names.behind_proxy, peer.road) {
            (true, _) => matches!(scheme, "http" | "https"),
            (false, Road::Tls) => scheme == "https",
            (false, _) => scheme == "http",
        };
        if !is_scheme || !named.eq_ignore_ascii_case(host) {
            return Err(refused());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

    use super::{Names, guard};
    use crate::http::{Peer, Road};

    fn asked(road: Road, uri: &str, headers: &[(&str, &str)]) -> Result<(), u16> {
        let allowed = ["Relay.example".to_owned(), "proxy.example:444".to_owned()];
        let listen = "127.0.0.1:8470".parse().expect("an address");
        let names = Names::new(&allowed, listen, false);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a name");
            map.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let uri: Uri = uri.parse().expect("an address");
        guard(&names, Peer { road, port: 8470 }, &uri, &map).map_err(|problem| problem.kind.status)
    }

    #[test]
    fn a_service_answers_to_its_own_names_alone() {
        for (host, answer) in [
            ("127.0.0.1:8470", Ok(())),
            ("localhost:8470", Ok(())),
            ("LOCALHOST:8470", Ok(())),
            ("[::1]:8470", Ok(())),
            ("relay.example", Ok(())),
            ("relay.example:9000", Ok(())),
            ("proxy.example:444", Ok(())),
            ("proxy.example", Err(421)),
            ("localhost", Err(421)),
            ("localhost:80", Err(421)),
            ("evil.example:8470", Err(421)),
            ("127.0.0.1.evil.example:8470", Err(421)),
            ("localhost.evil.example", Err(421)),
            ("", Err(421)),
        ] {
            assert_eq!(asked(Road::Tcp, "/", &[("host", host)]), answer, "{host}");
        }
        assert_eq!(asked(Road::Tcp, "/", &[]), Err(421));
        let twice = [("host", "localhost:8470"), ("host", "evil.example")];
        assert_eq!(asked(Road::Tcp, "/", &twice), Err(421));
        let absolute = "http://evil.example/v1/state";
        assert_eq!(asked(Road::Tcp, absolute, &[("host", "localhost:8470")]), Err(421));
        assert_eq!(asked(Road::Unix, "/", &[("host", "anything")]), Ok(()));
    }

    #[test]
    fn a_page_of_another_origin_gets_nothing() {
        let host = ("host", "localhost:8470");
        for (road, origin, answer) in [
            (Road::Tcp, "http://localhost:8470", Ok(())),
            (Road::Tcp, "https://localhost:8470", Err(403)),
            (Road::Tls, "https://localhost:8470", Ok(())),
            (Road::Tcp, "http://127.0.0.1:8470", Err(403)),
            (Road::Tcp, "http://localhost:8471", Err(403)),
            (Road::Tcp, "http://evil.example", Err(403)),
            (Road::Tcp, "null", Err(403)),
            (Road::Tcp, "", Err(403)),
        ] {
            assert_eq!(asked(road, "/", &[host, ("origin", origin)]), answer, "{origin}");
        }
    }

    #[test]
    fn a_target_has_a_longest_length() {
        let host = [("host", "localhost:8470")];
        assert_eq!(asked(Road::Tcp, &format!("/{}", "a".repeat(8191)), &host), Ok(()));
        assert_eq!(asked(Road::Tcp, &format!("/{}", "a".repeat(8192)), &host), Err(414));
    }
}
