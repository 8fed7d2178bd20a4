//! The sections `[relay.dialect.…]`, with their secrets resolved to fingerprints.

use super::credential::Credentials;

/// How long a token lives, as the vendors' do: an hour.
pub const TOKEN_LIFE_MS: u64 = 3_600_000;
/// How long the place is kept of a client that does not say where it was: an hour.
pub const RESUME_MS: u64 = 3_600_000;

/// `[relay.dialect.cxone]`.
#[derive(Clone, Debug)]
pub struct CxoneDialect {
    /// The source whose events are told.
    pub source: String,
    /// The resource that clients subscribe to: the name of the source's stream.
    pub resource: String,
    /// Who may come in.
    pub credentials: Credentials,
    /// How long a token lives, in milliseconds.
    pub token_life_ms: u64,
    /// How long the place is kept of a client that names no `sequenceId`, in milliseconds.
    pub resume_ms: u64,
}

/// `[relay.dialect.genesys]`.
#[derive(Clone, Debug)]
pub struct GenesysDialect {
    /// The source whose events are told.
    pub source: String,
    /// Who may come in.
    pub credentials: Credentials,
    /// How long a token lives, in milliseconds.
    pub token_life_ms: u64,
}

/// Which dialects are spoken.
#[derive(Clone, Debug, Default)]
pub struct DialectSettings {
    /// That of NICE CXone.
    pub cxone: Option<CxoneDialect>,
    /// That of Genesys Cloud.
    pub genesys: Option<GenesysDialect>,
}
