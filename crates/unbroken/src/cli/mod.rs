//! The command line: [`args`] as typed, [`settings`] as meant, one file per command.

mod answer;
mod args;
mod control;
mod dispatch;
mod error;
mod events;
mod gaps;
mod init;
mod logging;
mod output;
mod rebuild;
mod run;
mod settings;
mod state;
mod status;
mod verify;

pub(crate) use dispatch::main;
