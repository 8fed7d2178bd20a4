//! What goes wrong between us and the vendor.

use rustls::AlertDescription;
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
    /// The host has no address.
    #[error("name {host} has no address")]
    Name {
        /// The host.
        host: String,
        /// What the resolver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The way to the vendor failed, not the vendor.
    #[error("proxy {proxy} {fault}")]
    Proxy {
        /// The proxy's origin.
        proxy: String,
        /// What it did.
        fault: ProxyFault,
        /// What the network or the system said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The vendor wants another certificate of ours than it was shown.
    #[error("{host} refused our client certificate ({alert})")]
    ClientCertificate {
        /// The host.
        host: String,
        /// What it said, in the words of TLS.
        alert: String,
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

/// What a proxy did. The text goes on where its name ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// There is no connection to it.
    #[error("cannot be reached: {kind}")]
    Unreachable {
        /// The kind of failure.
        kind: String,
    },
    /// It wants other credentials, or some.
    #[error("asks for other credentials (HTTP 407)")]
    Credentials,
    /// It does not lead there.
    #[error("refused a tunnel to {target} (HTTP {status})")]
    Refused {
        /// Host and port of the vendor.
        target: String,
        /// Its status.
        status: u16,
    },
    /// It did not lead there in time.
    #[error("did not open a tunnel within {limit_ms} ms")]
    Timeout {
        /// The deadline.
        limit_ms: u64,
    },
    /// Its answer is none.
    #[error("gave no answer that HTTP knows: {kind}")]
    Answer {
        /// The kind of failure.
        kind: String,
    },
    /// Its user name or password cannot be read.
    #[error("cannot be shown its credentials")]
    Secret {
        /// What a person can do.
        hint: String,
    },
}

impl ProxyFault {
    fn hint(&self) -> String {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Answer { .. } => {
                "check `proxy` of the source, or HTTPS_PROXY and NO_PROXY; `proxy = \"none\"` goes \
                 directly"
                    .into()
            }
            Self::Credentials => {
                "write `proxy = { url = …, username = …, password = { env = … } }` \
                                  with what the proxy's keeper gave you"
                    .into()
            }
            Self::Refused { target, .. } => format!(
                "ask the proxy's keeper to allow CONNECT to {target}, or go directly by NO_PROXY \
                 or `proxy = \"none\"`"
            ),
            Self::Secret { hint } => hint.clone(),
        }
    }
}

impl TransportError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        self.fixed_hint().map(str::to_owned).or_else(|| match self {
            Self::Proxy { fault, .. } => Some(fault.hint()),
            _ => None,
        })
    }

    fn fixed_hint(&self) -> Option<&'static str> {
        match self {
            Self::Name { .. } => Some(
                "is the host written right, and does this machine's resolver know it? Behind a \
                 proxy set `proxy` or HTTPS_PROXY",
            ),
            Self::ClientCertificate { .. } => Some(
                "name the certificate that the vendor gave you as `client_certificate_file`, its \
                 key as `client_key_file`, and see whether it has expired",
            ),
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
            Self::Certificate { .. }
            | Self::ClientCertificate { .. }
            | Self::TooLarge { .. }
            | Self::Request { .. }
            | Self::Proxy { fault: ProxyFault::Credentials | ProxyFault::Secret { .. }, .. } => {
                Class::Fatal
            }
            Self::Refused { retry_after_ms, .. } => Class::Retry { after_ms: *retry_after_ms },
            Self::Timeout { .. }
            | Self::Network { .. }
            | Self::Name { .. }
            | Self::Proxy { .. } => Class::Retry { after_ms: None },
        };
        let code = match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        };
        Failure { class, code, what: unbroken_core::ids::Label::new(self.to_string()) }
    }

    /// As the machine sees it, with the place that was asked and what a person can do.
    pub(crate) fn failure_at(&self, place: &str) -> Failure {
        let hint = self.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        let what = unbroken_core::ids::Label::new(format!("{self}, asking {place}{hint}"));
        Failure { what, ..self.failure() }
    }

    /// A failed step of the network; a certificate that is not trusted is told apart.
    pub(crate) fn network(
        step: &'static str,
        host: &str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        let host = || host.to_owned();
        match rustls_cause(&source) {
            Some(rustls::Error::InvalidCertificate(_)) => {
                return Self::Certificate { host: host(), source: Box::new(source) };
            }
            Some(rustls::Error::AlertReceived(alert)) if is_of_client_certificate(*alert) => {
                let alert = format!("{alert:?}");
                return Self::ClientCertificate { host: host(), alert, source: Box::new(source) };
            }
            _ => {}
        }
        Self::Network { step, kind: kind(&source), source: Box::new(source) }
    }
}

/// Alerts that a server sends about the certificate of a client (RFC 8446, 6.2). After the server's
/// own certificate was accepted they can be about nothing else.
fn is_of_client_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            // Its signature does not fit: an authority of the right name, but with another key.
            | AlertDescription::DecryptError
            | AlertDescription::CertificateRequired
    )
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
pub(crate) fn kind(error: &Cause) -> String {
    if let Some(tls) = rustls_cause(error) {
        return format!("TLS: {tls}");
    }
    match chain(error).find_map(|error| error.downcast_ref::<hyper::Error>()) {
        Some(http) if http.is_incomplete_message() => return "connection ended too early".into(),
        // Only a server may ask hyper for this by name; a test holds the words.
        Some(http) if http.is_parse() && http.to_string().contains("too large") => {
            return "headers are larger than allowed".into();
        }
        Some(http) if http.is_parse() => return "answer is no HTTP/1.1".into(),
        _ => {}
    }
    let io = chain(error).filter_map(|error| error.downcast_ref::<std::io::Error>()).last();
    io.map_or_else(|| "broken protocol".into(), |io| io.kind().to_string())
}
