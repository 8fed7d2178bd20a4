//! A hook that is a program: the notice on stdin and in the environment, no shell.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tracing::debug;

use super::error::HookError;
use super::notice::Notice;

/// What is kept of a program's words, of stdout and of stderr each.
const OUTPUT_BYTES_MAX: usize = 4 * 1024;

/// What a program gets of our environment. The rest may hold secrets.
const INHERITED: [&str; 7] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// Runs the program to its end. Killed if it takes longer.
pub(super) async fn run(
    words: &[String],
    notice: &Notice,
    timeout_ms: u64,
) -> Result<(), HookError> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let failed = |source| HookError::Io { program: program.clone(), source };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().kill_on_drop(true);
    for name in INHERITED {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(notice.variables());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        command.spawn().map_err(|source| HookError::Start { program: program.clone(), source })?;
    let text = format!("{}\n", notice.json());
    match timeout(Duration::from_millis(timeout_ms), talk(&mut child, &text)).await {
        Err(_) => {
            // The error is that it has ended by itself.
            let _ = child.kill().await;
            Err(HookError::Timeout { limit_ms: timeout_ms })
        }
        Ok(Err(error)) => Err(failed(error)),
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => {
            Err(HookError::Ended { program: program.clone(), how: status.to_string() })
        }
    }
}

async fn talk(child: &mut Child, text: &str) -> std::io::Result<std::process::ExitStatus> {
    let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its notice may end before it has got it.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
    };
    let (_, out, err) = tokio::join!(feed, words_of(out), words_of(err));
    let status = child.wait().await?;
    for (stream, said) in [("stdout", out), ("stderr", err)] {
        if !said.is_empty() {
            debug!(stream, said, "a hook's program says");
        }
    }
    Ok(status)
}

/// Reads to the end and keeps the beginning, so that a program is never held up by its own words.
async fn words_of(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let room = OUTPUT_BYTES_MAX - kept.len();
        kept.extend(buffer.iter().take(count.min(room)));
    }
    String::from_utf8_lossy(&kept).trim_end().to_owned()
}
