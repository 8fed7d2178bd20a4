//! `unbroken export`: a part of the log as JSON lines, or as a table.

use std::io::{self, Write};

use unbroken::place;
use unbroken::render::{cloudevent, counted, kind, record_line};
use unbroken_core::record::Record;
use unbroken_core::time::UnixMicros;
use unbroken_journal::{Cursor, JournalId, Reader};
use unbroken_sink::{CsvRows, ParquetRows, Row};

use super::answer::Answer;
use super::args::{EnvelopeArg, ExportArgs};
use super::error::CliError;
use super::events::{batches_after, offset_after};
use super::export_file::{ExportError, ExportFile};
use super::output::{Output, say};
use super::settings::{Place, moment};

pub(crate) fn run(args: &ExportArgs) -> Result<Answer, CliError> {
    let choice = Choice::of(args)?;
    let place = Place::of(&args.data)?;
    let reader = Reader::open(place::journal_dir(&place.data_dir))?;
    let mut target = Target::open(args)?;
    let last = target.last_cursor();
    let after = last.map(|cursor| cursor.to_string());
    let mut batches = match after.as_ref().or(args.after.as_ref()) {
        None => reader.batches(reader.oldest_offset()?)?,
        Some(text) => batches_after(&reader, text)?,
    };
    let until = args.until.as_deref().map(|text| offset_after(&reader, text)).transpose()?;
    let (mut written, mut end) = (0, last);
    'log: while let Some(batch) = batches.next_batch()? {
        for (offset, record) in batch.entries() {
            if until.is_some_and(|until| offset >= until) {
                break 'log;
            }
            if choice.takes(record) {
                target.write(&choice, reader.journal(), offset, record)?;
                end = Some(Cursor { journal: reader.journal(), offset: offset + 1 });
                written += 1;
            }
        }
    }
    target.finish(written, end)
}

/// Which records, and how they are written.
struct Choice<'a> {
    args: &'a ExportArgs,
    from: Option<UnixMicros>,
    to: Option<UnixMicros>,
}

impl<'a> Choice<'a> {
    fn of(args: &'a ExportArgs) -> Result<Self, CliError> {
        let from = args.from.as_deref().map(|text| moment("--from", text)).transpose()?;
        let to = args.to.as_deref().map(|text| moment("--to", text)).transpose()?;
        Ok(Self { args, from, to })
    }

    fn takes(&self, record: &Record) -> bool {
        let (streams, kinds) = (&self.args.stream, &self.args.kind);
        let named =
            |names: &[String], name: &str| names.is_empty() || names.iter().any(|n| n == name);
        named(streams, record.stream.as_str())
            && named(kinds, kind(&record.body))
            && self.from.is_none_or(|from| record.received_at >= from)
            && self.to.is_none_or(|to| record.received_at < to)
    }

    fn line(&self, journal: JournalId, offset: u64, record: &Record) -> String {
        match self.args.format {
            EnvelopeArg::Cloudevents => cloudevent(journal, offset, record),
            _ => record_line(journal, offset, record),
        }
    }
}

enum Target {
    Lines(Sheet),
    Csv(Box<CsvRows<Sheet>>),
    Parquet(Box<ParquetRows<Sheet>>),
}

impl Target {
    fn open(args: &ExportArgs) -> Result<Self, CliError> {
        let is_table = matches!(args.format, EnvelopeArg::Csv | EnvelopeArg::Parquet);
        if is_table && args.append {
            return Err(ExportError::AppendToTable.into());
        }
        let sheet = match &args.output {
            None if args.format == EnvelopeArg::Parquet => {
                return Err(ExportError::NeedsFile.into());
            }
            None => Sheet::Stdout(Output::new()),
            Some(path) => Sheet::File(Box::new(ExportFile::open(path, args.append)?)),
        };
        Ok(match args.format {
            EnvelopeArg::Record | EnvelopeArg::Cloudevents => Self::Lines(sheet),
            EnvelopeArg::Csv => Self::Csv(Box::new(CsvRows::new(sheet).map_err(failed)?)),
            EnvelopeArg::Parquet => {
                let rows = ParquetRows::new(sheet).map_err(|error| failed(error.into()))?;
                Self::Parquet(Box::new(rows))
            }
        })
    }

    /// Where an earlier export into the same file ended.
    fn last_cursor(&self) -> Option<Cursor> {
        match self {
            Self::Lines(Sheet::File(file)) => file.last_cursor(),
            _ => None,
        }
    }

    fn write(
        &mut self,
        choice: &Choice<'_>,
        journal: JournalId,
        offset: u64,
        record: &Record,
    ) -> Result<(), CliError> {
        let row = || Row::of(journal, offset, record);
        match self {
            Self::Lines(sheet) => {
                let line = choice.line(journal, offset, record) + "\n";
                sheet.write_all(line.as_bytes()).map_err(|error| sheet.failed(error))
            }
            Self::Csv(rows) => rows.push(&row()).map_err(failed),
            Self::Parquet(rows) => rows.push(&row()).map_err(|error| failed(error.into())),
        }
    }

    fn finish(self, written: u64, end: Option<Cursor>) -> Result<Answer, CliError> {
        let sheet = match self {
            Self::Lines(sheet) => sheet,
            Self::Csv(rows) => rows.finish().map_err(failed)?,
            Self::Parquet(rows) => rows.finish().map_err(|error| failed(error.into()))?,
        };
        match sheet {
            Sheet::Stdout(mut out) => out.flush()?,
            Sheet::File(file) => {
                let path = file.finish()?;
                let end = end.map_or_else(String::new, |end| format!(", up to cursor {end}"));
                let records = counted(written, "record");
                say(&format!("{records} written to {}{end}\n", path.display()));
            }
        }
        Ok(Answer::Yes)
    }
}

/// What is written on.
enum Sheet {
    Stdout(Output),
    File(Box<ExportFile>),
}

impl Sheet {
    fn failed(&self, source: io::Error) -> CliError {
        match self {
            Self::Stdout(_) => CliError::Output(source),
            Self::File(_) => failed(source),
        }
    }
}

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => Write::flush(out),
            Self::File(file) => file.flush(),
        }
    }
}

fn failed(source: io::Error) -> CliError {
    // Of a table on stdout whose reader has had enough.
    if source.kind() == io::ErrorKind::BrokenPipe {
        return CliError::Output(source);
    }
    CliError::Io { what: "writing the export", source }
}
