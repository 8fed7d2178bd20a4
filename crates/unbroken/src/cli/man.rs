//! `unbroken man`: the manual pages, made from the same text as `--help`.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::answer::Answer;
use super::args::{Arguments, ManArgs};
use super::error::CliError;
use super::output::{Output, say};

/// The manual's section for commands of users.
const SECTION: &str = "1";

pub(crate) fn run(args: &ManArgs) -> Result<Answer, CliError> {
    let mut command = Arguments::command();
    command.build();
    match &args.dir {
        None => print(command),
        Some(dir) => write(command, dir),
    }
}

/// The first page, to be piped into `man -l -`.
fn print(command: Command) -> Result<Answer, CliError> {
    let mut out = Output::new();
    out.text(&String::from_utf8_lossy(&page(command).map_err(CliError::Output)?))?;
    out.flush()?;
    Ok(Answer::Yes)
}

/// One page for the whole and one for each command: `unbroken.1`, `unbroken-run.1`, …
fn write(command: Command, dir: &Path) -> Result<Answer, CliError> {
    let failed = |source| CliError::Io { what: "writing the manual pages", source };
    fs::create_dir_all(dir).map_err(failed)?;
    let commands: Vec<Command> = command.get_subcommands().cloned().collect();
    let mut written = 0;
    for command in std::iter::once(command).chain(commands) {
        let is_shown = !command.is_hide_set() && command.get_name() != "help";
        if is_shown {
            let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
            let path = dir.join(format!("{name}.{SECTION}"));
            page(command).and_then(|page| fs::write(path, page)).map_err(failed)?;
            written += 1;
        }
    }
    say(&format!("{written} pages written; read one with: man -l {}/unbroken.1\n", dir.display()));
    Ok(Answer::Yes)
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).section(SECTION).render(&mut page)?;
    Ok(page)
}
