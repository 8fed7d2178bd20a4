//! `unbroken events`: the log itself, from a cursor on.

use std::thread;
use std::time::Duration;

use unbroken::place;
use unbroken::render::{RECORD_HEADINGS, Table, record_line, record_row};
use unbroken_journal::{Batches, Cursor, JournalError, Reader};

use super::answer::Answer;
use super::args::{EventsArgs, FormatArg};
use super::error::CliError;
use super::output::{Output, say};
use super::settings::Place;

/// How long one wait for more records lasts; an interrupt ends the process at any time.
const FOLLOW_WAIT: Duration = Duration::from_secs(1);

/// Between two looks for a log that is not there yet.
const FOLLOW_OPEN: Duration = Duration::from_millis(50);

/// Rows that are aligned with each other; more would be held back from the reader for too long.
const TABLE_ROWS_MAX: usize = 256;

pub(crate) fn run(args: &EventsArgs) -> Result<Answer, CliError> {
    let reader = open(args)?;
    let mut batches = match &args.after {
        None => reader.batches(reader.oldest_offset()?)?,
        Some(text) => batches_after(&reader, text)?,
    };
    let mut printer = Printer::new(&reader, args);
    loop {
        while let Some(batch) = batches.next_batch()? {
            for (offset, record) in batch.entries() {
                if printer.print(offset, record)?.is_last() {
                    return printer.finish();
                }
            }
        }
        printer.flush()?;
        if !args.follow {
            return printer.finish();
        }
        batches.wait(FOLLOW_WAIT)?;
    }
}

/// Opens the log. Who follows may be earlier than the service that makes it.
fn open(args: &EventsArgs) -> Result<Reader, CliError> {
    let mut is_told = false;
    loop {
        let failed = match try_open(args) {
            Err(failed) if args.follow && is_not_there(&failed) => failed,
            tried => return tried,
        };
        if !std::mem::replace(&mut is_told, true) {
            say(&format!("waiting for the log: {failed}\n"));
        }
        thread::sleep(FOLLOW_OPEN);
    }
}

fn try_open(args: &EventsArgs) -> Result<Reader, CliError> {
    let place = Place::of(&args.data)?;
    Ok(Reader::open(place::journal_dir(&place.data_dir))?)
}

fn is_not_there(error: &CliError) -> bool {
    matches!(error, CliError::NoData(_) | CliError::Journal(JournalError::NotAJournal { .. }))
}

/// The first offset behind a cursor as printed, or behind the record with a bare offset.
pub(super) fn offset_after(reader: &Reader, text: &str) -> Result<u64, CliError> {
    if let Ok(offset) = text.parse::<u64>() {
        return Ok(offset.saturating_add(1));
    }
    let cursor: Cursor = text.parse().map_err(|_| CliError::Cursor(text.to_owned()))?;
    let journal = reader.journal();
    if cursor.journal == journal {
        Ok(cursor.offset)
    } else {
        Err(JournalError::AnotherJournal { cursor, journal }.into())
    }
}

/// A cursor as printed, or a bare offset, which stands for the record with that offset.
pub(super) fn batches_after(reader: &Reader, text: &str) -> Result<Batches, CliError> {
    if let Ok(offset) = text.parse::<u64>() {
        return Ok(reader.batches(offset.saturating_add(1))?);
    }
    let cursor: Cursor = text.parse().map_err(|_| CliError::Cursor(text.to_owned()))?;
    Ok(reader.batches_after(cursor)?)
}

struct Printer<'a> {
    out: Output,
    reader: &'a Reader,
    format: FormatArg,
    left: u64,
    table: Table,
    rows: usize,
}

#[derive(PartialEq, Eq)]
enum Printed {
    More,
    Last,
}

impl Printed {
    fn is_last(&self) -> bool {
        *self == Self::Last
    }
}

impl<'a> Printer<'a> {
    fn new(reader: &'a Reader, args: &EventsArgs) -> Self {
        Self {
            out: Output::new(),
            reader,
            format: args.format,
            left: args.limit.unwrap_or(u64::MAX),
            table: Table::new(&RECORD_HEADINGS),
            rows: 0,
        }
    }

    fn print(
        &mut self,
        offset: u64,
        record: &unbroken_core::record::Record,
    ) -> Result<Printed, CliError> {
        if self.left == 0 {
            return Ok(Printed::Last);
        }
        match self.format {
            FormatArg::Ndjson => {
                self.out.line(&record_line(self.reader.journal(), offset, record))?;
            }
            FormatArg::Table => {
                self.table.row(record_row(offset, record));
                self.rows += 1;
                if self.rows >= TABLE_ROWS_MAX {
                    self.flush()?;
                }
            }
        }
        self.left -= 1;
        Ok(if self.left == 0 { Printed::Last } else { Printed::More })
    }

    fn flush(&mut self) -> Result<(), CliError> {
        if self.rows > 0 {
            self.out.text(&self.table.render())?;
            self.table = Table::new(&RECORD_HEADINGS);
            self.rows = 0;
        }
        self.out.flush()
    }

    fn finish(mut self) -> Result<Answer, CliError> {
        self.flush()?;
        Ok(Answer::Yes)
    }
}
