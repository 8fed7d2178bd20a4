//! `unbroken gaps`: the ledger of what the vendor lost, from the store.

use unbroken::render::{Table, gap_json, wall};
use unbroken::words;
use unbroken_store::GapRow;

use super::answer::Answer;
use super::args::{FormatArg, GapsArgs};
use super::error::CliError;
use super::output::{Output, say};
use super::settings::Place;

/// Answers no if a gap is open.
pub(crate) fn run(args: &GapsArgs) -> Result<Answer, CliError> {
    let place = Place::of(&args.data)?;
    let store = place.store()?;
    let rows = store.gaps()?;
    let open = rows.iter().any(|row| row.outcome.is_none());
    let shown: Vec<&GapRow> =
        rows.iter().filter(|row| !args.open || row.outcome.is_none()).collect();
    let mut out = Output::new();
    match args.format {
        FormatArg::Ndjson => {
            for row in &shown {
                out.json(&gap_json(row))?;
            }
        }
        FormatArg::Table if shown.is_empty() => {
            say(if args.open { "no gap is open\n" } else { "no gaps: the record is whole\n" });
        }
        FormatArg::Table => out.text(&table(&shown).render())?,
    }
    out.flush()?;
    Ok(if open { Answer::No } else { Answer::Yes })
}

fn table(rows: &[&GapRow]) -> Table {
    let mut table =
        Table::new(&["stream", "gap", "from", "to", "after", "through", "outcome", "cause"]);
    let place = |position: Option<unbroken_core::position::Position>| {
        position.map_or_else(|| "-".to_owned(), |position| position.to_string())
    };
    for row in rows {
        table.row([
            row.stream.to_string(),
            row.gap.to_string(),
            wall(row.wall_from),
            row.wall_to.map_or_else(|| "still open".to_owned(), wall),
            place(row.after),
            place(row.through),
            row.outcome.map_or("open", words::outcome).to_owned(),
            words::cause_plainly(row.cause).to_owned(),
        ]);
    }
    table
}
