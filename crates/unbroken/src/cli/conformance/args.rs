//! The command line of `unbroken conformance`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use unbroken_sim::conformance::Kind;

/// Against which vendor a client is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArg {
    /// A CXone-shaped notification stream
    Cxone,
    /// Genesys Cloud: channels, adherence, analytics
    Genesys,
}

impl From<KindArg> for Kind {
    fn from(arg: KindArg) -> Self {
        match arg {
            KindArg::Cxone => Self::Cxone,
            KindArg::Genesys => Self::Genesys,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ConformanceArgs {
    /// Which vendor the client speaks to
    #[arg(long = "vendor", value_enum, default_value_t = KindArg::Cxone)]
    pub(crate) kind: KindArg,
    /// Only this scenario; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Vec<String>,
    /// Print the scenarios and what happens in each, and play none
    #[arg(long)]
    pub(crate) list: bool,
    /// Seed of every scenario; the same seed plays the same faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many scenarios are played at once, each with a vendor and a client of its own
    #[arg(long, value_name = "N", default_value_t = 2,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) jobs: u16,
    /// Keep what each client kept and said here; must be empty or new [default: nothing is kept]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Print one JSON document instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a report for people to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// The client and its arguments; it is started once for each scenario
    #[arg(last = true, value_name = "CMD", required_unless_present = "list")]
    pub(crate) command: Vec<OsString>,
}
