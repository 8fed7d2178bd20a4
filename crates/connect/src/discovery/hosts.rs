//! Where a tenant is served, read from an answer and believed only so far.

use serde_json::{Map, Value};
use unbroken_core::connector::{Class, Failure};
use unbroken_core::ids::Label;

use crate::discovery::allowed::Allowed;
use crate::discovery::named::Named;
use crate::transport::Origin;

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hosts {
    pub(crate) api: Origin,
    pub(crate) token: Origin,
}

/// How they are read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) api: Named,
    pub(crate) token: Named,
    pub(crate) allowed: Allowed,
    /// Plain text is for this machine, or for whoever has said so.
    pub(crate) insecure: bool,
    /// The service itself was asked through TLS.
    pub(crate) encrypted: bool,
}

impl Reading {
    /// The hosts that an answer names.
    ///
    /// # Errors
    /// To be asked again where the answer is none; a person's where it leads somewhere else.
    pub(crate) fn hosts(&self, body: &[u8]) -> Result<Hosts, Failure> {
        let answer: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|_| retry("the service of hosts did not answer with a JSON object"))?;
        let origin = |named: &Named| {
            let text = named.of(&answer).map_err(|name| {
                retry(&format!("the service of hosts names no `{name}` in its answer"))
            })?;
            self.origin(&text)
        };
        Ok(Hosts { api: origin(&self.api)?, token: origin(&self.token)? })
    }

    fn origin(&self, text: &str) -> Result<Origin, Failure> {
        let origin = Origin::api(text, self.insecure)
            .map_err(|error| fatal(&format!("the service of hosts names one where {error}")))?;
        let (host, _) = origin.host_and_port();
        if !self.allowed.covers(&host) {
            return Err(fatal(&format!(
                "the service of hosts names {origin}, which is not allowed; if it is your \
                 vendor's, add \"{host}\" to `allowed_hosts` of `[source.discovery]`"
            )));
        }
        if self.encrypted && !origin.is_encrypted() {
            return Err(fatal(&format!("the service of hosts names {origin}, without encryption")));
        }
        Ok(origin)
    }
}

pub(crate) fn retry(what: &str) -> Failure {
    Failure { class: Class::Retry { after_ms: None }, code: None, what: Label::from(what) }
}

pub(crate) fn fatal(what: &str) -> Failure {
    Failure { class: Class::Fatal, code: None, what: Label::from(what) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(encrypted: bool) -> Reading {
        let allowed = [".vendor.example".to_owned(), "127.0.0.1".to_owned()];
        Reading {
            api: Named::new("{{ api_endpoint }}").unwrap(),
            token: Named::new("https://{{ area }}.{{ domain }}").unwrap(),
            allowed: Allowed::new(&allowed).unwrap(),
            insecure: false,
            encrypted,
        }
    }

    fn read(api: &str, area: &str, domain: &str) -> Result<(String, String), Failure> {
        let answer = serde_json::json!({"api_endpoint": api, "area": area, "domain": domain});
        let hosts = reading(true).hosts(answer.to_string().as_bytes())?;
        Ok((hosts.api.to_string(), hosts.token.to_string()))
    }

    #[test]
    fn hosts_below_the_vendor_s_domain_are_believed() {
        let read = read("https://api-na1.vendor.example/", "na1", "vendor.example").unwrap();
        let expected = ("https://api-na1.vendor.example", "https://na1.vendor.example");
        assert_eq!((read.0.as_str(), read.1.as_str()), expected);
    }

    #[test]
    fn what_leads_elsewhere_is_a_person_s_to_allow() {
        for (api, area, domain) in [
            ("https://api.evil.example", "na1", "vendor.example"),
            ("https://vendor.example.evil.example", "na1", "vendor.example"),
            ("https://evil.example#.vendor.example", "na1", "vendor.example"),
            ("https://evil.example/.vendor.example", "na1", "vendor.example"),
            ("https://evil.example\\.vendor.example", "na1", "vendor.example"),
            ("https://x@api.vendor.example", "na1", "vendor.example"),
            ("http://api.vendor.example", "na1", "vendor.example"),
            ("http://127.0.0.1:80", "na1", "vendor.example"),
            ("ftp://api.vendor.example", "na1", "vendor.example"),
            ("https://api.vendor.example", "evil.example/", "vendor.example"),
            ("https://api.vendor.example", "evil.example?", "vendor.example"),
            ("https://api.vendor.example", "user:pw@evil", "example"),
        ] {
            let failure = read(api, area, domain).unwrap_err();
            assert_eq!(failure.class, Class::Fatal, "{api} {area}: {}", failure.what);
        }
        let failure = read("https://api.evil.example", "na1", "vendor.example").unwrap_err();
        let what = failure.what.as_str();
        assert!(what.contains("add \"api.evil.example\" to `allowed_hosts`"), "{what}");
        let plain = serde_json::json!({
            "api_endpoint": "http://127.0.0.1:1", "area": "na1", "domain": "vendor.example",
        });
        assert!(reading(false).hosts(plain.to_string().as_bytes()).is_ok(), "this machine's own");
    }

    #[test]
    fn what_is_no_answer_is_asked_for_again() {
        for body in ["", "<html>", "[]", "{}", r#"{"api_endpoint":7}"#] {
            let failure = reading(true).hosts(body.as_bytes()).unwrap_err();
            assert_eq!(failure.class, Class::Retry { after_ms: None }, "{body}");
        }
    }
}
