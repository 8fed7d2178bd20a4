//! Why a pipeline could not start, or had to stop.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use unbroken_connect::secret::SecretError;
use unbroken_connect::source::SourceError;
use unbroken_connect::transport::{OriginError, ProxyError, TlsError};
use unbroken_journal::JournalError;
use unbroken_relay::RelayError;
use unbroken_sink::{InvalidNatsUrl, InvalidUrl};

use crate::control::ControlError;
use crate::hooks::HookError;
use crate::policy::{Fault, of_fault};

/// See the module.
#[derive(Debug, Error)]
pub enum PipelineError {
    /// A source cannot be made from its configuration.
    #[error("source cannot be used")]
    Source(#[source] SourceError),
    /// A hook cannot be used.
    #[error("hooks cannot be used")]
    Hook(#[source] HookError),
    /// The data directory cannot be made.
    #[error("data directory {} cannot be made", path.display())]
    DataDir {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The journal cannot be opened.
    #[error("journal cannot be opened")]
    OpenJournal(#[source] JournalError),
    /// The journal cannot write any more.
    #[error("journal cannot write")]
    WriteJournal(#[source] Arc<JournalError>),
    /// The control socket cannot be made.
    #[error("control socket cannot be opened")]
    Control(#[source] ControlError),
    /// The relay cannot be started.
    #[error("relay cannot be started")]
    Relay(#[source] RelayError),
    /// A secret of a dialect's client cannot be read.
    #[error("relay's dialect cannot be spoken")]
    DialectSecret(#[source] SecretError),
    /// A sink's URL.
    #[error("sink `{name}` cannot be used")]
    SinkUrl {
        /// Which.
        name: String,
        /// Why.
        source: InvalidUrl,
    },
    /// A sink's address.
    #[error("sink `{name}` cannot be used")]
    SinkAddress {
        /// Which.
        name: String,
        /// Why.
        source: OriginError,
    },
    /// The environment names no usable proxy.
    #[error("sink `{name}` cannot be used")]
    SinkProxy {
        /// Which.
        name: String,
        /// Why.
        source: ProxyError,
    },
    /// A sink's URLs of NATS.
    #[error("sink `{name}` cannot be used")]
    SinkNatsUrl {
        /// Which.
        name: String,
        /// Why.
        source: InvalidNatsUrl,
    },
    /// What a sink is to trust cannot be used.
    #[error("sink `{name}` cannot be used")]
    SinkTrust {
        /// Which.
        name: String,
        /// Why.
        source: TlsError,
    },
    /// A sink's further certificates cannot be read.
    #[error("sink `{name}`: {} cannot be read", path.display())]
    SinkCa {
        /// Which.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("{0} cannot be started")]
    Thread(&'static str, #[source] io::Error),
    /// Every source has stopped, although nobody asked for it.
    #[error("no source is running any more")]
    NoSourceLeft,
}

impl PipelineError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.hint(),
            Self::Hook(error) => error.hint(),
            Self::OpenJournal(error) => error.hint().map(ToOwned::to_owned),
            Self::WriteJournal(error) => {
                Some(error.hint().unwrap_or(of_fault(Fault::JournalWrite).todo).to_owned())
            }
            Self::Control(error) => error.hint(),
            Self::Relay(error) => error.hint(),
            Self::DialectSecret(error) => Some(error.hint()),
            Self::NoSourceLeft => Some(of_fault(Fault::DriverEnded).todo.to_owned()),
            Self::DataDir { .. } => {
                Some("name a directory that the user who runs unbroken may write to".to_owned())
            }
            Self::SinkUrl { source, .. } => Some(source.hint().to_owned()),
            Self::SinkAddress { source, .. } => Some(source.hint()),
            Self::SinkProxy { source, .. } => Some(source.hint().to_owned()),
            Self::SinkNatsUrl { source, .. } => Some(source.hint().to_owned()),
            Self::SinkTrust { source, .. } => Some(source.hint()),
            Self::SinkCa { .. } => Some("name a file of certificates in PEM".to_owned()),
            Self::Thread(..) => None,
        }
    }
}
