//! The server as a child process.

use std::path::{Path, PathBuf};
use std::process::Command;

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
        let command = pinned(CORE_OF_THE_SERVER, &std::env::current_exe()?);
        Self::spawn(command, agents, events, certificate)
    }

    /// On any core, without TLS.
    pub(crate) fn start_anywhere(agents: usize, events: usize) -> Result<Self, Failure> {
        Self::spawn(Command::new(std::env::current_exe()?), agents, events, None)
    }

    fn spawn(
        mut command: Command,
        agents: usize,
        events: usize,
        certificate: Option<&Path>,
    ) -> Result<Self, Failure> {
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

    /// How Unbroken is to record it.
    pub(crate) fn configuration(&self) -> String {
        let (s, origin) = (if self.certificate.is_some() { "s" } else { "" }, &self.origin);
        let trust = match &self.certificate {
            Some(path) => format!("ca_file = {path:?}\n"),
            None => String::new(),
        };
        format!(
            "data_dir = \"data\"\n\n\
             [[source]]\nname = \"bench\"\nprofile = \"cxone\"\n\
             api = \"http{s}://{origin}\"\nstream = \"ws{s}://{origin}\"\n{trust}\n\
             [source.auth]\ngrant = \"client_credentials\"\nclient_id = \"bench\"\n\
             client_secret = {{ env = \"BENCH_CLIENT_SECRET\" }}\n\n\
             [log]\nlevel = \"warn\"\n"
        )
    }
}
