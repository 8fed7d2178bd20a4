//! Why a source cannot be made.

use crate::auth::AuthError;
use crate::config::{FieldsError, KeysError, StartError};
use crate::discovery::DiscoveryError;
use crate::generic::ProfileError;
use crate::genesys::RosterError;
use crate::transport::{OriginError, ProxyError, TlsError};

/// Why a source cannot be made from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The profile does not fit.
    #[error("source {name} has an unusable profile")]
    Profile {
        /// The source.
        name: String,
        /// Why.
        #[source]
        source: ProfileError,
    },
    /// An origin is wrong.
    #[error("source {name} has an unusable `{key}`")]
    Origin {
        /// The source.
        name: String,
        /// The key.
        key: &'static str,
        /// Why.
        #[source]
        source: OriginError,
    },
    /// The hosts cannot be asked for.
    #[error("source {name} has an unusable `discovery`")]
    Discovery {
        /// The source.
        name: String,
        /// Why.
        #[source]
        source: DiscoveryError,
    },
    /// The profile asks for pages, but there is nowhere to ask.
    #[error("source {name} needs `api`: its profile reads a snapshot")]
    NoApi {
        /// The source.
        name: String,
    },
    /// The profile opens a socket, but there is nowhere to open one.
    #[error("source {name} needs `stream`: its profile opens a WebSocket")]
    NoStream {
        /// The source.
        name: String,
    },
    /// A quiet poll would be taken for a dead one.
    #[error(
        "source {name} asks every {interval_ms} ms, but an answer may take until silence counts \
         as dead after {idle_ms} ms"
    )]
    Interval {
        /// The source.
        name: String,
        /// Between two questions.
        interval_ms: u64,
        /// When silence counts.
        idle_ms: u64,
    },
    /// The questions alone are too many.
    #[error(
        "source {name} asks every {interval_ms} ms, which is {questions} requests a minute if each \
         answer is one page, but of {per_minute} a minute only {share} are for questions"
    )]
    Questions {
        /// The source.
        name: String,
        /// Between two questions.
        interval_ms: u64,
        /// Questions in a minute.
        questions: u64,
        /// What the whole source may ask in a minute.
        per_minute: u32,
        /// What is left of it for questions.
        share: u32,
    },
    /// The profile needs tokens, but there is no way to get one.
    #[error("source {name} needs `[source.auth]`: its profile sends a token")]
    NoAuth {
        /// The source.
        name: String,
    },
    /// Authorization is wrong.
    #[error("source {name} has an unusable `auth`")]
    Auth {
        /// The source.
        name: String,
        /// Why.
        #[source]
        source: AuthError,
    },
    /// Trust cannot be set up.
    #[error("source {name} cannot set up TLS")]
    Tls {
        /// The source.
        name: String,
        /// Why.
        #[source]
        source: TlsError,
    },
    /// The environment names no usable proxy.
    #[error("source {name} has no usable proxy")]
    Proxy {
        /// The source.
        name: String,
        /// Why.
        #[source]
        source: ProxyError,
    },
    /// The field rules cannot be used.
    #[error("source {name} has unusable `fields`")]
    Fields {
        /// The source.
        name: String,
        /// Why.
        #[source]
        source: FieldsError,
    },
    /// It cannot begin as it is told to.
    #[error("source {name} has an unusable `start`")]
    Start {
        /// The source.
        name: String,
        /// Why.
        #[source]
        source: StartError,
    },
    /// The source has a section for another connector.
    #[error("source {name} has `[source.genesys]`, but its profile is another")]
    NotGenesys {
        /// The source.
        name: String,
    },
    /// The region is none.
    #[error("source {name} has an unusable `genesys.region`")]
    Region {
        /// The source.
        name: String,
    },
    /// The topics cannot be laid out.
    #[error("source {name} cannot subscribe to what it shall record")]
    Roster {
        /// The source.
        name: String,
        /// Why.
        #[source]
        source: RosterError,
    },
    /// Audits alone would take what recovery needs.
    #[error(
        "source {name} asks {requests} times for each audit, every {audit_ms} ms: more than half \
         of the {per_minute} requests a minute that it may make"
    )]
    Audit {
        /// The source.
        name: String,
        /// Requests of one audit of all streams.
        requests: usize,
        /// Between two audits.
        audit_ms: u64,
        /// `budget.requests_per_minute`.
        per_minute: u32,
    },
    /// The keys cannot be read.
    #[error("source {name} cannot read its keys")]
    Keys {
        /// The source.
        name: String,
        /// Why.
        #[source]
        source: KeysError,
    },
}

impl SourceError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Profile { source, .. } => source.hint(),
            Self::Origin { source, .. } => Some(source.hint()),
            Self::Discovery { source, .. } => source.hint(),
            Self::NoApi { .. } => Some("add `api = \"https://…\"`".into()),
            Self::NoStream { .. } => Some("add `stream = \"wss://…\"`".into()),
            Self::Interval { .. } => {
                Some("raise `timing.idle_ms` of the source, or lower `poll.interval_ms`".into())
            }
            Self::Questions { questions, share, .. } => Some(match share {
                0 => format!("set `requests_per_minute` of `[source.budget]` to {}", 2 * questions),
                share => format!(
                    "raise `poll.interval_ms` to {}, or `requests_per_minute` of \
                     `[source.budget]` to {}",
                    60_000_u32.div_ceil(*share),
                    2 * questions
                ),
            }),
            Self::NotGenesys { .. } => Some("set `profile = \"genesys\"`".into()),
            Self::Region { .. } => {
                Some("write it as the hosts end, such as \"mypurecloud.ie\"".into())
            }
            Self::Roster { source, .. } => Some(source.hint().into()),
            Self::Audit { .. } => Some(
                "raise `timing.audit_ms`: it bounds how long a wrong state may go unnoticed; or \
                 record by `management_units`"
                    .into(),
            ),
            Self::NoAuth { .. } => Some("add `[source.auth]` with a `grant`".into()),
            Self::Auth { source: AuthError::Url(source), .. } => Some(source.hint()),
            Self::Auth { .. } => Some("add `url = \"https://…\"` to `[source.auth]`".into()),
            Self::Tls { source, .. } => Some(source.hint()),
            Self::Fields { source, .. } => Some(source.hint()),
            Self::Start { source, .. } => Some(source.hint().into()),
            Self::Proxy { source, .. } => Some(source.hint().into()),
            Self::Keys { .. } => {
                Some("`agents_file` names a text file with one agent a line".into())
            }
        }
    }
}
