//! The service as a child process.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;
use unbroken::control::{self, Request, Response, Status};

use crate::cli::error::CliError;
use crate::cli::vendor::SECRET_VARIABLE;

/// A process that is told to stop is gone within this time.
const STOP_MAX: Duration = Duration::from_secs(5);

/// How to start the service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) config: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) secret: String,
}

impl Service {
    /// Starts it. Its log lines go to one file, life after life.
    pub(crate) fn start(&self) -> Result<Child, CliError> {
        let failed = |what| move |source| CliError::Io { what, source };
        let log = self.open_log().map_err(failed("opening the service's log file"))?;
        let program = std::env::current_exe().map_err(failed("finding this program"))?;
        Command::new(program)
            .args(["run", "--log", "json", "--config"])
            .arg(&self.config)
            .env(SECRET_VARIABLE, &self.secret)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed("starting the service"))
    }

    /// Asks how it is doing; `None`: it does not answer (yet).
    pub(crate) async fn status(&self) -> Option<Status> {
        let dir = self.data_dir.clone();
        let asked = tokio::task::spawn_blocking(move || control::ask(&dir, &Request::Status {}));
        match asked.await {
            Ok(Ok(Response::Status(status))) => Some(status),
            _ => None,
        }
    }

    /// Tells it to stop, and waits. True: it went in time, with exit code 0.
    pub(crate) async fn stop(&self, mut child: Child) -> Result<bool, CliError> {
        let dir = self.data_dir.clone();
        let told = tokio::task::spawn_blocking(move || control::ask(&dir, &Request::Stop {}));
        let told = told.await.map_err(|error| CliError::Task(error.to_string()))?;
        told?;
        let ended = timeout(STOP_MAX, child.wait()).await;
        Ok(matches!(ended, Ok(Ok(status)) if ExitStatus::success(&status)))
    }

    fn open_log(&self) -> std::io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.log)
    }
}
