//! Why a hook cannot be used, or did not do what it should.

use std::io;

use thiserror::Error;
use unbroken_connect::transport::{OriginError, ProxyError, TlsError, TransportError};

/// See the module. Never holds a URL's path or query: they may be secrets.
#[derive(Debug, Error)]
pub enum HookError {
    /// The URL cannot be used.
    #[error("hook {hook} has an unusable URL")]
    Url {
        /// The hook's key.
        hook: &'static str,
        /// Why.
        source: OriginError,
    },
    /// Trust cannot be set up.
    #[error("hook {hook} cannot set up TLS")]
    Tls {
        /// The hook's key.
        hook: &'static str,
        /// Why.
        source: TlsError,
    },
    /// The environment names no usable proxy.
    #[error("hook {hook} has no usable proxy")]
    Proxy {
        /// The hook's key.
        hook: &'static str,
        /// Why.
        source: ProxyError,
    },
    /// The program cannot be started.
    #[error("program {program} cannot be started")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It took too long, and was killed.
    #[error("it took longer than {limit_ms} ms")]
    Timeout {
        /// The limit.
        limit_ms: u64,
    },
    /// The program did not end with 0.
    #[error("program {program} ended with {how}")]
    Ended {
        /// The program.
        program: String,
        /// `exit status: 1`, or a signal.
        how: String,
    },
    /// What it reads or writes broke.
    #[error("program {program} cannot be spoken with")]
    Io {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// No answer came.
    #[error("{origin} did not answer")]
    Transport {
        /// The origin.
        origin: String,
        /// Why.
        source: TransportError,
    },
    /// The answer was not 2xx.
    #[error("{origin} answered HTTP {status}")]
    Status {
        /// The origin.
        origin: String,
        /// The status.
        status: u16,
    },
}

impl HookError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Url { source, .. } => return Some(source.hint()),
            Self::Tls { source, .. } => source.hint(),
            Self::Proxy { source, .. } => source.hint().to_owned(),
            Self::Start { .. } => {
                "name the program by its full path, and let the service's user run it".to_owned()
            }
            Self::Timeout { .. } => {
                "let the hook hand its work on and end, or raise its `timeout_ms`".to_owned()
            }
            Self::Ended { .. } | Self::Io { .. } => {
                "run it by hand with a notice on stdin; `log.level = \"debug\"` shows what it says"
                    .to_owned()
            }
            Self::Transport { source, .. } => return source.hint(),
            Self::Status { status: 300..400, .. } => {
                "redirects are not followed: name the URL that answers".to_owned()
            }
            Self::Status { .. } => "is the URL still valid? Ask whoever runs it".to_owned(),
        })
    }

    /// Whether another try may go better.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Timeout { .. } => true,
            // The transport knows which of its failures are the network's.
            Self::Transport { source, .. } => {
                matches!(source.failure().class, unbroken_core::connector::Class::Retry { .. })
            }
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..600),
            _ => false,
        }
    }
}
