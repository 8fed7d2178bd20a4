//! Why the vendor could not be.

use std::io;
use std::path::PathBuf;

/// Why the vendor could not start, or its ledger not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The address is taken or not ours.
    #[error("listener on {address}: cannot be opened")]
    Listen {
        /// The address asked for.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The certificate could not be made.
    #[error("certificate: cannot be made: {reason}")]
    Certificate {
        /// What the library said.
        reason: String,
    },
    /// The truth ledger's file could not be written or read.
    #[error("truth ledger {}: cannot be {action}", path.display())]
    LedgerFile {
        /// The file.
        path: PathBuf,
        /// What was tried: `created`, `written`, `read`.
        action: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A line of the truth ledger is not one.
    #[error("truth ledger {} line {line}: not understood", path.display())]
    LedgerLine {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// A name that is none of the known ones.
    #[error("{kind} '{name}': unknown")]
    UnknownName {
        /// What it should have named.
        kind: &'static str,
        /// As typed.
        name: String,
        /// The known names.
        known: String,
    },
    /// The fault cannot be told from normal behaviour by any client of this vendor.
    #[error("fault '{fault}': does not apply to this vendor")]
    NotApplicable {
        /// Its name.
        fault: &'static str,
    },
}

impl SimError {
    /// The next step, where a person can take one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { .. } => Some("choose another address, or port 0 for a free one".into()),
            Self::UnknownName { known, .. } => Some(format!("known: {known}")),
            Self::NotApplicable { .. } => {
                Some("see the fault's documentation for the numberings it applies to".into())
            }
            Self::LedgerLine { .. } => {
                Some("the file is damaged or was written by another version".into())
            }
            Self::Certificate { .. } | Self::LedgerFile { .. } => None,
        }
    }
}
