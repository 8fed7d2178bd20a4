//! `unbroken completions`: what a shell needs to complete our words.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::answer::Answer;
use super::args::{Arguments, CompletionsArgs, ShellArg};
use super::error::CliError;
use super::output::Output;

pub(crate) fn run(args: &CompletionsArgs) -> Result<Answer, CliError> {
    let shell = match args.shell {
        ShellArg::Bash => Shell::Bash,
        ShellArg::Zsh => Shell::Zsh,
        ShellArg::Fish => Shell::Fish,
    };
    // Into memory first: the generator panics if it cannot write, and a pipe may be closed.
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "unbroken", &mut script);
    let mut out = Output::new();
    out.text(&String::from_utf8_lossy(&script))?;
    out.flush()?;
    Ok(Answer::Yes)
}
