//! `unbroken sinks`: what targets have refused.

mod args;
mod dead_letters;

pub(crate) use args::SinksArgs;
use args::SinksCommand;

use super::answer::Answer;
use super::error::CliError;

pub(crate) fn run(args: &SinksArgs) -> Result<Answer, CliError> {
    match &args.command {
        SinksCommand::DeadLetters(args) => dead_letters::run(args),
    }
}
