//! The command as it is typed.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::some;

#[derive(Debug, Args)]
pub(crate) struct CrashArgs {
    /// How many points are struck; each at least once
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1)]
    pub(crate) count: usize,
    /// Seed of the plan and of every vendor's story
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Agents of each vendor
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = some())]
    pub(crate) agents: u32,
    /// Events per second of each vendor
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = some())]
    pub(crate) rate: u32,
    /// Courses that are run at the same time
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) beside: usize,
    /// Print the table of all points, and strike none
    #[arg(long)]
    pub(crate) list: bool,
    /// Keep the data here; must be empty or new [default: a fresh temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Print one JSON object with all figures as the last line of stdout
    #[arg(long)]
    pub(crate) json: bool,
}
