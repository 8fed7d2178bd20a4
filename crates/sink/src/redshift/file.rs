//! A batch as the file that COPY loads: its rows, each with the table that it goes to.
//!
//! The types are the ones of which nobody doubts that COPY takes them: times are text, since a
//! reader of Redshift's family takes Parquet's own for others (dask/fastparquet#432), and numbers
//! are signed. Snappy is named by its documentation where Zstandard is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{
    SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter,
};
use parquet::schema::parser::parse_message_type;
use unbroken_core::record::digest;
use unbroken_journal::JournalId;
use unbroken_render::{cloudevent, words};

use super::limits::TEXT_MAX;
use super::literal::instant;
use crate::Batch;
use crate::payload::payload;
use crate::sql::{Plan, signed, split};
use crate::table::{Row, Texts, Values};

/// In the order of the columns of `INCOMING`, by which COPY takes them.
const SCHEMA: &str = "message unbroken {
    OPTIONAL BYTE_ARRAY place (STRING);
    OPTIONAL INT32 step;
    OPTIONAL INT64 log_offset;
    OPTIONAL BYTE_ARRAY record (STRING);
    OPTIONAL BYTE_ARRAY stream (STRING);
    OPTIONAL BYTE_ARRAY key (STRING);
    OPTIONAL INT64 epoch;
    OPTIONAL INT64 position;
    OPTIONAL INT32 ordinal;
    OPTIONAL BYTE_ARRAY event_id (STRING);
    OPTIONAL BYTE_ARRAY kind (STRING);
    OPTIONAL BYTE_ARRAY origin (STRING);
    OPTIONAL BYTE_ARRAY effect (STRING);
    OPTIONAL BOOLEAN deleted;
    OPTIONAL BYTE_ARRAY occurred_at (STRING);
    OPTIONAL BYTE_ARRAY received_at (STRING);
    OPTIONAL INT64 snapshot_id;
    OPTIONAL BYTE_ARRAY payload (STRING);
    OPTIONAL BYTE_ARRAY payload_bytes;
    OPTIONAL BYTE_ARRAY data (STRING);
    OPTIONAL BYTE_ARRAY kept_at (STRING);
}";

/// The table that the file is loaded into, which goes with the transaction.
pub(super) const INCOMING: &str = "CREATE TEMP TABLE incoming (\
    place varchar(16), step integer, log_offset bigint, record varchar(32), stream varchar(256), \
    key varchar(512), epoch bigint, position bigint, ordinal integer, event_id varchar(512), \
    kind varchar(256), origin varchar(32), effect varchar(32), deleted boolean, \
    occurred_at varchar(32), received_at varchar(32), snapshot_id bigint, \
    payload varchar(65535), payload_bytes varbyte(65535), data varchar(65535), \
    kept_at varchar(1024)) DISTSTYLE KEY DISTKEY (key)";

/// See the module.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) bytes: Bytes,
    pub(super) rows: u64,
    pub(super) first: u64,
    pub(super) last: u64,
    /// What has no place in a column: events, by the names of their objects.
    pub(super) kept: Vec<(String, Bytes)>,
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// The table that it is a row of.
    place: Option<&'static str>,
    /// The step of the plan in which it is the last write of its key, or forgets it.
    step: Option<i32>,
}

/// `None`: nothing of the batch is in any table.
pub(super) fn incoming(
    batch: &Batch,
    plan: &Plan<'_>,
    url_of: impl Fn(&str) -> String,
) -> Result<Option<Incoming>, ParquetError> {
    let (journal, marks) = (batch.journal(), marks(plan));
    let (mut columns, mut kept, mut range) = (Columns::default(), Vec::new(), None);
    let mut rows = 0;
    for (offset, record) in batch.entries() {
        let Some(mark) = marks.get(&offset) else { continue };
        let row = Row::of(journal, offset, record);
        let kept_at = is_large(&row).then(|| {
            let event = cloudevent(journal, offset, record);
            let (name, event) = kept_as(journal, offset, event);
            let url = url_of(&name);
            kept.push((name, event));
            url
        });
        columns.push(&row, *mark, kept_at.as_deref());
        range = Some((range.map_or(offset, |(first, _)| first), offset));
        rows += 1;
    }
    let Some((first, last)) = range else { return Ok(None) };
    let created_by = format!("unbroken {}", env!("CARGO_PKG_VERSION"));
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    let properties = Arc::new(properties.set_created_by(created_by).build());
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut file = SerializedFileWriter::new(Vec::new(), schema, properties)?;
    let mut group = file.next_row_group()?;
    columns.write(&mut group)?;
    group.close()?;
    Ok(Some(Incoming { bytes: file.into_inner()?.into(), rows, first, last, kept }))
}

/// An object's name, which says what is in it: one of the same name is the same.
pub(super) fn kept_as(journal: JournalId, offset: u64, event: String) -> (String, Bytes) {
    let name = format!("{journal}-{offset:020}-{:032x}.json", digest(event.as_bytes()));
    (name, event.into())
}

fn is_large(row: &Row<'_>) -> bool {
    let payload = row.change.map_or(0, |change| change.payload.len());
    payload.max(row.data.as_ref().map_or(0, String::len)) > TEXT_MAX
}

fn marks(plan: &Plan<'_>) -> BTreeMap<u64, Mark> {
    let mut marks: BTreeMap<u64, Mark> = BTreeMap::new();
    let events = plan.events.iter().map(|row| (row.offset, "events"));
    let staged = plan.staged.iter().map(|row| (row.offset, "staged"));
    let ledger = plan.ledger.iter().map(|(offset, _)| (*offset, "ledger"));
    for (offset, place) in events.chain(staged).chain(ledger) {
        marks.entry(offset).or_default().place = Some(place);
    }
    for (number, step) in (0..).zip(&plan.steps) {
        let writes = step.writes.values().map(|row| row.offset);
        for offset in writes.chain(step.forgotten.iter().map(|(offset, ..)| *offset)) {
            marks.entry(offset).or_default().step = Some(number);
        }
    }
    marks
}

#[derive(Debug, Default)]
struct Columns {
    place: Texts,
    step: Values<i32>,
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
    occurred_at: Texts,
    received_at: Texts,
    snapshot: Values<i64>,
    payload: Values<ByteArray>,
    payload_bytes: Values<ByteArray>,
    data: Texts,
    kept_at: Texts,
}

impl Columns {
    fn push(&mut self, row: &Row<'_>, mark: Mark, kept_at: Option<&str>) {
        self.place.push(mark.place);
        self.step.push(mark.step);
        self.offset.push(Some(signed(row.offset)));
        self.record.push(Some(row.record));
        self.stream.push(Some(row.stream));
        self.key.push(row.key);
        self.received_at.push(instant(row.received_at).as_deref());
        self.snapshot.push(row.snapshot.map(signed));
        self.data.push(row.data.as_deref().filter(|_| kept_at.is_none()));
        self.kept_at.push(kept_at);
        let change = row.change;
        let (epoch, position) = split(change.and_then(|change| change.position));
        self.epoch.push(epoch);
        self.position.push(position);
        self.ordinal.push(change.map(|change| i32::from(change.ordinal)));
        let event_id = change.and_then(|change| change.event_id.as_ref());
        self.event_id.push(event_id.map(|id| id.as_str()));
        let kind = change.and_then(|change| change.kind.as_ref());
        self.kind.push(kind.map(|kind| kind.as_str()));
        self.origin.push(change.map(|change| words::origin(change.origin)));
        self.effect.push(change.map(|change| words::effect(change.effect)));
        self.deleted.push(change.map(|change| change.deleted));
        let occurred_at = change.and_then(|change| change.occurred_at).and_then(instant);
        self.occurred_at.push(occurred_at.as_deref());
        let bytes = change.filter(|_| kept_at.is_none()).map(|change| change.payload.clone());
        let (text, other) = match &bytes {
            Some(bytes) => payload(bytes),
            None => (None, None),
        };
        let array = || bytes.clone().map(ByteArray::from);
        self.payload.push(text.and_then(|_| array()));
        self.payload_bytes.push(other.and_then(|_| array()));
    }

    /// In the order of the schema.
    fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    ) -> Result<(), ParquetError> {
        self.place.write(next(group)?)?;
        self.step.write::<Int32Type>(next(group)?)?;
        self.offset.write::<Int64Type>(next(group)?)?;
        for texts in [&mut self.record, &mut self.stream, &mut self.key] {
            texts.write(next(group)?)?;
        }
        self.epoch.write::<Int64Type>(next(group)?)?;
        self.position.write::<Int64Type>(next(group)?)?;
        self.ordinal.write::<Int32Type>(next(group)?)?;
        let words = [&mut self.event_id, &mut self.kind, &mut self.origin, &mut self.effect];
        for texts in words {
            texts.write(next(group)?)?;
        }
        self.deleted.write::<BoolType>(next(group)?)?;
        for texts in [&mut self.occurred_at, &mut self.received_at] {
            texts.write(next(group)?)?;
        }
        self.snapshot.write::<Int64Type>(next(group)?)?;
        self.payload.write::<ByteArrayType>(next(group)?)?;
        self.payload_bytes.write::<ByteArrayType>(next(group)?)?;
        for texts in [&mut self.data, &mut self.kept_at] {
            texts.write(next(group)?)?;
        }
        Ok(())
    }
}

fn next<'a>(
    group: &'a mut SerializedRowGroupWriter<'_, Vec<u8>>,
) -> Result<SerializedColumnWriter<'a>, ParquetError> {
    let column = group.next_column()?;
    column.ok_or_else(|| ParquetError::General("schema has fewer columns".to_owned()))
}
