//! The client that is tested: a command in a process group of its own.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ConformanceError;

/// A longer line is none.
const LINE_BYTES_MAX: u64 = 4 << 20;
/// More lines of one life are not read: no scenario has so many events.
const LINES_MAX: u64 = 500_000;
/// How long a client may take to go when it is told to.
const STOP_MAX: Duration = Duration::from_secs(5);
/// How long its pipe may stay open when it is gone: another process may have it.
const PIPE_MAX: Duration = Duration::from_secs(1);
/// How much of what it said on stderr is shown.
const STDERR_BYTES_MAX: usize = 2_000;

/// Something on a client's stdout.
#[derive(Debug)]
pub(super) enum Heard {
    /// A line without its end.
    Line(String),
    /// One that is no text, or too long.
    Unreadable,
}

/// How to start the client.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) command: Vec<OsString>,
    pub(super) environment: Vec<(&'static str, String)>,
    /// Where what it says on stderr goes, life after life.
    pub(super) stderr: PathBuf,
}

/// A client that runs. Dropped, its whole group is killed.
#[derive(Debug)]
pub(super) struct Client {
    child: Child,
    group: Option<Pid>,
    reading: JoinHandle<()>,
}

impl Client {
    /// Starts it.
    pub(super) fn start(
        call: &Call,
        cursor: Option<&str>,
        heard: mpsc::UnboundedSender<(i64, Heard)>,
        now_us: fn() -> i64,
    ) -> Result<Self, ConformanceError> {
        let Some((program, arguments)) = call.command.split_first() else {
            return Err(ConformanceError::NoCommand);
        };
        let stderr = OpenOptions::new().create(true).append(true).open(&call.stderr);
        let stderr = stderr.map_err(|source| ConformanceError::Folder { source })?;
        let mut command = Command::new(program);
        command.args(arguments).envs(call.environment.iter().map(|(name, value)| (name, value)));
        command.env_remove("CLIENT_CURSOR");
        if let Some(cursor) = cursor {
            command.env("CLIENT_CURSOR", cursor);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let started = command.process_group(0).kill_on_drop(true).spawn();
        let mut child = started.map_err(|source| ConformanceError::Start {
            program: program.to_string_lossy().into_owned(),
            source,
        })?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let stdout = child.stdout.take();
        let reading = tokio::spawn(async move {
            if let Some(stdout) = stdout {
                read(stdout, &heard, now_us).await;
            }
        });
        Ok(Self { child, group, reading })
    }

    /// When it has gone by itself. May be asked again.
    pub(super) async fn exited(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// Ends it and all that it has started, at once; what it had written is read to the end.
    pub(super) async fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait().await;
        self.group = None;
        if timeout(PIPE_MAX, &mut self.reading).await.is_err() {
            self.reading.abort();
        }
    }

    /// Tells it to stop, and ends what is left of it after a while.
    pub(super) async fn stop(&mut self) {
        self.signal(Signal::TERM);
        let _ = timeout(STOP_MAX, self.child.wait()).await;
        self.kill().await;
    }

    /// A group that is gone has nobody to be told.
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.reading.abort();
    }
}

/// Reads line after line. What has no end at the end is no line.
async fn read(
    stdout: ChildStdout,
    heard: &mpsc::UnboundedSender<(i64, Heard)>,
    now_us: fn() -> i64,
) {
    let mut stdout = BufReader::new(stdout);
    let (mut bytes, mut is_rest) = (Vec::new(), false);
    for _ in 0..LINES_MAX {
        bytes.clear();
        let mut limited = (&mut stdout).take(LINE_BYTES_MAX);
        let Ok(1..) = limited.read_until(b'\n', &mut bytes).await else { return };
        let is_whole = bytes.pop_if(|last| *last == b'\n').is_some();
        if !is_whole && (bytes.len() as u64) < LINE_BYTES_MAX {
            return;
        }
        let said = match std::str::from_utf8(&bytes) {
            Ok(text) if is_whole && !is_rest => Heard::Line(text.to_owned()),
            _ => Heard::Unreadable,
        };
        let is_news = !is_rest;
        is_rest = !is_whole;
        if is_news && heard.send((now_us(), said)).is_err() {
            return;
        }
    }
}

/// The end of what it said on stderr.
pub(super) fn stderr_end(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let from = bytes.len().saturating_sub(STDERR_BYTES_MAX);
    let text = String::from_utf8_lossy(&bytes[from..]);
    let whole = if from > 0 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    whole.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is heard of a client that is a script for `sh`.
    async fn heard_of(script: &str) -> Vec<Heard> {
        let folder = tempfile::tempdir().unwrap();
        let call = Call {
            command: ["sh", "-c", script].map(OsString::from).to_vec(),
            environment: Vec::new(),
            stderr: folder.path().join("stderr.log"),
        };
        let (sender, mut lines) = mpsc::unbounded_channel();
        let mut client = Client::start(&call, None, sender, || 0).unwrap();
        client.exited().await;
        client.kill().await;
        let mut heard = Vec::new();
        while let Ok((_, line)) = lines.try_recv() {
            heard.push(line);
        }
        heard
    }

    #[tokio::test]
    async fn a_line_counts_when_it_has_ended() {
        let heard = heard_of(r"printf 'one\ntwo\nthr'").await;
        let [Heard::Line(one), Heard::Line(two)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!((one.as_str(), two.as_str()), ("one", "two"));
    }

    #[tokio::test]
    async fn what_is_no_text_or_too_long_is_one_unreadable_line() {
        let heard =
            heard_of(r"printf '\377\n'; head -c 9000000 /dev/zero | tr '\0' x; printf '\nlast\n'")
                .await;
        let [Heard::Unreadable, Heard::Unreadable, Heard::Line(last)] = heard.as_slice() else {
            panic!("{} lines", heard.len())
        };
        assert_eq!(last, "last");
    }
}
