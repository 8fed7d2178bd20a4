//! Options of an object store.

use std::collections::BTreeMap;

use unbroken_connect::secret::SecretSource;
use url::{Host, Url};

/// Parts of the names of options that are secret.
const SECRET: [&str; 8] =
    ["secret", "token", "password", "account_key", "sas", "encryption_key", "key_base64", "key_id"];

/// The record goes in clear to nobody but this machine, and secrets are no text of the file.
pub(super) fn options_fault(
    name: &str,
    options: &BTreeMap<String, String>,
    secrets: &BTreeMap<String, SecretSource>,
) -> Option<(String, &'static str)> {
    let addresses = || options.values().filter_map(|value| Url::parse(value).ok());
    let is_clear = |url: &Url| url.scheme() == "http";
    if addresses().any(|url| is_clear(&url) && !is_loopback(&url)) {
        let what = format!("sink `{name}`: the store would be spoken to in clear");
        return Some((what, "use https; http is for a store on this machine"));
    }
    let named = |part: &str| options.keys().find(|key| key.contains(part));
    if let Some(key) = named("allow_http").filter(|_| !addresses().any(|url| is_clear(&url))) {
        let what = format!("sink `{name}`: `{key}` without an address on this machine");
        return Some((what, "leave it out, or name the address as `aws_endpoint`"));
    }
    if let Some(key) = named("allow_invalid_certificates") {
        let what = format!("sink `{name}`: `{key}` would trust anybody");
        return Some((what, "name the store's certificate by `ca_file`"));
    }
    let is_secret = |key: &&String| {
        key.as_str() != "aws_access_key_id" && SECRET.iter().any(|part| key.contains(part))
    };
    if let Some(key) = options.keys().find(is_secret) {
        let what = format!("sink `{name}`: `{key}` is a secret");
        return Some((what, "name it in `secrets`, as `{ env = \"…\" }` or `{ file = \"…\" }`"));
    }
    let is_open = |key: &&String| ["endpoint", "url", "allow_"].iter().any(|it| key.contains(it));
    secrets.keys().find(is_open).map(|key| {
        let what = format!("sink `{name}`: `{key}` is no secret");
        (what, "name it in `options`")
    })
}

fn is_loopback(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    is_here && url.username().is_empty() && url.password().is_none()
}
