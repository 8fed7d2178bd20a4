//! Which service is asked, as the user writes it.

use serde::Deserialize;

/// `[source.discovery]`: in place of `api`, and of the token's URL.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscoveryChoice {
    /// Origin of the service.
    pub url: String,
    /// Whose hosts are asked for: the template value `tenant_id`.
    pub tenant_id: String,
    /// Hosts that the answer may name: they are sent the secrets and the token. One that begins
    /// with a dot stands for all below it.
    pub allowed_hosts: Vec<String>,
}
