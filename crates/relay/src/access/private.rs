//! Files that only their owner may read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::secret::{PREFIX, new_token};

/// Why the files of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A file cannot be read or written.
    #[error("file {} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read it.
    #[error("token file {} can be read by others", .0.display())]
    Open(PathBuf),
    /// It holds no token.
    #[error("token file {} holds no token", .0.display())]
    NoToken(PathBuf),
    /// There is no randomness.
    #[error("token cannot be made: the operating system gives no randomness")]
    NoRandomness,
}

impl AccessError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open(path) | Self::NoToken(path) => {
                Some(format!("remove {}: a new one is made at the start", path.display()))
            }
            Self::File { .. } | Self::NoRandomness => None,
        }
    }
}

/// Replaces a file at once: it is there whole, or as it was. Only its owner may read it.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    let unfinished = PathBuf::from(name);
    let _ = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

/// Makes the file of the first token, if it is not there.
///
/// # Errors
/// It cannot be made, or what is there is no token of one's own.
pub fn ensure_admin_token(path: &Path) -> Result<(), AccessError> {
    let failed = |source| AccessError::File { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            Err(AccessError::Open(path.to_owned()))
        }
        Ok(_) => read_admin_token(path)
            .map_err(failed)?
            .map(drop)
            .ok_or_else(|| AccessError::NoToken(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let token = new_token().ok_or(AccessError::NoRandomness)?;
            let line = format!("{}\n", token.expose_secret());
            write_private(path, line.as_bytes()).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// The token in the file, if it holds one.
pub(super) fn read_admin_token(path: &Path) -> io::Result<Option<SecretString>> {
    let text = SecretString::from(fs::read_to_string(path)?);
    let line = text.expose_secret().trim();
    let is_token = line.starts_with(PREFIX) && line.len() > PREFIX.len() + 20;
    Ok(is_token.then(|| SecretString::from(line.to_owned())))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::{AccessError, ensure_admin_token};

    #[test]
    fn the_first_token_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("relay.token");
        ensure_admin_token(&path).expect("it is made");
        let made = fs::read_to_string(&path).expect("it is there");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!((mode & 0o777, made.len()), (0o600, 48));
        ensure_admin_token(&path).expect("it stays");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), made);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
        assert!(matches!(ensure_admin_token(&path), Err(AccessError::Open(_))));
    }
}
