//! The command line: [`args`] as typed, [`settings`] as meant, one file per command.

mod answer;
mod args;
mod control;
mod dispatch;
mod error;
mod init;
mod output;
mod settings;
mod status;

pub(crate) use dispatch::main;
