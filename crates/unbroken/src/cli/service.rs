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
        let mut command = self.command(&["run", "--log", "json", "--config"])?;
        let child = command.arg(&self.config).spawn();
        child.map_err(|source| CliError::Io { what: "starting the service", source })
    }

    /// This program, with these arguments; what it says goes to the service's log file.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<Command, CliError> {
        let failed = |what| move |source| CliError::Io { what, source };
        let log = self.open_log().map_err(failed("opening the service's log file"))?;
        let program = std::env::current_exe().map_err(failed("finding this program"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env(SECRET_VARIABLE, &self.secret)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        Ok(command)
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

    /// Tells it to stop.
    pub(crate) async fn tell_to_stop(&self) -> Result<(), CliError> {
        let dir = self.data_dir.clone();
        let told = tokio::task::spawn_blocking(move || control::ask(&dir, &Request::Stop {}));
        told.await.map_err(|error| CliError::Task(error.to_string()))??;
        Ok(())
    }

    /// Tells it to stop, and waits. True: it went in time, with exit code 0.
    pub(crate) async fn stop(&self, mut child: Child) -> Result<bool, CliError> {
        self.tell_to_stop().await?;
        let ended = timeout(STOP_MAX, child.wait()).await;
        Ok(matches!(ended, Ok(Ok(status)) if ExitStatus::success(&status)))
    }

    fn open_log(&self) -> std::io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.log)
    }
}
