//! `unbroken position`: where each stream stands, and how a person moves it.

use serde_json::{Value, json};
use unbroken::config::JournalConfig;
use unbroken::pipeline::{PipelineError, open_journal};
use unbroken::render::{Table, count, wall, wall_now};
use unbroken::{logbook, place, words};
use unbroken_connect::config::read_sequence;
use unbroken_core::bookmark::{After, Bookmark};
use unbroken_core::directive::{Decider, forget_position, set_position};
use unbroken_core::fold::StreamFold;
use unbroken_core::ids::{AppendId, Label, StreamId};
use unbroken_core::position::Position;
use unbroken_core::record::{Append, Body, Mark, Record};
use unbroken_journal::{JournalError, Opened, Reader};

use super::answer::Answer;
use super::args::{
    FormatArg, PositionArgs, PositionCommand, PositionGetArgs, PositionResetArgs, PositionSetArgs,
};
use super::error::CliError;
use super::output::{Output, say};
use super::settings::{Place, operator};

pub(crate) fn run(args: &PositionArgs) -> Result<Answer, CliError> {
    match &args.command {
        PositionCommand::Get(args) => tell(args),
        PositionCommand::Set(args) => set(args),
        PositionCommand::Reset(args) => reset(args),
    }
}

fn tell(args: &PositionGetArgs) -> Result<Answer, CliError> {
    let place = Place::of(&args.data)?;
    let reader = Reader::open(place::journal_dir(&place.data_dir))?;
    let (offset, fold) = logbook::read(&reader)?;
    let streams = fold.streams.iter().filter(|(id, _)| is_meant(id, args.source.as_deref()));
    let mut out = Output::new();
    let mut table =
        Table::new(&["stream", "epoch", "position", "covered until", "gaps open", "note"]);
    let mut told = 0;
    for (id, stream) in streams {
        told += 1;
        match args.format {
            FormatArg::Ndjson => out.json(&stream_json(id, stream, offset))?,
            FormatArg::Table => table.row(cells(id, stream)),
        }
    }
    if args.format == FormatArg::Table {
        out.text(&table.render())?;
    }
    out.flush()?;
    match (told, &args.source) {
        (0, Some(source)) => Err(CliError::UnknownStream(source.clone())),
        _ => Ok(Answer::Yes),
    }
}

fn cells(id: &StreamId, stream: &StreamFold) -> [String; 6] {
    let epoch = match &stream.epoch_name {
        Some(name) => format!("{} ({name})", stream.epoch.0),
        None => stream.epoch.0.to_string(),
    };
    [
        id.to_string(),
        epoch,
        place_of(stream),
        stream.covered_at.map_or_else(|| "nothing yet".to_owned(), wall),
        count(stream.open_gaps.len() as u64),
        note(stream),
    ]
}

/// The vendor's number, or its text where only that means anything.
fn place_of(stream: &StreamFold) -> String {
    match (bookmark(stream), stream.position) {
        (Some(text), _) => text,
        (None, Some(position)) => position.sequence.to_string(),
        (None, None) => "-".to_owned(),
    }
}

fn bookmark(stream: &StreamFold) -> Option<String> {
    let bookmark = stream.bookmarks.at(stream.position?.sequence)?;
    Some(bookmark.as_bytes().escape_ascii().to_string())
}

fn note(stream: &StreamFold) -> String {
    match &stream.paused {
        Some(paused) => format!("paused by {} since {}", paused.by, wall(paused.since)),
        None if stream.forgotten => "forgotten: the next start begins again".to_owned(),
        None if stream.vouched.is_some() => "set, and not confirmed by an event yet".to_owned(),
        None => String::new(),
    }
}

fn stream_json(id: &StreamId, stream: &StreamFold, offset: u64) -> Value {
    let gaps: Vec<Value> = stream
        .open_gaps
        .values()
        .map(|gap| {
            json!({ "gap": gap.opened.gap.0, "cause": words::cause(gap.opened.cause),
                    "from": wall(gap.opened.wall_from) })
        })
        .collect();
    json!({
        "stream": id.as_str(), "epoch": stream.epoch.0,
        "epoch_name": stream.epoch_name.as_ref().map(Label::as_str),
        "sequence": stream.position.map(|position| position.sequence),
        "bookmark": bookmark(stream),
        "covered_until": stream.covered_at.map(wall), "offset": offset, "gaps_open": gaps,
        "paused_since": stream.paused.as_ref().map(|paused| wall(paused.since)),
        "forgotten": stream.forgotten, "set": stream.vouched.is_some(),
    })
}

fn set(args: &PositionSetArgs) -> Result<Answer, CliError> {
    let held = Held::take(&args.data, args.source.as_deref())?;
    let to = after(&held.fold, &args.position);
    let decider = decider(args.reason.as_deref());
    let (bodies, position) = match set_position(&held.fold, &to, &decider) {
        Ok(set) => set,
        Err(why) => return Err(CliError::CannotSet(why)),
    };
    let was = held.fold.position.map_or_else(|| "-".to_owned(), |position| position.to_string());
    let id = held.write(bodies, Some(position), &decider)?;
    say(&format!("{id}: the position was {was} and is {position}; gap ledger: operator\n"));
    Ok(Answer::Yes)
}

fn reset(args: &PositionResetArgs) -> Result<Answer, CliError> {
    let held = Held::take(&args.data, args.source.as_deref())?;
    let decider = decider(args.reason.as_deref());
    let was = held.fold.position.map_or_else(|| "-".to_owned(), |position| position.to_string());
    let bodies = forget_position(&held.fold, &decider);
    let id = held.write(bodies, None, &decider)?;
    say(&format!(
        "{id}: the position was {was} and is forgotten; the next start begins again, in a \
         numbering of its own\n"
    ));
    Ok(Answer::Yes)
}

/// As the stream counts: where its positions are texts, a number is one.
fn after(fold: &StreamFold, text: &str) -> After {
    let number = read_sequence(text).filter(|_| fold.bookmarks.iter().len() == 0);
    match (number, Bookmark::new(text.as_bytes())) {
        (Some(sequence), _) => After::Sequence(sequence),
        (None, Some(bookmark)) => After::Bookmark(bookmark),
        (None, None) => After::Sequence(0),
    }
}

fn decider(reason: Option<&str>) -> Decider {
    let by = Label::new(operator());
    Decider { by, why: Label::from(reason.unwrap_or_default()), at: wall_now() }
}

/// The journal, with its lock: no service can be running.
struct Held {
    opened: Opened,
    stream: StreamId,
    fold: StreamFold,
}

impl Held {
    fn take(data: &super::args::DataArgs, source: Option<&str>) -> Result<Self, CliError> {
        let place = Place::of(data)?;
        // Opening makes what is not there.
        Reader::open(place::journal_dir(&place.data_dir))?;
        let opened = match open_journal(&place.data_dir, &JournalConfig::default()) {
            Ok(opened) => opened,
            Err(PipelineError::OpenJournal(locked @ JournalError::Locked { .. })) => {
                return Err(CliError::Fenced(locked));
            }
            Err(error) => return Err(error.into()),
        };
        let meant = opened.restored.streams.keys().filter(|id| is_meant(id, source));
        let meant: Vec<StreamId> = meant.cloned().collect();
        match (&meant[..], source) {
            ([stream], _) => {
                let fold = opened.restored.streams.get(stream).cloned().unwrap_or_default();
                Ok(Self { stream: stream.clone(), fold, opened })
            }
            ([], Some(source)) => Err(CliError::UnknownStream(source.to_owned())),
            ([], None) => Err(CliError::UnknownStream("any".to_owned())),
            (_, _) => {
                let names: Vec<&str> = meant.iter().map(StreamId::as_str).collect();
                Err(CliError::WhichStream(names.join(", ")))
            }
        }
    }

    fn write(
        self,
        bodies: Vec<Body>,
        position: Option<Position>,
        decider: &Decider,
    ) -> Result<StreamId, CliError> {
        let Self { mut opened, stream, .. } = self;
        let received_at = decider.at;
        let record = |body| Record { stream: stream.clone(), received_at, body };
        let records = bodies.into_iter().map(record).collect();
        let mark = position.map(|position| Mark { stream: stream.clone(), position });
        opened.writer.commit(&[Append { id: AppendId(1), records, mark }])?;
        opened.writer.close()?;
        Ok(stream)
    }
}

fn is_meant(id: &StreamId, only: Option<&str>) -> bool {
    let of_source = |only: &str| id.as_str().split_once('/').is_some_and(|(of, _)| of == only);
    only.is_none_or(|only| id.as_str() == only || of_source(only))
}
