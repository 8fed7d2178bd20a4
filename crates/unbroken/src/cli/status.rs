//! `unbroken status`: how the service is doing; if none is running, what the store last held.

use std::io;

use serde_json::{Value, json};
use unbroken::board::{SinkStatus, SourceStatus, StreamStatus};
use unbroken::control::{self, ControlError, Request, Response, Status};
use unbroken::render::{Paint, Table, count, counted, duration_ms, wall, wall_now};
use unbroken_store::StreamRow;

use super::answer::Answer;
use super::args::StatusArgs;
use super::error::CliError;
use super::output::{Output, say};
use super::settings::Place;

/// Answers yes if every stream is live, but for those that a person has paused.
pub(crate) fn run(args: &StatusArgs) -> Result<Answer, CliError> {
    let place = Place::of(&args.data)?;
    match control::ask(&place.data_dir, &Request::Status {}) {
        Ok(Response::Status(status)) => print_running(&status, args.json),
        Ok(_) => Err(CliError::Unexpected),
        Err(ControlError::NotRunning(_)) => print_stopped(&place, args.json),
        Err(error) => Err(error.into()),
    }
}

fn print_running(status: &Status, json: bool) -> Result<Answer, CliError> {
    let mut out = Output::new();
    if json {
        out.json(&serde_json::to_value(status).map_err(CliError::Json)?)?;
    } else {
        out.text(&render_running(status, Paint::of(&io::stdout())))?;
    }
    out.flush()?;
    let streams = status.sources.iter().flat_map(|source| &source.streams);
    let stopped = status.sources.iter().any(|source| source.stopped.is_some());
    let live = !stopped && streams.clone().all(|stream| stream.is_live() || stream.is_paused());
    Ok(if live { Answer::Yes } else { Answer::No })
}

/// What the store last held. A stream is never live when nobody is running.
fn print_stopped(place: &Place, json: bool) -> Result<Answer, CliError> {
    let store = place.store()?;
    let (streams, checkpoint) = (store.streams()?, store.checkpoint()?);
    let mut out = Output::new();
    if json {
        let streams: Vec<Value> = streams.iter().map(stopped_json).collect();
        out.json(&json!({
            "running": false, "journal_id": checkpoint.journal_id,
            "store_offset": checkpoint.next_offset, "streams": streams,
        }))?;
    } else {
        say("no service is running; this is what the store last held\n\n");
        let headings = ["stream", "covered until", "position", "keys", "gaps open"];
        let mut table = Table::new(&headings);
        for stream in &streams {
            table.row([
                stream.stream.to_string(),
                stream.covered_at.map_or_else(|| "nothing yet".to_owned(), wall),
                stream.position.map_or_else(|| "-".to_owned(), |position| position.to_string()),
                count(stream.keys_present),
                count(stream.gaps_open),
            ]);
        }
        out.text(&table.render())?;
    }
    out.flush()?;
    Ok(Answer::No)
}

fn stopped_json(stream: &StreamRow) -> Value {
    json!({
        "stream": stream.stream.as_str(),
        "covered_until": stream.covered_at.map(wall),
        "position": stream.position.map(|position| position.to_string()),
        "keys": stream.keys_present,
        "gaps_open": stream.gaps_open,
    })
}

fn render_running(status: &Status, paint: Paint) -> String {
    let mut text = format!(
        "unbroken {} is running (pid {}) for {}; journal {}, {} records, store {} behind\n\n",
        status.version,
        status.pid,
        duration_ms(status.uptime_ms),
        status.journal_id,
        count(status.next_offset),
        count(status.next_offset.saturating_sub(status.store_offset)),
    );
    let mut table =
        Table::new(&["stream", "phase", "since", "events", "gaps open", "last event", "note"]);
    for source in &status.sources {
        for stream in &source.streams {
            table.row(cells(stream, source.stopped.as_deref()));
        }
    }
    text.push_str(&table.render());
    if !status.sinks.is_empty() {
        text.push_str(&format!("\n{}", sinks(&status.sinks)));
    }
    for sink in &status.sinks {
        if let Some(todo) = &sink.todo {
            text.push_str(&format!("\n{} sink {}: {todo}\n", paint.warn("to do:"), sink.name));
        }
    }
    for source in &status.sources {
        if let Some(todo) = source.todo.as_deref().filter(|todo| !todo.is_empty()) {
            text.push_str(&format!("\n{} {}: {todo}\n", paint.warn("to do:"), source.name));
        }
    }
    for source in &status.sources {
        if let Some(queue) = queue(source) {
            text.push_str(&format!("\n{queue}\n"));
        }
    }
    for stream in status.sources.iter().flat_map(|source| &source.streams) {
        if let Some(todo) = &stream.todo {
            text.push_str(&format!("\n{} {}: {todo}\n", paint.warn("to do:"), stream.stream));
        }
    }
    text
}

fn sinks(sinks: &[SinkStatus]) -> String {
    let mut table = Table::new(&[
        "sink",
        "target",
        "guarantee",
        "phase",
        "behind",
        "committed",
        "put aside",
        "note",
    ]);
    for sink in sinks {
        table.row([
            sink.name.clone(),
            sink.target.clone(),
            sink.guarantee.clone(),
            sink.phase.clone(),
            sink.lag.map_or_else(|| "not known".to_owned(), count),
            count(sink.records),
            count(sink.parked),
            sink.why.clone().unwrap_or_default(),
        ]);
    }
    table.render()
}

/// How many streams wait because the vendor may not be asked so often, and for how long.
fn queue(source: &SourceStatus) -> Option<String> {
    let now = wall_now();
    let waiting = source.streams.iter().filter(|stream| stream.waits_for_budget(now));
    let until = waiting.clone().filter_map(|stream| stream.over_budget_until).max()?;
    let ms = u64::try_from((until.0 - now.0) / 1_000).unwrap_or(0);
    let (waiting, all) = (waiting.count(), source.streams.len());
    Some(format!(
        "{}: {waiting} of {} wait for the budget, {} at the most",
        source.name,
        counted(all as u64, "stream"),
        duration_ms(ms)
    ))
}

fn cells(stream: &StreamStatus, stopped: Option<&str>) -> [String; 7] {
    let now = wall_now();
    let ago = |at: unbroken_core::time::UnixMicros| {
        let ms = u64::try_from((now.0 - at.0) / 1_000).unwrap_or(0);
        format!("{} ago", duration_ms(ms))
    };
    let phase = if stopped.is_some() { "stopped" } else { stream.phase.as_str() };
    let note = stopped.or(stream.why.as_deref()).or(stream.alarm.as_deref()).unwrap_or_default();
    [
        stream.stream.clone(),
        phase.to_owned(),
        wall(stream.since),
        count(stream.events),
        count(stream.gaps_open),
        stream.event_at.map_or_else(|| "none yet".to_owned(), ago),
        note.to_owned(),
    ]
}
