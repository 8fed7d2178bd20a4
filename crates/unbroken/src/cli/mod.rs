//! The command line: [`args`] as typed, [`settings`] as meant, one file per command.

mod answer;
mod args;
mod check;
mod completions;
mod conformance;
mod control;
#[cfg(feature = "proof")]
mod crash;
mod demo;
mod dispatch;
mod error;
mod events;
mod export;
mod export_file;
mod follower;
mod gaps;
mod init;
mod judgement;
mod kill;
mod logging;
mod man;
mod output;
mod pause;
mod position;
mod profile;
mod rebuild;
mod repair;
mod resync;
mod run;
mod screen;
mod service;
mod settings;
mod simulate;
mod sinks;
mod soak;
mod state;
mod status;
mod token;
mod vendor;
mod verify;

pub(crate) use dispatch::main;
