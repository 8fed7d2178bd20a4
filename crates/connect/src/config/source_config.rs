//! See [`SourceConfig`].

use std::path::PathBuf;

use serde::Deserialize;

use crate::auth::AuthConfig;
use crate::config::limits::Limits;
use crate::config::profile_choice::ProfileChoice;
use crate::config::timing_choice::TimingChoice;

/// One `[[source]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Its name; its stream is known as `name/stream`.
    pub name: String,
    /// How the vendor speaks.
    pub profile: ProfileChoice,
    /// Origin of the vendor's HTTP API, such as `https://api.example.com`.
    pub api: Option<String>,
    /// Origin of the vendor's WebSocket, such as `wss://api.example.com`.
    pub stream: String,
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
    /// Allow `http` and `ws` to other machines: the network can read the token and the events.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Delays.
    #[serde(default)]
    pub timing: TimingChoice,
    /// Bounds in bytes.
    #[serde(default)]
    pub limits: Limits,
}
