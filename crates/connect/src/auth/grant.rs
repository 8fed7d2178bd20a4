//! How a token is asked for, as the user writes it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::secret::SecretSource;

/// `[source.auth]`: the grant and its credentials.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "grant", rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthConfig {
    /// OAuth 2.0 client credentials.
    ClientCredentials {
        /// Where; default: the profile's path at the API's origin.
        url: Option<String>,
        /// The client's id.
        client_id: SecretSource,
        /// The client's secret.
        client_secret: SecretSource,
        /// How the client shows them.
        #[serde(default)]
        client_auth: ClientAuth,
        /// Scope asked for.
        scope: Option<String>,
        /// More form fields, such as an audience.
        #[serde(default)]
        params: BTreeMap<String, String>,
    },
    /// OAuth 2.0 resource owner password: also for vendors whose access keys take its form.
    Password {
        /// Where; default: the profile's path at the API's origin.
        url: Option<String>,
        /// The user's name, or the access key's id.
        username: SecretSource,
        /// The password, or the access key's secret.
        password: SecretSource,
        /// The client's id, where the vendor asks for one.
        client_id: Option<SecretSource>,
        /// The client's secret, where the vendor asks for one.
        client_secret: Option<SecretSource>,
        /// How the client shows them.
        #[serde(default)]
        client_auth: ClientAuth,
        /// Scope asked for.
        scope: Option<String>,
        /// More form fields.
        #[serde(default)]
        params: BTreeMap<String, String>,
    },
    /// An access key, sent as JSON.
    AccessKey {
        /// Where; default: the profile's path at the API's origin.
        url: Option<String>,
        /// The key's id.
        key_id: SecretSource,
        /// The key's secret.
        key_secret: SecretSource,
    },
    /// A token that somebody else renews; it is read anew whenever one is needed.
    Token {
        /// The token.
        token: SecretSource,
    },
}

/// How a client shows its id and secret (RFC 6749, 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// In an `Authorization: Basic` header.
    #[default]
    Basic,
    /// In the form.
    Body,
}

impl AuthConfig {
    /// The URL that the user names.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::ClientCredentials { url, .. }
            | Self::Password { url, .. }
            | Self::AccessKey { url, .. } => url.as_deref(),
            Self::Token { .. } => None,
        }
    }

    /// Names the URL, unless the user does.
    pub(crate) fn default_url(&mut self, default: String) {
        match self {
            Self::ClientCredentials { url, .. }
            | Self::Password { url, .. }
            | Self::AccessKey { url, .. } => drop(url.get_or_insert(default)),
            Self::Token { .. } => {}
        }
    }

    /// The scope asked for.
    pub(crate) fn scope(&self) -> Option<&str> {
        match self {
            Self::ClientCredentials { scope, .. } | Self::Password { scope, .. } => {
                scope.as_deref()
            }
            _ => None,
        }
    }

    /// Whether a secret stands in the configuration itself.
    pub(crate) fn has_literal(&self) -> bool {
        match self {
            Self::ClientCredentials { client_secret, .. } => client_secret.is_literal(),
            Self::Password { password, client_secret, .. } => {
                password.is_literal()
                    || client_secret.as_ref().is_some_and(SecretSource::is_literal)
            }
            Self::AccessKey { key_secret, .. } => key_secret.is_literal(),
            Self::Token { token } => token.is_literal(),
        }
    }
}
