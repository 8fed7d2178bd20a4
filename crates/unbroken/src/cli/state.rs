//! `unbroken state`: the present value of each key, from the store.

use unbroken::render::{Table, state_json, wall};
use unbroken_core::ids::{Key, StreamId};
use unbroken_store::{StateFilter, StateRow};

use super::answer::Answer;
use super::args::{FormatArg, StateArgs};
use super::error::CliError;
use super::output::Output;
use super::settings::Place;

/// A value's first characters are enough to recognise it by.
const VALUE_CHARS_MAX: usize = 100;

pub(crate) fn run(args: &StateArgs) -> Result<Answer, CliError> {
    let place = Place::of(&args.data)?;
    let store = place.store()?;
    let filter = StateFilter {
        stream: args.stream.as_deref().map(StreamId::from),
        key: args.key.as_deref().map(Key::from),
        tombstones: args.key.is_some(),
    };
    let state = store.state(&filter)?;
    let mut out = Output::new();
    match args.format {
        FormatArg::Ndjson => {
            for row in &state.rows {
                out.line(state_json(row).get())?;
            }
        }
        FormatArg::Table => out.text(&table(&state.rows).render())?,
    }
    out.flush()?;
    Ok(if args.key.is_some() && state.rows.is_empty() { Answer::No } else { Answer::Yes })
}

fn table(rows: &[StateRow]) -> Table {
    let mut table = Table::new(&["stream", "key", "version", "since", "stale since", "value"]);
    for row in rows {
        let value = if row.present { short(&row.payload) } else { "(gone)".to_owned() };
        table.row([
            row.stream.to_string(),
            row.key.to_string(),
            row.version.map_or_else(String::new, |position| position.to_string()),
            wall(row.occurred_at.unwrap_or(row.received_at)),
            row.stale_since.map_or_else(String::new, wall),
            value,
        ]);
    }
    table
}

fn short(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    let mut short: String = text.chars().take(VALUE_CHARS_MAX).collect();
    if text.chars().nth(VALUE_CHARS_MAX).is_some() {
        short.push('…');
    }
    short.replace(['\n', '\r', '\t', '\x1b'], " ")
}
