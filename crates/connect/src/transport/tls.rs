//! Trust: the platform's roots, plus the user's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::Verifier;

use crate::transport::dialer::Pipe;
use crate::transport::error::TransportError;
use crate::transport::identity::{Identity, IdentityError};

/// What a client trusts.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
}

/// Why no trust could be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The CA file cannot be read or holds no certificate.
    #[error("CA file {} holds no certificate that can be read", path.display())]
    CaFile {
        /// Its path.
        path: PathBuf,
        /// The library's error, if there was one.
        #[source]
        source: Option<rustls::pki_types::pem::Error>,
    },
    /// The platform's roots cannot be used.
    #[error("root certificates of this machine cannot be used")]
    Roots(#[source] rustls::Error),
    /// Our own certificate cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl TlsError {
    /// What a person can do.
    pub fn hint(&self) -> String {
        match self {
            Self::CaFile { .. } => "`ca_file` names a PEM file with CERTIFICATE sections".into(),
            Self::Roots(_) => "install the ca-certificates package, or name a `ca_file`".into(),
            Self::Identity(error) => error.hint(),
        }
    }
}

impl Tls {
    /// Trusts the platform's roots and those of `ca_file`.
    ///
    /// # Errors
    /// If there is nothing to trust.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, TlsError> {
        Self::with_identity(ca_file, None)
    }

    /// The same, and shows who we are to those that ask.
    ///
    /// # Errors
    /// If there is nothing to trust, or the certificate and its key do not belong together.
    pub fn with_identity(
        ca_file: Option<&Path>,
        identity: Option<Identity>,
    ) -> Result<Self, TlsError> {
        let extra = ca_file.map(read_roots).transpose()?.unwrap_or_default();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider))
            .map_err(TlsError::Roots)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Roots)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match identity {
            Some(identity) => identity.apply(config)?,
            None => config.with_no_client_auth(),
        };
        Ok(Self { config: Arc::new(config) })
    }

    /// Trusts nobody: for sources that use no TLS, on machines without roots.
    ///
    /// # Errors
    /// If the library has no protocol version in common with itself.
    pub fn none() -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Roots)?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config) })
    }

    /// For who speaks TLS inside another protocol.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// Shakes hands over a stream of bytes.
    pub(crate) async fn shake(
        &self,
        host: &str,
        pipe: Box<dyn Pipe>,
    ) -> Result<tokio_rustls::client::TlsStream<Box<dyn Pipe>>, TransportError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| TransportError::Request { what: "the host is no name that TLS knows" })?;
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.config));
        let shaken = connector.connect(name, pipe).await;
        shaken.map_err(|error| TransportError::network("TLS", host, error))
    }
}

fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::CaFile { path: path.to_owned(), source };
    let roots = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(Some(error)))?;
    if roots.is_empty() { Err(failed(None)) } else { Ok(roots) }
}
