//! `unbroken export`: a part of the log as a file of JSON lines.

use unbroken::place;
use unbroken::render::{cloudevent_json, counted, kind, record_json};
use unbroken_core::record::Record;
use unbroken_core::time::UnixMicros;
use unbroken_journal::{Cursor, JournalId, Reader};

use super::answer::Answer;
use super::args::{EnvelopeArg, ExportArgs};
use super::error::CliError;
use super::events::{batches_after, offset_after};
use super::export_file::ExportFile;
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
                target.line(&choice.line(reader.journal(), offset, record))?;
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
        let object = match self.args.format {
            EnvelopeArg::Record => record_json(journal, offset, record),
            EnvelopeArg::Cloudevents => cloudevent_json(journal, offset, record),
        };
        object.to_string()
    }
}

enum Target {
    Stdout(Output),
    File(ExportFile),
}

impl Target {
    fn open(args: &ExportArgs) -> Result<Self, CliError> {
        Ok(match &args.output {
            None => Self::Stdout(Output::new()),
            Some(path) => Self::File(ExportFile::open(path, args.append)?),
        })
    }

    /// Where an earlier export into the same file ended.
    fn last_cursor(&self) -> Option<Cursor> {
        match self {
            Self::Stdout(_) => None,
            Self::File(file) => file.last_cursor(),
        }
    }

    fn line(&mut self, line: &str) -> Result<(), CliError> {
        match self {
            Self::Stdout(out) => out.line(line),
            Self::File(file) => file.line(line),
        }
    }

    fn finish(self, written: u64, end: Option<Cursor>) -> Result<Answer, CliError> {
        match self {
            Self::Stdout(mut out) => out.flush()?,
            Self::File(file) => {
                let path = file.finish()?;
                let end = end.map_or_else(String::new, |end| format!(", up to cursor {end}"));
                let records = counted(written, "record");
                say(&format!("{records} written to {}{end}\n", path.display()));
            }
        }
        Ok(Answer::Yes)
    }
}
