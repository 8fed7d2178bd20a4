//! See [`SourceConfig`].

use std::path::PathBuf;

use serde::Deserialize;

use crate::auth::AuthConfig;
use crate::config::budget_choice::BudgetChoice;
use crate::config::fields::FieldsConfig;
use crate::config::limits::Limits;
use crate::config::profile_choice::ProfileChoice;
use crate::config::proxy_choice::ProxyChoice;
use crate::config::start_choice::StartChoice;
use crate::config::timing_choice::TimingChoice;
use crate::discovery::DiscoveryChoice;
use crate::genesys::GenesysConfig;

/// One `[[source]]`. All that a real one needs:
///
/// ```
/// # let text = r#"
/// name = "acme"
/// profile = "cxone"
/// api = "https://api.example.com"
/// stream = "wss://api.example.com"
/// agents_file = "agents.txt"
///
/// [auth]
/// grant = "password"
/// url = "https://login.example.com/auth/token"
/// client_id = { env = "ACME_CLIENT_ID" }
/// client_secret = { env = "ACME_CLIENT_SECRET" }
/// username = { env = "ACME_ACCESS_KEY_ID" }
/// password = { file = "/run/secrets/acme_access_key_secret" }
/// scope = "wfm:schedule:read"
/// # "#;
/// # let config: unbroken_connect::SourceConfig = toml::from_str(text)?;
/// # assert_eq!(config.name, "acme");
/// # Ok::<(), toml::de::Error>(())
/// ```
///
/// To change something in the profile, make `profile` a table: `extends = "cxone"` (or
/// `file = "my.toml"`) and the keys to change, such as `capabilities = { position = "increasing"
/// }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Its name; its stream is known as `name/stream`.
    pub name: String,
    /// How the vendor speaks.
    pub profile: ProfileChoice,
    /// Origin of the vendor's HTTP API, such as `https://api.example.com`.
    pub api: Option<String>,
    /// The vendor's service that says where the API is, in place of `api` and of the token's URL.
    pub discovery: Option<DiscoveryChoice>,
    /// Hosts, beside that of `api`, to which a page of a snapshot may point for the next one. They
    /// are asked over https, without the token.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
    /// Origin of the vendor's WebSocket, such as `wss://api.example.com`; not of a source that is
    /// polled.
    pub stream: Option<String>,
    /// Keys to subscribe to; none here and none in the file: all.
    #[serde(default, alias = "keys")]
    pub agents: Vec<String>,
    /// A file with more of them, one a line.
    #[serde(alias = "keys_file")]
    pub agents_file: Option<PathBuf>,
    /// How tokens are asked for; without it none are sent.
    pub auth: Option<AuthConfig>,
    /// A PEM file with certificates to trust beside the platform's.
    pub ca_file: Option<PathBuf>,
    /// A PEM file with our own certificate and its chain, for vendors that ask for one.
    pub client_certificate_file: Option<PathBuf>,
    /// A PEM file with that certificate's private key; not readable by everybody.
    pub client_key_file: Option<PathBuf>,
    /// By which proxy; default: as `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[serde(default)]
    pub proxy: ProxyChoice,
    /// Allow `http` and `ws` to other machines: the network can read the token and the events.
    #[serde(default, alias = "allow_plaintext")]
    pub insecure: bool,
    /// What to subscribe to at Genesys Cloud.
    #[serde(default)]
    pub genesys: GenesysConfig,
    /// Fields of payloads that are not kept.
    #[serde(default)]
    pub fields: FieldsConfig,
    /// How it begins, and when it may take a snapshot.
    #[serde(default)]
    pub start: StartChoice,
    /// Delays.
    #[serde(default)]
    pub timing: TimingChoice,
    /// How often the vendor may be asked.
    #[serde(default)]
    pub budget: BudgetChoice,
    /// Bounds in bytes.
    #[serde(default)]
    pub limits: Limits,
}
