//! From the command line to a command, and from its answer to an exit code.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use unbroken::panic_report;
use unbroken::render::{Paint, render_error};

use super::answer::{Answer, COULD_NOT_RUN};
use super::args::{Arguments, Command};
#[cfg(feature = "proof")]
use super::crash;
use super::error::CliError;
use super::output::{is_closed_pipe, say};
use super::{
    check, completions, conformance, control, demo, events, export, gaps, init, kill, man, pause,
    position, profile, rebuild, repair, resync, run, simulate, sinks, soak, state, status, token,
    verify,
};

/// Runs the command that was typed.
pub(crate) fn main() -> ExitCode {
    panic_report::install(say);
    #[cfg(feature = "proof")]
    unbroken::crash::arm();
    match dispatch(Arguments::parse().command) {
        Ok(answer) => answer.into(),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = error.hint();
            say(&render_error(&error, hint.as_deref(), Paint::of(&io::stderr())));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

fn dispatch(command: Command) -> Result<Answer, CliError> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Pause(args) => pause::pause(&args),
        Command::Resume(args) => pause::resume(&args),
        Command::Position(args) => position::run(&args),
        Command::Resync(args) => resync::run(&args),
        Command::Control(args) => control::run(&args),
        Command::Status(args) => status::run(&args),
        Command::State(args) => state::run(&args),
        Command::Events(args) => events::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Gaps(args) => gaps::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Rebuild(args) => rebuild::run(&args),
        Command::Repair(args) => repair::run(&args),
        Command::Sinks(args) => sinks::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Profile(args) => profile::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Conformance(args) => conformance::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Kill(args) => kill::run(&args),
        Command::Soak(args) => soak::run(&args),
        #[cfg(feature = "proof")]
        Command::Crash(args) => crash::run(&args),
    }
}
