//! How a vendor is asked at which hosts a tenant is served.

use serde::Deserialize;

use crate::generic::profile::RequestProfile;

/// See [`crate::generic::Profile::discovery`]. `api` and `token` are origins that are put together
/// from text and from members of the answer, a JSON object: `https://api-{{ area }}.{{ domain }}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscoveryProfile {
    /// What to ask, at the service's origin and without a token: the template value `tenant_id` is
    /// the user's.
    pub request: RequestProfile,
    /// Where the API is.
    pub api: String,
    /// Where tokens are asked for, at the path of `[token]`.
    pub token: String,
}
