//! `unbroken profile` as it is typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct ProfileArgs {
    #[command(subcommand)]
    pub(crate) command: ProfileCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// List the embedded profiles
    List,
    /// Print an embedded profile, with its comments
    Show {
        /// Its name
        name: String,
    },
    /// Read a capture offline, and tell what a profile makes of it
    ///
    /// Exits with 0 if all of it was understood, with 1 if not. Shows counts, names and shapes, and
    /// no value.
    Test(ProfileTestArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ProfileTestArgs {
    /// The capture, as `unbroken run --record FILE` writes it
    pub(crate) capture: PathBuf,
    /// Profile: the name of an embedded one, or a file (which may begin with `extends = "NAME"`)
    /// [default: the embedded one that the capture names]
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "config")]
    pub(crate) profile: Option<String>,
    /// Take the profile that this configuration gives the source, with all its changes
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Which source of the capture [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
