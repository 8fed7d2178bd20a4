//! `unbroken token`, as typed.

use clap::{Args, Subcommand, ValueEnum};

use super::super::args::{DataArgs, FormatArg};

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token for a client, and print it: this once, for only a digest of it is kept
    Add(TokenAddArgs),
    /// List the tokens that were made, without their secrets
    List(TokenListArgs),
    /// Take a token back: a running service ends its streams within a second or two
    Revoke(TokenRevokeArgs),
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeArg {
    /// To read everything
    Read,
    /// To ask for a snapshot, too
    Admin,
}

#[derive(Debug, Args)]
pub(crate) struct TokenAddArgs {
    /// Name of the token: letters, digits, `-`, `_`, `.`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What it is good for
    #[arg(long, value_enum, default_value_t = ScopeArg::Read)]
    pub(crate) scope: ScopeArg,
    /// How long it is good, as 30d or 12h [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TokenListArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t = FormatArg::Table)]
    pub(crate) format: FormatArg,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TokenRevokeArgs {
    /// Name of the token
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}
