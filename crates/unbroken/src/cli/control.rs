//! `unbroken control`: asks a running service to do something.

use unbroken::control::{self, Request, Response};

use super::answer::Answer;
use super::args::{ControlArgs, ControlKind};
use super::error::CliError;
use super::output::{Output, say};
use super::settings::Place;

pub(crate) fn run(args: &ControlArgs) -> Result<Answer, CliError> {
    let place = Place::of(&args.data)?;
    let source = args.source.clone();
    let request = match args.request {
        ControlKind::Metrics => Request::Metrics {},
        ControlKind::Resync => Request::Resync { source, keys: None },
        ControlKind::Reload => Request::Reload { source },
        ControlKind::Stop => Request::Stop {},
    };
    tell(&place, &request)
}

/// Asks the service, and says what it answered.
pub(super) fn tell(place: &Place, request: &Request) -> Result<Answer, CliError> {
    match control::ask(&place.data_dir, request)? {
        Response::Metrics { text } => {
            let mut out = Output::new();
            out.text(&text)?;
            out.flush()?;
            Ok(Answer::Yes)
        }
        Response::Accepted { of } => {
            say(&format!("accepted: {}\n", of.join(", ")));
            Ok(Answer::Yes)
        }
        Response::Refused { why } => {
            say(&format!("refused: {why}\n"));
            Ok(Answer::No)
        }
        Response::Status(_) => Err(CliError::Unexpected),
    }
}
