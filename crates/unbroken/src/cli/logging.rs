//! Log lines on stderr: for people, or as JSON.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;
use unbroken::config::{LogConfig, LogFormat};
use unbroken::render::Paint;

use super::error::CliError;

/// They say by themselves what a sink says of them: the one calls the end of a connection an error,
/// the next tells a store's whole answer, which may hold tokens, and the last one statements, of
/// which Redshift's COPY holds keys. Who names them has them.
const QUIET: &str = "async_nats=off,object_store=off,tokio_postgres=off";

/// Log lines would disturb the demo's story; who wants them sets `UNBROKEN_LOG`.
pub(crate) fn init_if_wanted() -> Result<(), CliError> {
    match std::env::var_os("UNBROKEN_LOG") {
        Some(_) => init(&LogConfig::default(), LogFormat::Human),
        None => Ok(()),
    }
}

/// Begins to log. `UNBROKEN_LOG` overrides the configured level.
pub(crate) fn init(config: &LogConfig, format: LogFormat) -> Result<(), CliError> {
    let wanted = std::env::var("UNBROKEN_LOG").unwrap_or_else(|_| config.level.clone());
    let quiet = format!("{QUIET},{wanted}");
    let filter = EnvFilter::try_new(quiet).map_err(|_| CliError::LogLevel(wanted))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_timer(SystemTime)
        .with_ansi(Paint::of(&io::stderr()) != Paint::plain())
        .with_target(false);
    match format {
        LogFormat::Human => lines.compact().init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).init(),
    }
    Ok(())
}
