//! Dead letters, shown or marked to be given again.

use serde::Serialize;
use serde_json::value::RawValue;
use unbroken::place;
use unbroken::render::{Table, wall};
use unbroken_sink::{DeadLetter, DeadLetters};

use super::args::DeadLettersArgs;
use crate::cli::answer::Answer;
use crate::cli::args::FormatArg;
use crate::cli::error::CliError;
use crate::cli::output::{Output, say};
use crate::cli::settings::Place;

/// Answers no if there are any.
pub(super) fn run(args: &DeadLettersArgs) -> Result<Answer, CliError> {
    let place = Place::of(&args.data)?;
    let letters = DeadLetters::open(&place::sinks_db_path(&place.data_dir))?;
    let sink = args.sink.as_deref();
    if let Some(name) = sink {
        let is_known = letters.as_ref().map(|letters| letters.knows(name)).transpose()?;
        if is_known != Some(true) {
            return Err(CliError::NoDeadLettersOf(name.to_owned()));
        }
    }
    match letters {
        Some(letters) if args.redrive => redrive(&letters, sink),
        Some(letters) if args.events || args.format == FormatArg::Ndjson => {
            objects(&letters, sink, args.events)
        }
        Some(letters) => table(&letters, sink),
        None => Ok(none()),
    }
}

fn none() -> Answer {
    say("no dead letters\n");
    Answer::Yes
}

fn redrive(letters: &DeadLetters, sink: Option<&str>) -> Result<Answer, CliError> {
    let count = letters.redrive(sink)?;
    if count == 0 {
        return Ok(none());
    }
    say(&format!(
        "{count} to be given again by the service, before long once it runs; what is refused again \
         is listed again\n"
    ));
    Ok(Answer::Yes)
}

#[derive(Serialize)]
struct Told<'a> {
    /// As it lies there: its numbers may be of any size.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a RawValue>,
    id: String,
    offset: u64,
    parked_at: String,
    redrive: bool,
    sink: &'a str,
    why: &'a str,
}

fn objects(
    letters: &DeadLetters,
    sink: Option<&str>,
    with_events: bool,
) -> Result<Answer, CliError> {
    let (mut out, mut answer) = (Output::new(), Answer::Yes);
    letters.each(sink, |letter| {
        answer = Answer::No;
        let event =
            with_events.then(|| serde_json::from_str(&letter.event).map_err(CliError::Json));
        let object = Told {
            event: event.transpose()?,
            id: id(&letter),
            offset: letter.offset,
            parked_at: wall(letter.parked_at),
            redrive: letter.is_asked_for,
            sink: &letter.sink,
            why: &letter.why,
        };
        out.line(&serde_json::to_string(&object).map_err(CliError::Json)?)
    })?;
    out.flush()?;
    Ok(answer)
}

fn table(letters: &DeadLetters, sink: Option<&str>) -> Result<Answer, CliError> {
    let mut table = Table::new(&["sink", "id", "put aside", "state", "why"]);
    let mut count = 0;
    letters.each(sink, |letter| {
        count += 1;
        table.row([
            letter.sink.clone(),
            id(&letter),
            wall(letter.parked_at),
            if letter.is_asked_for { "is given again" } else { "lies here" }.to_owned(),
            letter.why,
        ]);
        Ok::<_, CliError>(())
    })?;
    if count == 0 {
        return Ok(none());
    }
    let mut out = Output::new();
    out.text(&table.render())?;
    out.flush()?;
    Ok(Answer::No)
}

/// The CloudEvent's.
fn id(letter: &DeadLetter) -> String {
    format!("{}:{}", letter.journal, letter.offset)
}
