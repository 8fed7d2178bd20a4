//! `unbroken profile`: what is known of vendors, and what a profile makes of a capture.

mod args;
mod choice;
mod render;
mod trial;

use unbroken_connect::generic::{Profile, embedded, embedded_names};

use super::answer::Answer;
use super::error::CliError;
use super::output::Output;
pub(crate) use args::ProfileArgs;
use args::ProfileCommand;

pub(crate) fn run(args: &ProfileArgs) -> Result<Answer, CliError> {
    match &args.command {
        ProfileCommand::List => list(),
        ProfileCommand::Show { name } => show(name),
        ProfileCommand::Test(args) => trial::run(args),
    }
}

fn list() -> Result<Answer, CliError> {
    let mut out = Output::new();
    for name in embedded_names() {
        let text = embedded(name).unwrap_or_default();
        let profile: Option<Profile> = without_with_keys(text);
        let description = profile.map(|profile| profile.description).unwrap_or_default();
        out.line(&format!("{name:<12}{description}"))?;
    }
    out.flush()?;
    Ok(Answer::Yes)
}

/// The part of a profile that is one without keys.
fn without_with_keys(text: &str) -> Option<Profile> {
    let mut table: toml::Table = text.parse().ok()?;
    table.remove("with_keys");
    table.try_into().ok()
}

fn show(name: &str) -> Result<Answer, CliError> {
    let text = embedded(name).ok_or_else(|| {
        CliError::Profile(unbroken_connect::generic::ProfileError::UnknownName {
            name: name.to_owned(),
        })
    })?;
    let mut out = Output::new();
    out.text(text)?;
    out.flush()?;
    Ok(Answer::Yes)
}
