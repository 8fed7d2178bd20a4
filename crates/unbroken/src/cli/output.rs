//! Data on stdout. A reader that has had enough (`| head`) is no error.

use std::io::{self, Stdout, Write};

use super::error::CliError;

/// Stdout for data, buffered.
pub(crate) struct Output {
    out: io::BufWriter<Stdout>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { out: io::BufWriter::new(io::stdout()) }
    }

    /// Writes text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), CliError> {
        self.out.write_all(text.as_bytes()).map_err(CliError::Output)
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), CliError> {
        self.text(line)?;
        self.text("\n")
    }

    /// Writes a JSON value as one line.
    pub(crate) fn json(&mut self, value: &serde_json::Value) -> Result<(), CliError> {
        self.line(&value.to_string())
    }

    /// Hands everything on.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        self.out.flush().map_err(CliError::Output)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether the reader of stdout went away.
pub(crate) fn is_closed_pipe(error: &CliError) -> bool {
    matches!(error, CliError::Output(cause) if cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Says something on stderr. If nobody reads it there is nobody to tell.
pub(crate) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
