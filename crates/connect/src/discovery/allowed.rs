//! The hosts that a service may name.

use crate::discovery::error::DiscoveryError;

/// Hosts, and ends of hosts.
#[derive(Clone, Debug)]
pub(crate) struct Allowed(Vec<String>);

impl Allowed {
    pub(crate) fn new(entries: &[String]) -> Result<Self, DiscoveryError> {
        if entries.is_empty() {
            return Err(DiscoveryError::NobodyAllowed);
        }
        for entry in entries {
            // `.com` would be everybody.
            let is_wide = entry.starts_with('.') && entry.matches('.').count() < 2;
            let labels = entry.strip_prefix('.').unwrap_or(entry).split('.');
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':');
            let is_host = |label: &str| !label.is_empty() && label.chars().all(plain);
            if is_wide || !labels.clone().all(is_host) {
                return Err(DiscoveryError::Allowed(entry.clone()));
            }
        }
        Ok(Self(entries.iter().map(|entry| entry.to_ascii_lowercase()).collect()))
    }

    /// Whether it may be named; `host` without a port.
    pub(crate) fn covers(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.0.iter().any(|entry| match entry.starts_with('.') {
            true => host.len() > entry.len() && host.ends_with(entry.as_str()),
            false => host == *entry,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entries: &[&str]) -> Result<Allowed, DiscoveryError> {
        Allowed::new(&entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_host_is_itself_and_a_dot_stands_for_all_below() {
        let allowed = allowed(&[".Vendor.example", "127.0.0.1", "api.other.example"]).unwrap();
        for host in ["na1.vendor.example", "API-NA1.vendor.example", "a.b.vendor.example"] {
            assert!(allowed.covers(host), "{host}");
        }
        assert!(allowed.covers("127.0.0.1") && allowed.covers("api.other.example"));
        for host in [
            "vendor.example",
            ".vendor.example",
            "evilvendor.example",
            "vendor.example.evil",
            "x.api.other.example",
            "127.0.0.10",
            "",
        ] {
            assert!(!allowed.covers(host), "{host}");
        }
    }

    #[test]
    fn half_of_the_world_is_not_allowed() {
        assert!(matches!(allowed(&[]), Err(DiscoveryError::NobodyAllowed)));
        for entry in [".com", ".", "", "*", "*.vendor.example", "https://a.example", "a..b", "a/b"]
        {
            assert!(matches!(allowed(&[entry]), Err(DiscoveryError::Allowed(_))), "{entry}");
        }
        assert!(allowed(&["localhost", "::1"]).is_ok());
    }
}
