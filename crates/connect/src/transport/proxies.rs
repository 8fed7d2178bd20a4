//! Which proxy leads to which host.

use std::net::IpAddr;
use std::sync::Arc;

use crate::transport::origin::Origin;
use crate::transport::proxy::{Proxy, ProxyError};

/// The proxies of a source.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// For `https` and `wss`.
    secure: Option<Arc<Proxy>>,
    /// For `http` and `ws`.
    plain: Option<Arc<Proxy>>,
    except: Vec<Exception>,
    /// Named for this source: then also for this machine, where TLS protects it.
    named: bool,
}

impl Proxies {
    /// None: everything goes directly.
    pub fn none() -> Self {
        Self::default()
    }

    /// This one for everything.
    pub fn only(proxy: Proxy) -> Self {
        let proxy = Some(Arc::new(proxy));
        Self { secure: proxy.clone(), plain: proxy, except: Vec::new(), named: true }
    }

    /// As the environment says: `HTTPS_PROXY` for `https` and `wss`, `HTTP_PROXY` for `http` and
    /// `ws`, `ALL_PROXY` for both; `NO_PROXY` lists what goes directly. A name in small letters
    /// goes before the same in capitals, as curl has it.
    ///
    /// # Errors
    /// If a variable names no proxy.
    pub fn from_env(read: impl Fn(&str) -> Option<String>) -> Result<Self, ProxyError> {
        let all = variable(&read, ["all_proxy", "ALL_PROXY"])?;
        let secure = variable(&read, ["https_proxy", "HTTPS_PROXY"])?.or_else(|| all.clone());
        let plain = variable(&read, ["http_proxy", "HTTP_PROXY"])?.or(all);
        let except = ["no_proxy", "NO_PROXY"].into_iter().find_map(&read).unwrap_or_default();
        let except = except.split([',', ' ']).filter_map(Exception::parse).collect();
        Ok(Self { secure, plain, except, named: false })
    }

    /// Whether TLS is spoken with one of them.
    pub fn are_encrypted(&self) -> bool {
        [&self.secure, &self.plain].into_iter().flatten().any(|proxy| proxy.is_encrypted())
    }

    /// The proxy for an origin. Plain text to this machine is never handed to a proxy, which could
    /// read it; and the environment means other machines.
    pub fn of(&self, origin: &Origin) -> Option<&Proxy> {
        let plain = !origin.is_encrypted();
        if origin.is_loopback() && (plain || !self.named) {
            return None;
        }
        let (host, port) = origin.host_and_port();
        if self.except.iter().any(|exception| exception.holds(&host, port)) {
            return None;
        }
        if plain { self.plain.as_deref() } else { self.secure.as_deref() }
    }
}

fn variable(
    read: impl Fn(&str) -> Option<String>,
    names: [&'static str; 2],
) -> Result<Option<Arc<Proxy>>, ProxyError> {
    for name in names {
        let Some(text) = read(name).filter(|text| !text.trim().is_empty()) else { continue };
        // "proxy:3128" is what many write, and what curl takes.
        let text = text.trim();
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let proxy =
            Proxy::parse(&full).map_err(|why| ProxyError::Variable { name, why: Box::new(why) })?;
        return Ok(Some(Arc::new(proxy)));
    }
    Ok(None)
}

/// What goes directly.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// A domain, with everything below it.
    Domain(String),
    /// Addresses that begin with the same bits.
    Network(IpAddr, u32),
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let (text, port) = match text.rsplit_once(':') {
            // An address of version 6 has colons of its own.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (text.as_str(), None),
        };
        let text = text.trim_start_matches('[').trim_end_matches(']');
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let hosts = match (base.parse::<IpAddr>(), bits) {
            (Ok(ip), bits) => Hosts::Network(ip, bits.unwrap_or(128)),
            (Err(_), Some(_)) => return None,
            (Err(_), None) => match base.trim_start_matches("*.").trim_matches('.') {
                "*" => Hosts::All,
                "" => return None,
                domain => Hosts::Domain(domain.to_owned()),
            },
        };
        Some(Self { hosts, port })
    }

    fn holds(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        let host = host.to_ascii_lowercase();
        match &self.hosts {
            Hosts::All => true,
            Hosts::Domain(domain) => host
                .strip_suffix(domain.as_str())
                .is_some_and(|before| before.is_empty() || before.ends_with('.')),
            Hosts::Network(ip, bits) => {
                host.parse::<IpAddr>().is_ok_and(|host| shares_bits(host, *ip, *bits))
            }
        }
    }
}

fn shares_bits(a: IpAddr, b: IpAddr, bits: u32) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits.min(32)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits.min(128)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        let read = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Proxies::from_env(read).unwrap()
    }

    fn way(proxies: &Proxies, url: &str) -> Option<String> {
        let origin = if url.starts_with("http") {
            Origin::api(url, true).unwrap()
        } else {
            Origin::stream(url, true).unwrap()
        };
        proxies.of(&origin).map(ToString::to_string)
    }

    #[test]
    fn each_scheme_has_its_variable_and_small_letters_go_first() {
        let proxies = proxies(&[
            ("HTTPS_PROXY", "http://big:1"),
            ("https_proxy", "http://small:2"),
            ("HTTP_PROXY", "plain:3"),
        ]);
        let small = Some("http://small:2".to_owned());
        assert_eq!(way(&proxies, "https://a.example"), small);
        assert_eq!(way(&proxies, "wss://a.example"), small);
        assert_eq!(way(&proxies, "ws://a.example"), Some("http://plain:3".to_owned()));
        let all = self::proxies(&[("ALL_PROXY", "https://all:4"), ("HTTPS_PROXY", "")]);
        assert_eq!(way(&all, "wss://a.example"), Some("https://all:4".to_owned()));
        assert!(all.are_encrypted() && !proxies.are_encrypted());
        assert_eq!(way(&self::proxies(&[]), "https://a.example"), None);
    }

    #[test]
    fn what_no_proxy_lists_goes_directly() {
        let list = "b.example, .c.example,10.0.0.0/8,192.168.1.7 [fd00::]/8,*.e.example:444";
        let proxies = proxies(&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", list)]);
        let direct = |url: &str| way(&proxies, url).is_none();
        for url in [
            "https://b.example",
            "wss://x.b.example:9",
            "https://c.example",
            "https://10.255.0.1",
            "https://192.168.1.7",
            "https://e.example:444",
        ] {
            assert!(direct(url), "{url}");
        }
        for url in [
            "https://a.example",
            "https://ab.example",
            "https://11.0.0.1",
            "https://192.168.1.8",
            "https://e.example:445",
            "https://b.example.org",
        ] {
            assert!(!direct(url), "{url}");
        }
        let nothing = self::proxies(&[("HTTPS_PROXY", "http://p:1"), ("no_proxy", "*")]);
        assert_eq!(way(&nothing, "https://a.example"), None);
    }

    #[test]
    fn this_machine_is_reached_through_a_proxy_only_with_tls_and_when_told() {
        let everywhere = proxies(&[("ALL_PROXY", "http://p:1")]);
        assert_eq!(way(&everywhere, "https://localhost"), None);
        let named = Proxies::only(Proxy::parse("http://p:1").unwrap());
        assert_eq!(way(&named, "https://localhost"), Some("http://p:1".to_owned()));
        assert_eq!(way(&named, "http://localhost"), None);
        assert_eq!(way(&named, "ws://127.0.0.1:1"), None);
        assert_eq!(way(&named, "ws://a.example"), Some("http://p:1".to_owned()));
    }

    #[test]
    fn a_variable_that_names_no_proxy_is_told_by_its_name() {
        let read = |name: &str| (name == "HTTPS_PROXY").then(|| "ftp://me:hunter2@p".to_owned());
        let error = Proxies::from_env(read).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("HTTPS_PROXY") && !text.contains("hunter2"), "{text}");
    }
}
