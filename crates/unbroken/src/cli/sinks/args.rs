//! `unbroken sinks`, as typed.

use clap::{Args, Subcommand};

use super::super::args::{DataArgs, FormatArg};

#[derive(Debug, Args)]
pub(crate) struct SinksArgs {
    #[command(subcommand)]
    pub(crate) command: SinksCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SinksCommand {
    /// List what targets refuse, or have it given to them again
    ///
    /// Of sinks whose target keeps no dead letters itself: webhooks. PostgreSQL and Redshift have
    /// them in a table `dead_letters`, NATS at the subject PREFIX.dead_letters, Kafka in the topic
    /// PREFIX.dead-letters.
    /// It works beside a running service, and without one.
    ///
    /// Exit code 0: there are none, or they are to be given again; 1: there are some.
    DeadLetters(DeadLettersArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DeadLettersArgs {
    /// Only those of this sink [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) sink: Option<String>,
    /// Have them given again, by the service that runs or else by the next one: once the cause of
    /// the refusal is mended
    #[arg(long, conflicts_with_all = ["events", "format"])]
    pub(crate) redrive: bool,
    /// With the events themselves, payloads and all; as JSON only
    #[arg(long)]
    pub(crate) events: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = FormatArg::Table)]
    pub(crate) format: FormatArg,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}
