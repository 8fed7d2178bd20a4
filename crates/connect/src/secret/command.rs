//! A secret that a program prints: of a vault, a keychain, a cloud's secret store.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::secret::SecretError;
use crate::secret::secret_source::SECRET_BYTES_MAX;

/// How long the program may take. A vault answers within a second or two; a token request waits
/// for it, and its own deadline is 20 s.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// Runs the program, without a shell, and takes what it prints. What it says on stderr may hold
/// anything, so only its length is ever told.
pub(super) async fn run(command: &[String]) -> Result<String, SecretError> {
    run_within(command, COMMAND_LIMIT).await
}

async fn run_within(command: &[String], limit: Duration) -> Result<String, SecretError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(SecretError::CommandEmpty);
    };
    let name = || program.clone();
    // Dropping the child kills it: also when the token request's own deadline has passed.
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child =
        child.map_err(|source| SecretError::CommandNotRun { program: name(), source })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let talk = async {
        let (stdout, stderr_bytes) = tokio::join!(read(stdout), count(stderr));
        (stdout, stderr_bytes, child.wait().await)
    };
    let Ok((stdout, stderr_bytes, status)) = tokio::time::timeout(limit, talk).await else {
        let limit_s = limit.as_secs();
        return Err(SecretError::CommandTimeout { program: name(), limit_s });
    };
    let failed = |source| SecretError::CommandNotRun { program: name(), source };
    let (status, stdout) = (status.map_err(failed)?, stdout.map_err(failed)?);
    if !status.success() {
        let how = status.to_string();
        return Err(SecretError::CommandFailed { program: name(), how, stderr_bytes });
    }
    if stdout.len() > SECRET_BYTES_MAX {
        return Err(SecretError::TooLong { origin: format!("command {program}") });
    }
    String::from_utf8(stdout)
        .map_err(|_| SecretError::NotText { origin: format!("command {program}") })
}

/// Up to one byte more than a secret may have; what lies behind that is read and forgotten, so that
/// the program can end.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Some(mut pipe) = pipe else { return Ok(bytes) };
    (&mut pipe).take(SECRET_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).await?;
    tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    Ok(bytes)
}

async fn count(pipe: Option<impl AsyncRead + Unpin>) -> u64 {
    let Some(mut pipe) = pipe else { return 0 };
    tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(String::from).to_vec()
    }

    #[tokio::test]
    async fn what_the_program_prints_is_the_secret() {
        assert_eq!(run(&shell("printf hunter2")).await.unwrap(), "hunter2");
        // No shell takes part: an argument is an argument.
        let echo = ["echo", "-n", "$HOME;`id`"].map(String::from);
        assert_eq!(run(&echo).await.unwrap(), "$HOME;`id`");
    }

    #[tokio::test]
    async fn a_program_that_fails_is_told_without_its_words() {
        let error = run(&shell("echo hunter2; echo hunter2 >&2; exit 3")).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert_eq!(
            error.to_string(),
            "secret command sh failed (exit status: 3, 8 bytes on stderr)"
        );
        assert!(!text.contains("hunter2"), "{text}");
        let error = run(&["/nowhere/vault".to_owned()]).await.unwrap_err();
        assert_eq!(error.to_string(), "secret command /nowhere/vault cannot be run");
        let error = run(&shell("kill -9 $$")).await.unwrap_err();
        assert!(error.to_string().contains("signal: 9"), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_hangs_or_floods_is_bounded() {
        let limit = Duration::from_millis(50);
        let error = run_within(&shell("sleep 60"), limit).await.unwrap_err();
        assert!(matches!(error, SecretError::CommandTimeout { .. }), "{error:?}");
        let error = run(&shell("head -c 1000000 /dev/zero")).await.unwrap_err();
        assert!(matches!(error, SecretError::TooLong { .. }), "{error:?}");
        let error = run(&shell("printf '\\377'")).await.unwrap_err();
        assert!(matches!(error, SecretError::NotText { .. }), "{error:?}");
    }
}
