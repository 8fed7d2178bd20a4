//! One life of a process that is to die at a point.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Child;
use tokio::time::timeout;
use unbroken::crash::CRASH_AT;

use crate::cli::error::CliError;
use crate::cli::kill::kill_now;
use crate::cli::service::Service;

/// How long a point may not come before the process is killed from outside: retention has nothing
/// to do before some hundred kilobytes are written.
const LIFE_MAX: Duration = Duration::from_secs(15);

/// The number of the signal that nobody survives.
const SIGKILL: i32 = 9;

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It died at the point.
    Struck,
    /// The point did not come, and it ended in order.
    Missed,
    /// The point did not come, and it was killed from outside.
    Late,
    /// It ended by itself, with this code, and not in order.
    Fell(Option<i32>),
}

/// Starts the service; with an aim it will die there.
pub(super) fn start(service: &Service, aim: Option<&str>) -> Result<Child, CliError> {
    let mut command = service.command(&["run", "--log", "json", "--config"])?;
    command.arg(&service.config);
    if let Some(aim) = aim {
        command.env(CRASH_AT, aim);
    }
    command.spawn().map_err(|source| CliError::Io { what: "starting the service", source })
}

/// Waits until it is dead.
pub(super) async fn end(mut child: Child) -> Result<End, CliError> {
    let failed = |source| CliError::Io { what: "waiting for the service", source };
    match timeout(LIFE_MAX, child.wait()).await {
        Ok(status) => Ok(ended(status.map_err(failed)?)),
        Err(_) => {
            kill_now(&mut child).await?;
            Ok(End::Late)
        }
    }
}

/// Runs another command of this program to its end.
pub(super) async fn command(
    service: &Service,
    arguments: &[&str],
    aim: Option<&str>,
) -> Result<End, CliError> {
    let mut command = service.command(arguments)?;
    command.arg("--journal").arg(&service.data_dir);
    if let Some(aim) = aim {
        command.env(CRASH_AT, aim);
    }
    let child =
        command.spawn().map_err(|source| CliError::Io { what: "starting a command", source })?;
    end(child).await
}

fn ended(status: ExitStatus) -> End {
    match (status.signal(), status.code()) {
        (Some(SIGKILL), _) => End::Struck,
        (None, Some(0)) => End::Missed,
        (_, code) => End::Fell(code),
    }
}
