//! Our own certificate, for vendors that ask for one.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustls::ClientConfig;
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::transport::validity::validity;

/// A certificate with its chain, and its private key.
pub struct Identity {
    certificate_file: PathBuf,
    key_file: PathBuf,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Why our certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// One of the two is not named.
    #[error("`{there}` is of no use without `{missing}`")]
    Half {
        /// The key that is there.
        there: &'static str,
        /// The key that is not.
        missing: &'static str,
    },
    /// The certificate cannot be read.
    #[error("client certificate {} holds no certificate that can be read", path.display())]
    Certificate {
        /// Its file.
        path: PathBuf,
        /// The library's error, if there was one.
        #[source]
        source: Option<pem::Error>,
    },
    /// The key cannot be read.
    #[error("client key {} holds no private key that can be read", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// The library's error.
        #[source]
        source: pem::Error,
    },
    /// Everybody on the machine can read the key.
    #[error("client key {} can be read by everybody (mode {mode:04o})", path.display())]
    KeyOpen {
        /// Its file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The two do not belong together, or are of a kind that TLS does not know.
    #[error(
        "client key {} does not belong to client certificate {}",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// The library's error.
        #[source]
        source: Box<rustls::Error>,
    },
    /// Its time is over.
    #[error("client certificate {} expired on {until}", path.display())]
    Expired {
        /// Its file.
        path: PathBuf,
        /// When.
        until: Timestamp,
    },
    /// Its time has not come.
    #[error("client certificate {} is not valid before {from}", path.display())]
    TooEarly {
        /// Its file.
        path: PathBuf,
        /// When.
        from: Timestamp,
    },
}

impl IdentityError {
    /// What a person can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Half { missing, .. } => format!("add `{missing}`"),
            Self::Certificate { .. } => {
                "`client_certificate_file` names a PEM file with CERTIFICATE sections, ours first"
                    .into()
            }
            Self::Key { .. } => {
                "`client_key_file` names a PEM file with an unencrypted PRIVATE KEY \
                                 section"
                    .into()
            }
            Self::KeyOpen { path, .. } => format!("chmod 600 {}", path.display()),
            Self::Mismatch { .. } => "name the key that the certificate was made for".into(),
            Self::Expired { .. } => "ask whoever issued it for a new one".into(),
            Self::TooEarly { .. } => "is this machine's clock right?".into(),
        }
    }
}

impl Identity {
    /// Reads both files, if they are named.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn read(
        certificate_file: Option<&Path>,
        key_file: Option<&Path>,
        now: Timestamp,
    ) -> Result<Option<Self>, IdentityError> {
        const CERTIFICATE: &str = "client_certificate_file";
        const KEY: &str = "client_key_file";
        match (certificate_file, key_file) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(IdentityError::Half { there: CERTIFICATE, missing: KEY }),
            (None, Some(_)) => Err(IdentityError::Half { there: KEY, missing: CERTIFICATE }),
            (Some(certificate), Some(key)) => Self::of_files(certificate, key, now).map(Some),
        }
    }

    fn of_files(certificate: &Path, key: &Path, now: Timestamp) -> Result<Self, IdentityError> {
        let path = || certificate.to_owned();
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| IdentityError::Certificate { path: path(), source: Some(error) })?;
        let Some(own) = chain.first() else {
            return Err(IdentityError::Certificate { path: path(), source: None });
        };
        // One whose dates cannot be read is for the vendor to judge.
        if let Some((from, until)) = validity(own) {
            if now > until {
                return Err(IdentityError::Expired { path: path(), until });
            }
            if now < from {
                return Err(IdentityError::TooEarly { path: path(), from });
            }
        }
        if let Ok(metadata) = std::fs::metadata(key) {
            let mode = metadata.permissions().mode() & 0o7777;
            if mode & 0o007 != 0 {
                return Err(IdentityError::KeyOpen { path: key.to_owned(), mode });
            }
        }
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|source| IdentityError::Key { path: key.to_owned(), source })?;
        Ok(Self { certificate_file: path(), key_file: key.to_owned(), chain, key: private })
    }

    pub(crate) fn apply(
        self,
        config: rustls::ConfigBuilder<ClientConfig, WantsClientCert>,
    ) -> Result<ClientConfig, IdentityError> {
        let Self { certificate_file, key_file, chain, key } = self;
        config.with_client_auth_cert(chain, key).map_err(|source| IdentityError::Mismatch {
            certificate: certificate_file,
            key: key_file,
            source: Box::new(source),
        })
    }
}
