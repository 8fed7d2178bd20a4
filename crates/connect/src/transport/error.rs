//! What goes wrong between us and the vendor.

use unbroken_core::connector::{Class, Failure};

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The request could not be made from the configuration.
    #[error("request cannot be made: {what}")]
    Request {
        /// What was wrong.
        what: &'static str,
    },
    /// The deadline passed.
    #[error("{step} took longer than {limit_ms} ms")]
    Timeout {
        /// What was going on.
        step: &'static str,
        /// The deadline.
        limit_ms: u64,
    },
    /// The network failed.
    #[error("{step} failed: {kind}")]
    Network {
        /// What was going on.
        step: &'static str,
        /// The kind of failure, without addresses or contents.
        kind: String,
        /// The library's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The vendor's certificate is not trusted.
    #[error("certificate of {host} is not trusted")]
    Certificate {
        /// The host.
        host: String,
        /// The library's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is larger than allowed.
    #[error("answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The cap.
        limit_bytes: usize,
    },
    /// The handshake was answered with a status.
    #[error("handshake was refused with status {status}")]
    Refused {
        /// The status.
        status: u16,
        /// `Retry-After`.
        retry_after_ms: Option<u64>,
        /// The body, capped.
        body: bytes::Bytes,
    },
}

impl TransportError {
    /// What a person can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Certificate { .. } => Some(
                "if the vendor is behind a private authority, name its certificate as `ca_file`",
            ),
            Self::TooLarge { .. } => Some("raise `body_bytes_max` or ask for smaller pages"),
            _ => None,
        }
    }

    /// As the machine sees it. A refusal's class is the profile's to say.
    pub fn failure(&self) -> Failure {
        let class = match self {
            Self::Certificate { .. } | Self::TooLarge { .. } | Self::Request { .. } => Class::Fatal,
            Self::Refused { retry_after_ms, .. } => Class::Retry { after_ms: *retry_after_ms },
            Self::Timeout { .. } | Self::Network { .. } => Class::Retry { after_ms: None },
        };
        let code = match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        };
        Failure { class, code, what: unbroken_core::ids::Label::new(self.to_string()) }
    }

    /// A failed step of the network; a certificate that is not trusted is told apart.
    pub(crate) fn network(
        step: &'static str,
        host: &str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        if let Some(error) = rustls_cause(&source)
            && matches!(error, rustls::Error::InvalidCertificate(_))
        {
            return Self::Certificate { host: host.to_owned(), source: Box::new(source) };
        }
        Self::Network { step, kind: kind(&source), source: Box::new(source) }
    }
}

type Cause = dyn std::error::Error + 'static;

/// The error and what caused it. An `io::Error` hides the error that it wraps behind that error's
/// own source, so it is asked for it.
fn chain<'a>(error: &'a Cause) -> impl Iterator<Item = &'a Cause> {
    std::iter::successors(Some(error), |error| {
        match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &'a Cause),
            None => error.source(),
        }
    })
}

fn rustls_cause(error: &Cause) -> Option<&rustls::Error> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// A few words: the system's kind of I/O failure, else what kind of thing failed.
fn kind(error: &Cause) -> String {
    if let Some(tls) = rustls_cause(error) {
        return format!("TLS: {tls}");
    }
    let io = chain(error).filter_map(|error| error.downcast_ref::<std::io::Error>()).last();
    io.map_or_else(|| "broken protocol".into(), |io| io.kind().to_string())
}
