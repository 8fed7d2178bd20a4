//! The server as a child process.

use std::path::{Path, PathBuf};

use crate::Failure;
use crate::process::{CORE_OF_THE_SERVER, Talker, pinned};

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    talker: Talker,
    pub(crate) origin: String,
    /// The authority's certificate, where it speaks TLS.
    pub(crate) certificate: Option<PathBuf>,
}

/// When the events went out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) late_us_max: u64,
}

impl Server {
    pub(crate) fn start(
        agents: usize,
        events: usize,
        certificate: Option<&Path>,
    ) -> Result<Self, Failure> {
        let mut command = pinned(CORE_OF_THE_SERVER, &std::env::current_exe()?);
        command.args(["vendor", "--agents", &agents.to_string()]);
        command.args(["--events", &events.to_string()]);
        if let Some(path) = certificate {
            command.arg("--certificate").arg(path);
        }
        let talker = Talker::spawn(&mut command)?;
        let port = talker.expect_line("listening")?;
        let certificate = certificate.map(Path::to_owned);
        Ok(Self { talker, origin: format!("127.0.0.1:{port}"), certificate })
    }

    /// Waits until somebody has subscribed.
    pub(crate) fn await_subscription(&self) -> Result<(), Failure> {
        self.talker.expect_line("subscribed").map(drop)
    }

    /// Lets the events go; gives the time of the first.
    pub(crate) fn go(&mut self, events: usize, rate: usize) -> Result<u64, Failure> {
        self.talker.say(&format!("go {events} {rate}"))?;
        Ok(self.talker.expect_line("started")?.parse()?)
    }

    /// Waits until all are sent.
    pub(crate) fn await_sent(&self) -> Result<Sent, Failure> {
        let late_us_max = self.talker.expect_line("sent")?.parse()?;
        Ok(Sent { late_us_max })
    }
}
