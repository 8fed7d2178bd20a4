//! `webhook = { … }` of a `[[sink]]`.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use unbroken_connect::secret::SecretSource;
use unbroken_connect::transport::{Origin, OriginError};

/// A URL that CloudEvents are posted to.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSection {
    /// `https://host/path`; the path and the query may be secrets.
    pub url: String,
    /// What requests are signed with.
    #[serde(default)]
    pub secret: Option<SecretSource>,
    /// Further ones: each of them signs, while a secret is being changed.
    #[serde(default)]
    pub secrets: Vec<SecretSource>,
    /// Most bytes of a request's body.
    #[serde(default = "bytes_max")]
    pub bytes_max: usize,
    /// How long an answer may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// Allow `http` to other machines.
    #[serde(default)]
    pub insecure: bool,
    /// Further certificates to trust.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// What servers and gateways take without being told to.
fn bytes_max() -> usize {
    1024 * 1024
}

/// Longer than a gateway waits for what is behind it.
fn timeout_ms() -> u64 {
    30_000
}

impl fmt::Debug for WebhookSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSection")
            .field("secret", &self.secret)
            .field("secrets", &self.secrets)
            .field("bytes_max", &self.bytes_max)
            .field("timeout_ms", &self.timeout_ms)
            .field("insecure", &self.insecure)
            .field("ca_file", &self.ca_file)
            .finish_non_exhaustive()
    }
}

impl WebhookSection {
    pub(super) fn fault(&self, name: &str) -> Option<(String, &'static str)> {
        if let Err(error) = Origin::of_url(&self.url, self.insecure) {
            let hint = match error {
                OriginError::Plaintext(_) => {
                    "use https; or set `insecure = true` if the network may read the record"
                }
                OriginError::More(_) => "leave user and password out of the URL",
                OriginError::NotUrl(_) | OriginError::Scheme { .. } => {
                    "write it as https://receiver.example.com/path"
                }
            };
            return Some((format!("sink `{name}`: {error}"), hint));
        }
        (self.bytes_max == 0 || self.timeout_ms == 0).then(|| {
            let what = format!("sink `{name}`: `bytes_max` or `timeout_ms` is 0");
            (what, "leave it out: the default is enough for most receivers")
        })
    }
}
