//! Rows as a Parquet file.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::{
    SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter,
};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use unbroken_journal::JournalId;
use unbroken_render::words;

use super::column::{Texts, Values};
use super::row::Row;
use crate::payload::payload;

/// Every reader of Parquet knows these types.
const SCHEMA: &str = "message unbroken {
    REQUIRED BYTE_ARRAY log (STRING);
    REQUIRED INT64 log_offset;
    REQUIRED BYTE_ARRAY record (STRING);
    REQUIRED BYTE_ARRAY stream (STRING);
    OPTIONAL BYTE_ARRAY key (STRING);
    OPTIONAL INT64 epoch;
    OPTIONAL INT64 position (INTEGER(64,false));
    OPTIONAL INT32 ordinal;
    OPTIONAL BYTE_ARRAY event_id (STRING);
    OPTIONAL BYTE_ARRAY kind (STRING);
    OPTIONAL BYTE_ARRAY origin (STRING);
    OPTIONAL BYTE_ARRAY effect (STRING);
    OPTIONAL BOOLEAN deleted;
    OPTIONAL INT64 occurred_at (TIMESTAMP(MICROS,true));
    REQUIRED INT64 received_at (TIMESTAMP(MICROS,true));
    OPTIONAL INT64 snapshot (INTEGER(64,false));
    OPTIONAL BYTE_ARRAY payload (STRING);
    OPTIONAL BYTE_ARRAY payload_bytes;
    OPTIONAL BYTE_ARRAY data (STRING);
}";

/// Hardly two rows share a value: a dictionary of them would be as large as they are.
const DISTINCT: [&str; 8] = [
    "log_offset",
    "position",
    "event_id",
    "occurred_at",
    "received_at",
    "payload",
    "payload_bytes",
    "data",
];

/// Nobody asks for the least and the greatest of these.
const WITHOUT_STATISTICS: [&str; 3] = ["payload", "payload_bytes", "data"];

/// Rows of one row group: as many as pyarrow and DuckDB put into one, about.
const GROUP_ROWS: usize = 128 * 1024;

/// A row group is closed when its payloads have come to this, in bytes: they are in memory until
/// then.
const GROUP_BYTES: usize = 64 * 1024 * 1024;

/// See the module. In memory: one row group.
#[derive(Debug)]
pub struct ParquetRows<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Columns,
    rows: usize,
    bytes: usize,
}

/// The rows could not be written.
#[derive(Debug, thiserror::Error)]
#[error("rows cannot be written as Parquet")]
pub struct WriteFailed(#[from] ParquetError);

impl From<WriteFailed> for io::Error {
    fn from(error: WriteFailed) -> Self {
        Self::other(error)
    }
}

impl<W: Write + Send> ParquetRows<W> {
    /// An empty file.
    ///
    /// # Errors
    /// Its first bytes cannot be written.
    pub fn new(file: W) -> Result<Self, WriteFailed> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let writer = SerializedFileWriter::new(file, schema, properties()?)?;
        Ok(Self { writer, columns: Columns::default(), rows: 0, bytes: 0 })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// The row group that it completes cannot be written.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), WriteFailed> {
        self.bytes += self.columns.push(row);
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.end_group()?;
        }
        Ok(())
    }

    /// Writes the rest.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> Result<W, WriteFailed> {
        self.end_group()?;
        Ok(self.writer.into_inner()?)
    }

    fn end_group(&mut self) -> Result<(), WriteFailed> {
        if mem::take(&mut self.rows) > 0 {
            self.bytes = 0;
            let mut group = self.writer.next_row_group()?;
            self.columns.write(&mut group)?;
            group.close()?;
        }
        Ok(())
    }
}

fn properties() -> Result<WriterPropertiesPtr, ParquetError> {
    // Level 1, which is everybody's default.
    let mut all = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_created_by(format!("unbroken {}", env!("CARGO_PKG_VERSION")));
    for name in DISTINCT {
        all = all.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    for name in WITHOUT_STATISTICS {
        let none = EnabledStatistics::None;
        all = all.set_column_statistics_enabled(ColumnPath::from(name), none);
    }
    Ok(Arc::new(all.build()))
}

#[derive(Debug, Default)]
struct Columns {
    log: Texts,
    offset: Values<i64>,
    record: Texts,
    stream: Texts,
    key: Texts,
    epoch: Values<i64>,
    position: Values<i64>,
    ordinal: Values<i32>,
    event_id: Texts,
    kind: Texts,
    origin: Texts,
    effect: Texts,
    deleted: Values<bool>,
    occurred_at: Values<i64>,
    received_at: Values<i64>,
    snapshot: Values<i64>,
    payload: Values<ByteArray>,
    payload_bytes: Values<ByteArray>,
    data: Texts,
    /// The log's name, which is the same for most rows.
    log_name: Option<(JournalId, String)>,
}

impl Columns {
    /// Returns about how many bytes it holds on to.
    fn push(&mut self, row: &Row<'_>) -> usize {
        let named = self.log_name.take().filter(|(log, _)| *log == row.log);
        let named = named.unwrap_or_else(|| (row.log, row.log.to_string()));
        self.log.push(Some(&named.1));
        self.log_name = Some(named);
        self.offset.push(Some(row.offset as i64));
        self.record.push(Some(row.record));
        self.stream.push(Some(row.stream));
        self.key.push(row.key);
        self.received_at.push(Some(row.received_at.0));
        self.snapshot.push(row.snapshot.map(|id| id as i64));
        self.data.push(row.data.as_deref());
        let change = row.change;
        let position = change.and_then(|change| change.position);
        self.epoch.push(position.map(|at| i64::from(at.epoch.0)));
        self.position.push(position.map(|at| at.sequence as i64));
        self.ordinal.push(change.map(|change| i32::from(change.ordinal)));
        let event_id = change.and_then(|change| change.event_id.as_ref());
        self.event_id.push(event_id.map(|id| id.as_str()));
        let kind = change.and_then(|change| change.kind.as_ref());
        self.kind.push(kind.map(|kind| kind.as_str()));
        self.origin.push(change.map(|change| words::origin(change.origin)));
        self.effect.push(change.map(|change| words::effect(change.effect)));
        self.deleted.push(change.map(|change| change.deleted));
        self.occurred_at.push(change.and_then(|change| change.occurred_at).map(|at| at.0));
        let bytes = change.map_or_else(Bytes::new, |change| change.payload.clone());
        let (text, other) = match change {
            Some(_) => payload(&bytes),
            None => (None, None),
        };
        self.payload.push(text.map(|_| ByteArray::from(bytes.clone())));
        self.payload_bytes.push(other.map(|_| ByteArray::from(bytes.clone())));
        bytes.len() + row.data.as_ref().map_or(0, String::len)
    }

    /// In the order of the schema.
    fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        self.log.write(next(group)?)?;
        self.offset.write::<Int64Type>(next(group)?)?;
        self.record.write(next(group)?)?;
        self.stream.write(next(group)?)?;
        self.key.write(next(group)?)?;
        self.epoch.write::<Int64Type>(next(group)?)?;
        self.position.write::<Int64Type>(next(group)?)?;
        self.ordinal.write::<Int32Type>(next(group)?)?;
        self.event_id.write(next(group)?)?;
        self.kind.write(next(group)?)?;
        self.origin.write(next(group)?)?;
        self.effect.write(next(group)?)?;
        self.deleted.write::<BoolType>(next(group)?)?;
        self.occurred_at.write::<Int64Type>(next(group)?)?;
        self.received_at.write::<Int64Type>(next(group)?)?;
        self.snapshot.write::<Int64Type>(next(group)?)?;
        self.payload.write::<ByteArrayType>(next(group)?)?;
        self.payload_bytes.write::<ByteArrayType>(next(group)?)?;
        self.data.write(next(group)?)
    }
}

fn next<'a, W: Write + Send>(
    group: &'a mut SerializedRowGroupWriter<'_, W>,
) -> Result<SerializedColumnWriter<'a>, ParquetError> {
    let column = group.next_column()?;
    column.ok_or_else(|| ParquetError::General("schema has fewer columns".to_owned()))
}
