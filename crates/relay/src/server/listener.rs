//! The listeners, and the files that tell of them.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::RelayError;
use crate::access::write_private;
use crate::place::{address_file, socket_file};
use crate::settings::RelayConfig;

/// Bound, and not served yet.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) tcp: TcpListener,
    pub(crate) unix: UnixListener,
    /// The real address.
    pub(crate) address: SocketAddr,
    pub(crate) files: Files,
}

/// Files that are there while the relay runs.
#[derive(Debug)]
pub(crate) struct Files([PathBuf; 2]);

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.0 {
            // One that is gone already is gone.
            let _ = fs::remove_file(path);
        }
    }
}

/// Binds both listeners. The caller holds the journal's lock, so a socket that is there was left by
/// a process that is gone.
pub(crate) fn bind(config: &RelayConfig, data_dir: &Path) -> Result<Listeners, RelayError> {
    let (socket, address_path) = (socket_file(data_dir), address_file(data_dir));
    let address_failed = |source| RelayError::Listen { address: config.listen, source };
    let tcp = TcpListener::bind(config.listen).map_err(address_failed)?;
    tcp.set_nonblocking(true).map_err(address_failed)?;
    let address = tcp.local_addr().map_err(address_failed)?;
    let unix =
        bind_unix(&socket).map_err(|source| RelayError::Socket { path: socket.clone(), source })?;
    let files = Files([socket, address_path.clone()]);
    write_private(&address_path, format!("{address}\n").as_bytes())
        .map_err(|source| RelayError::Socket { path: address_path, source })?;
    Ok(Listeners { tcp, unix, address, files })
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
