//! `unbroken repair`: a damaged log cut before the damage, when there is no backup.

use std::sync::Arc;

use unbroken::place;
use unbroken::render::count;
use unbroken_journal::disk::RealDisk;

use super::answer::Answer;
use super::args::RebuildArgs;
use super::error::CliError;
use super::output::say;
use super::rebuild::refuse_while_running;
use super::settings::Place;

pub(crate) fn run(args: &RebuildArgs) -> Result<Answer, CliError> {
    let place = Place::of(&args.data)?;
    refuse_while_running(&place)?;
    let dir = place::journal_dir(&place.data_dir);
    let repaired = unbroken_journal::repair(Arc::new(RealDisk), &dir)?;
    say(&format!(
        "the log ends at offset {} now, under the new id {}\n",
        count(repaired.end_offset),
        repaired.journal,
    ));
    for file in &repaired.kept {
        say(&format!("kept: {file}\n"));
    }
    say("now run: unbroken rebuild\n");
    Ok(Answer::Yes)
}
