//! Answers on a Unix socket in the data directory, to the service's own user alone.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tracing::debug;

use crate::crash::{self, Point};
use crate::place::socket_path;

use super::{ControlError, Request, Response, http};

/// A request is a line; one that is longer is not for us. Some thousand keys fit into it.
const REQUEST_BYTES_MAX: u64 = 256 * 1024;

/// How long a client may be silent.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes the socket. The caller holds the journal's lock, so a socket that is already there was
/// left by a process that is gone.
///
/// # Errors
/// The socket cannot be made.
pub fn bind(data_dir: &Path) -> Result<UnixListener, ControlError> {
    let path = socket_path(data_dir);
    let made =
        remove_left_over(&path).and_then(|()| UnixListener::bind(&path)).and_then(|listener| {
            crash::pass(Point::ControlBound);
            fs::set_permissions(&path, Permissions::from_mode(0o600)).map(|()| listener)
        });
    made.map_err(|source| ControlError::Bind { path, source })
}

fn remove_left_over(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Answers every request by `answer`, until dropped.
pub async fn serve<F>(listener: UnixListener, answer: F)
where
    F: Fn(Request) -> Response + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let answer = Arc::clone(&answer);
                tokio::spawn(async move {
                    match timeout(CLIENT_TIMEOUT, converse(stream, answer.as_ref())).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => debug!(%error, "control client lost"),
                        Err(_) => debug!("control client was silent for too long"),
                    }
                });
            }
            Err(error) => {
                debug!(%error, "control socket does not accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse<F>(stream: UnixStream, answer: &F) -> io::Result<()>
where
    F: Fn(Request) -> Response,
{
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read.take(REQUEST_BYTES_MAX));
    let mut line = String::new();
    while read.read_line(&mut line).await? > 0 {
        if http::is_http(&line) {
            return http::converse(&line, &mut read, &mut write, answer).await;
        }
        let response = match serde_json::from_str(&line) {
            Ok(request) => answer(request),
            Err(error) => Response::Refused { why: format!("request is not understood: {error}") },
        };
        let mut text = serde_json::to_string(&response).map_err(io::Error::other)?;
        text.push('\n');
        write.write_all(text.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}
