//! `unbroken profile test`: reads a capture offline.

use std::fs::File;
use std::io::{self, BufReader};

use serde_json::Value;
use unbroken::render::Paint;
use unbroken_connect::capture::{read_lines, replay};

use super::super::answer::Answer;
use super::super::error::CliError;
use super::super::output::Output;
use super::args::ProfileTestArgs;
use super::choice::choose;
use super::render::render;

/// Answers yes if all was understood.
pub(super) fn run(args: &ProfileTestArgs) -> Result<Answer, CliError> {
    let path = &args.capture;
    let unreadable = |source| CliError::Capture { path: path.clone(), source };
    let file = File::open(path).map_err(|error| unreadable(error.into()))?;
    let lines = read_lines(BufReader::new(file)).map_err(unreadable)?;
    let choice = choose(args, &lines)?;
    let findings = replay(&lines, &choice.source, &choice.connector);
    let mut out = Output::new();
    if args.json {
        let mut json = serde_json::to_value(&findings).map_err(CliError::Json)?;
        if let Value::Object(members) = &mut json {
            members.insert("profile".to_owned(), choice.profile.into());
        }
        out.json(&json)?;
    } else {
        out.text(&render(&findings, &choice.profile, Paint::of(&io::stdout())))?;
    }
    out.flush()?;
    Ok(if findings.understood { Answer::Yes } else { Answer::No })
}
