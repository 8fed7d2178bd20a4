//! Asks a running service.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::place::socket_path;

use super::{ControlError, Request, Response};

/// How long an answer may take. A service that is asked to stop answers before it stops.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the service that runs on `data_dir`.
///
/// # Errors
/// [`ControlError::NotRunning`] if there is none; else the socket's failure.
pub fn ask(data_dir: &Path, request: &Request) -> Result<Response, ControlError> {
    let stream =
        UnixStream::connect(socket_path(data_dir)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ControlError::NotRunning(data_dir.to_owned())
            }
            _ => ControlError::Io(error),
        })?;
    let line = exchange(&stream, request).map_err(ControlError::Io)?;
    serde_json::from_str(&line).map_err(ControlError::Answer)
}

fn exchange(mut stream: &UnixStream, request: &Request) -> io::Result<String> {
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    let mut line = serde_json::to_string(request).map_err(io::Error::other)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer)
}
