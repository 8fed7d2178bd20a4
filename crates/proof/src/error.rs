//! What keeps a simulation from being run.

use unbroken_connect::source::SourceError;
use unbroken_sim::SimError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// A name means nothing.
    #[error("{kind} `{name}` is unknown")]
    Unknown {
        /// What it should be.
        kind: &'static str,
        /// What it is.
        name: String,
    },
    /// A plan cannot be read.
    #[error("plan has `{part}`, where {expected} is expected")]
    Plan {
        /// The part of it.
        part: String,
        /// What would be.
        expected: &'static str,
    },
    /// The source's configuration is wrong.
    #[error("source cannot be made")]
    Source(#[source] Box<SourceError>),
    /// The source's configuration cannot be read.
    #[error("source configuration cannot be read")]
    Configuration(#[source] toml::de::Error),
    /// The vendor cannot be made.
    #[error("vendor cannot be made")]
    Vendor(#[source] SimError),
}
