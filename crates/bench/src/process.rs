//! Child processes, bound to a core, and what the kernel says of them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Failure;

/// The server's core, and ours.
pub(crate) const CORE_OF_THE_SERVER: usize = 0;
/// The core of whatever is measured.
pub(crate) const CORE_UNDER_TEST: usize = 1;

/// Ticks per second of the times in `/proc/PID/stat`: 100 on every Linux that Rust runs on
/// (`USER_HZ`).
const TICK_US: u64 = 10_000;
/// How long anything may take to say its next line.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Wall clock, in microseconds since 1970: all processes of a run read the same one.
pub(crate) fn wall_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// Says a line to whoever has started this process.
pub(crate) fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// A command that runs on one core.
pub(crate) fn pinned(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program);
    command
}

/// What the kernel says of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    /// User and system time of all its threads, in microseconds; counted in ticks of 10 ms.
    pub(crate) cpu_us: u64,
    pub(crate) has_ended: bool,
}

/// Reads `/proc/PID/stat`. Of a process that has ended and was not waited for it still tells.
pub(crate) fn stat(pid: u32) -> Result<Stat, Failure> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = text.rsplit_once(") ").ok_or("an odd /proc/PID/stat")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = |at: usize| -> Result<u64, Failure> {
        Ok(fields.get(at).ok_or("a short /proc/PID/stat")?.parse()?)
    };
    let has_ended = fields.first() == Some(&"Z");
    Ok(Stat { cpu_us: (ticks(11)? + ticks(12)?) * TICK_US, has_ended })
}

/// Resident memory in KiB: now, and the highest so far.
pub(crate) fn memory_kib(pid: u32) -> Result<(u64, u64), Failure> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = |name: &str| -> Result<u64, Failure> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no memory line")?;
        Ok(line.trim_end_matches("kB").trim().parse()?)
    };
    Ok((line("VmRSS:")?, line("VmHWM:")?))
}

/// A child that speaks in lines. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Talker {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Talker {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("a child without output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Ok(Self { child, input, lines })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn say(&mut self, line: &str) -> Result<(), Failure> {
        let input = self.input.as_mut().ok_or("its input is closed")?;
        writeln!(input, "{line}")?;
        Ok(input.flush()?)
    }

    /// What follows this word on its next line, which must begin with it.
    pub(crate) fn expect_line(&self, word: &str) -> Result<String, Failure> {
        let line = self
            .lines
            .recv_timeout(PATIENCE)
            .map_err(|_| format!("waited for `{word}` and nothing came"))?;
        match line.strip_prefix(word) {
            Some(rest) => Ok(rest.trim().to_owned()),
            None => Err(format!("waited for `{word}`, not for `{line}`").into()),
        }
    }

    /// Closes its input and waits for it to end.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        drop(self.input.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a child ended with {status}").into()) }
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
