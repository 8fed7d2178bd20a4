//! Rows as CSV (RFC 4180), with a line of headings.

use std::io::{self, Write};

use unbroken_render::{wall, words};

use super::row::Row;
use crate::payload::payload;

/// The columns of the Parquet files, in their order; but no column for a payload that is no JSON:
/// such bytes have no place in a text. What is not there is an empty field.
const HEADINGS: [&str; 18] = [
    "log",
    "log_offset",
    "record",
    "stream",
    "key",
    "epoch",
    "position",
    "ordinal",
    "event_id",
    "kind",
    "origin",
    "effect",
    "deleted",
    "occurred_at",
    "received_at",
    "snapshot",
    "payload",
    "data",
];

/// See the module.
#[derive(Debug)]
pub struct CsvRows<W: Write>(csv::Writer<W>);

impl<W: Write> CsvRows<W> {
    /// Writes the headings.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn new(file: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(HEADINGS)?;
        Ok(Self(writer))
    }

    /// Appends a row.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn push(&mut self, row: &Row<'_>) -> io::Result<()> {
        let change = row.change;
        let position = change.and_then(|change| change.position);
        let number = |number: Option<u64>| number.map_or_else(String::new, |it| it.to_string());
        let kind = change.and_then(|change| change.kind.as_ref());
        let event_id = change.and_then(|change| change.event_id.as_ref());
        let occurred_at = change.and_then(|change| change.occurred_at);
        let text = change.and_then(|change| payload(&change.payload).0);
        let fields: [&str; 18] = [
            &row.log.to_string(),
            &row.offset.to_string(),
            row.record,
            row.stream,
            row.key.unwrap_or_default(),
            &number(position.map(|at| u64::from(at.epoch.0))),
            &number(position.map(|at| at.sequence)),
            &number(change.map(|change| u64::from(change.ordinal))),
            event_id.map_or("", |id| id.as_str()),
            kind.map_or("", |kind| kind.as_str()),
            change.map_or("", |change| words::origin(change.origin)),
            change.map_or("", |change| words::effect(change.effect)),
            change.map_or("", |change| if change.deleted { "true" } else { "false" }),
            &occurred_at.map_or_else(String::new, wall),
            &wall(row.received_at),
            &number(row.snapshot),
            text.unwrap_or_default(),
            row.data.as_deref().unwrap_or_default(),
        ];
        Ok(self.0.write_record(fields)?)
    }

    /// Writes the rest.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> io::Result<W> {
        self.0.into_inner().map_err(|error| error.into_error())
    }
}
