//! `unbroken pause` and `unbroken resume`: a running service leaves a vendor alone for a while.

use unbroken::control::Request;

use super::answer::Answer;
use super::args::PauseArgs;
use super::control::tell;
use super::error::CliError;
use super::settings::{Place, operator};

pub(crate) fn pause(args: &PauseArgs) -> Result<Answer, CliError> {
    let (source, by, why) = meant(args);
    tell(&Place::of(&args.data)?, &Request::Pause { source, by, why })
}

pub(crate) fn resume(args: &PauseArgs) -> Result<Answer, CliError> {
    let (source, by, why) = meant(args);
    tell(&Place::of(&args.data)?, &Request::Resume { source, by, why })
}

fn meant(args: &PauseArgs) -> (Option<String>, String, String) {
    (args.source.clone(), operator(), args.reason.clone().unwrap_or_default())
}
