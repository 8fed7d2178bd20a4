//! `unbroken rebuild`: the store made again from the log, and put in the old one's place.

use unbroken::control::{self, ControlError, Request};
use unbroken::feed::JournalLog;
use unbroken::place;
use unbroken::render::count;
use unbroken_journal::Reader;

use super::answer::Answer;
use super::args::RebuildArgs;
use super::error::CliError;
use super::output::say;
use super::settings::Place;

pub(crate) fn run(args: &RebuildArgs) -> Result<Answer, CliError> {
    let place = Place::of(&args.data)?;
    refuse_while_running(&place)?;
    let log = JournalLog(Reader::open(place::journal_dir(&place.data_dir))?);
    let path = place::store_path(&place.data_dir);
    let checkpoint = unbroken_store::rebuild(&path, &log)?;
    say(&format!(
        "{} holds the log's records from offset {} to {}\n",
        path.display(),
        count(checkpoint.first_offset),
        count(checkpoint.next_offset),
    ));
    Ok(Answer::Yes)
}

/// The service feeds the file that would be replaced under it.
pub(super) fn refuse_while_running(place: &Place) -> Result<(), CliError> {
    match control::ask(&place.data_dir, &Request::Status {}) {
        Err(ControlError::NotRunning(_)) => Ok(()),
        Ok(_) => Err(CliError::Running),
        Err(error) => Err(error.into()),
    }
}
