//! Options of an object store.

use std::collections::BTreeMap;

use unbroken_connect::secret::SecretSource;
use url::{Host, Url};

/// Parts of the names of options that are secret, unless they end as no secret does: what names a
/// file or an address, and ids.
const SECRET: [&str; 9] = [
    "secret",
    "token",
    "password",
    "account_key",
    "access_key",
    "master_key",
    "sas",
    "encryption_key",
    "key_base64",
];
const NO_SECRET: [&str; 3] = ["_file", "_url", "access_key_id"];

/// The record goes in clear to nobody but this machine, and secrets are no text of the file.
pub(super) fn options_fault(
    name: &str,
    options: &BTreeMap<String, String>,
    secrets: &BTreeMap<String, SecretSource>,
) -> Option<(String, &'static str)> {
    let addresses = || {
        let stores = options.iter().filter(|(key, _)| !is_on_the_way(key));
        stores.filter_map(|(_, value)| Url::parse(value).ok())
    };
    let is_clear = |url: &Url| url.scheme() == "http";
    if addresses().any(|url| is_clear(&url) && !is_loopback(&url)) {
        let what = format!("sink `{name}`: the store would be spoken to in clear");
        return Some((what, "use https; http is for a store on this machine"));
    }
    let is_proxy = |key: &str| key.ends_with("proxy_url");
    let mut proxies = options.iter().filter(|(key, _)| is_proxy(key));
    let is_elsewhere = |url: &str| !Url::parse(url).is_ok_and(|url| is_loopback(&url));
    let is_sent =
        proxies.any(|(_, url)| is_elsewhere(url)) || secrets.keys().any(|key| is_proxy(key));
    if is_sent && addresses().any(|url| is_clear(&url)) {
        let what = format!("sink `{name}`: a proxy would be given in clear what is for the store");
        return Some((what, "use https, or leave `proxy_url` out for a store on this machine"));
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
    if let Some((key, _)) = options.iter().find(|(key, value)| is_secret(key, value)) {
        let what = format!("sink `{name}`: `{key}` is a secret");
        return Some((what, "name it in `secrets`, as `{ env = \"…\" }` or `{ file = \"…\" }`"));
    }
    let is_open = |key: &&String| {
        !is_on_the_way(key) && ["endpoint", "url", "allow_"].iter().any(|it| key.contains(it))
    };
    secrets.keys().find(is_open).map(|key| {
        let what = format!("sink `{name}`: `{key}` is no secret");
        (what, "name it in `options`")
    })
}

/// Whether it is the address of a proxy, which is asked for a tunnel wherever the store speaks TLS,
/// or of the service by which a cloud tells its own machines who they are.
fn is_on_the_way(key: &str) -> bool {
    key.ends_with("proxy_url") || key.ends_with("metadata_endpoint")
}

fn is_secret(key: &str, value: &str) -> bool {
    let is_named = SECRET.iter().any(|part| key.contains(part));
    let has_password = || Url::parse(value).is_ok_and(|url| url.password().is_some());
    (is_named && !NO_SECRET.iter().any(|end| key.ends_with(end))) || has_password()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::options_fault;

    fn fault(key: &str, value: &str) -> Option<String> {
        let options = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        options_fault("lake", &options, &BTreeMap::new()).map(|(what, _)| what)
    }

    #[test]
    fn every_name_of_a_secret_is_known_and_what_is_none_is_taken() {
        for key in [
            "aws_secret_access_key",
            "aws_session_token",
            "azure_storage_account_key",
            "azure_storage_access_key",
            "azure_storage_master_key",
            "access_key",
            "azure_storage_sas_key",
            "azure_storage_client_secret",
            "google_service_account_key",
            "google_bearer_token",
        ] {
            let fault = fault(key, "x").unwrap_or_default();
            assert!(fault.ends_with("is a secret"), "{key}: {fault}");
        }
        for key in [
            "aws_access_key_id",
            "aws_web_identity_token_file",
            "aws_sse_kms_key_id",
            "azure_storage_account_name",
            "google_service_account",
        ] {
            assert_eq!(fault(key, "x"), None, "{key}");
        }
    }

    #[test]
    fn a_store_is_spoken_to_in_clear_on_this_machine_alone() {
        let clear = |key, value| fault(key, value).is_some_and(|it| it.ends_with("in clear"));
        assert!(clear("aws_endpoint", "http://store.example"));
        assert!(!clear("aws_endpoint", "https://store.example"));
        assert_eq!(fault("aws_endpoint", "http://127.0.0.1:9000"), None);
        assert_eq!(fault("proxy_url", "http://proxy.example:3128"), None);
        assert_eq!(fault("aws_metadata_endpoint", "http://169.254.170.2"), None);
        let through = |store: &str, proxy: &str| {
            let option = |key: &str, value: &str| (key.to_owned(), value.to_owned());
            let options = [option("aws_endpoint", store), option("proxy_url", proxy)].into();
            options_fault("lake", &options, &BTreeMap::new()).map(|(what, _)| what)
        };
        let proxy = "http://proxy.example:3128";
        let told = through("http://127.0.0.1:9000", proxy).expect("it is refused");
        assert!(told.contains("a proxy would be given in clear"), "{told}");
        assert_eq!(through("https://store.example", proxy), None);
        assert_eq!(through("http://127.0.0.1:9000", "http://127.0.0.1:3128"), None);
        let told = fault("proxy_url", "http://user:hunter2@proxy.example").expect("it is refused");
        assert!(told.ends_with("`proxy_url` is a secret"), "{told}");
    }
}
