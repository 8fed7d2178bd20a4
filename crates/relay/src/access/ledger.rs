//! The tokens that were given out: a file of digests, scopes and ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::caller::Scope;
use super::private::write_private;
use super::secret::{Digest, new_token};

/// Longest name of a token, in letters.
const NAME_CHARS_MAX: usize = 64;

/// Tokens in one file: each request is compared with all of them.
const TOKENS_MAX: usize = 1024;

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read or written.
    #[error("token list {} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not one.
    #[error("token list {} is not understood", path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The name is taken.
    #[error("there is a token called `{0}`")]
    Taken(String),
    /// There is no such token.
    #[error("there is no token called `{0}`")]
    Unknown(String),
    /// The name is no name.
    #[error("`{0}` is no name of a token")]
    Name(String),
    /// There are too many.
    #[error("there are too many tokens")]
    Full,
    /// There is no randomness.
    #[error("token cannot be made: the operating system gives no randomness")]
    NoRandomness,
}

impl LedgerError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Taken(name) => Some(format!("revoke it first: `unbroken token revoke {name}`")),
            Self::Unknown(_) => Some("`unbroken token list` shows them".to_owned()),
            Self::Name(_) => Some("use up to 64 letters, digits and `-`, `_`, `.`".to_owned()),
            Self::Full => Some("revoke some that are not used any more".to_owned()),
            Self::Format { .. } => Some(
                "remove the file: its tokens are good no more, new ones can be made".to_owned(),
            ),
            Self::File { .. } | Self::NoRandomness => None,
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    tokens: Vec<TokenLine>,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenLine {
    /// Its name.
    pub name: String,
    /// What it is good for.
    pub scope: Scope,
    /// When it was made, in microseconds since 1970.
    pub made_us: i64,
    /// From when on it is good no more, likewise; `None`: never.
    pub expires_us: Option<i64>,
    /// SHA-256 of the secret, in base64url.
    sha256: String,
}

impl TokenLine {
    pub(super) fn digest(&self) -> Option<Digest> {
        Digest::from_text(&self.sha256)
    }

    /// Whether it is good at a moment.
    pub fn is_good(&self, now_us: i64) -> bool {
        self.expires_us.is_none_or(|expires_us| now_us < expires_us)
    }
}

/// A new token; its secret is told this once.
#[derive(Debug)]
pub struct Issued {
    token: SecretString,
}

impl Issued {
    /// The secret, to be shown.
    pub fn expose(&self) -> &str {
        self.token.expose_secret()
    }
}

impl Ledger {
    /// Reads the file; one that is not there holds no tokens.
    ///
    /// # Errors
    /// It cannot be read or understood.
    pub fn read(path: &Path) -> Result<Self, LedgerError> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| LedgerError::Format { path: path.to_owned(), source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(LedgerError::File { path: path.to_owned(), source }),
        }
    }

    /// Writes the file, for its owner alone.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LedgerError> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|source| LedgerError::Format { path: path.to_owned(), source })?;
        text.push(b'\n');
        write_private(path, &text)
            .map_err(|source| LedgerError::File { path: path.to_owned(), source })
    }

    /// The tokens, in the order in which they were made.
    pub fn tokens(&self) -> &[TokenLine] {
        &self.tokens
    }

    /// Makes a token.
    ///
    /// # Errors
    /// The name cannot be used, or there is no randomness.
    pub fn add(
        &mut self,
        name: &str,
        scope: Scope,
        made_us: i64,
        expires_us: Option<i64>,
    ) -> Result<Issued, LedgerError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_plain) {
            return Err(LedgerError::Name(name.to_owned()));
        }
        if self.tokens.iter().any(|token| token.name == name) {
            return Err(LedgerError::Taken(name.to_owned()));
        }
        if self.tokens.len() >= TOKENS_MAX {
            return Err(LedgerError::Full);
        }
        let token = new_token().ok_or(LedgerError::NoRandomness)?;
        let sha256 = Digest::of(token.expose_secret()).to_text();
        let name = name.to_owned();
        self.tokens.push(TokenLine { name, scope, made_us, expires_us, sha256 });
        Ok(Issued { token })
    }

    /// Takes a token out.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn revoke(&mut self, name: &str) -> Result<(), LedgerError> {
        let count = self.tokens.len();
        self.tokens.retain(|token| token.name != name);
        if self.tokens.len() < count { Ok(()) } else { Err(LedgerError::Unknown(name.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ledger, LedgerError, Scope};

    #[test]
    fn the_file_holds_no_secret_and_a_name_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("relay-tokens.json");
        let mut ledger = Ledger::read(&path).expect("none is none");
        let issued = ledger.add("php", Scope::Read, 1, Some(9)).expect("a token");
        ledger.write(&path).expect("it is written");
        let text = std::fs::read_to_string(&path).expect("it is there");
        assert!(!text.contains(issued.expose()));
        let mut ledger = Ledger::read(&path).expect("it is read");
        assert!(matches!(ledger.add("php", Scope::Admin, 1, None), Err(LedgerError::Taken(_))));
        assert!(matches!(ledger.add("a b", Scope::Read, 1, None), Err(LedgerError::Name(_))));
        let [token] = ledger.tokens() else { panic!("one token") };
        assert!(token.is_good(8) && !token.is_good(9));
        ledger.revoke("php").expect("it is there");
        assert!(matches!(ledger.revoke("php"), Err(LedgerError::Unknown(_))));
    }
}
