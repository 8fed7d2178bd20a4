//! A plan into its tables.

use std::pin::pin;

use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Transaction};
use unbroken_core::ids::{Label, StreamId};
use unbroken_core::record::{GapOpened, Record};
use unbroken_render::{fields_text, kind, words};

use super::days;
use super::rows::{Json, Time, nearest};
use crate::payload::payload;
use crate::sql::{Fate, GapLine, Plan, Row, Step, signed, split};

type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// Where a batch is written.
pub(super) struct Tables<'a> {
    pub(super) tx: &'a Transaction<'a>,
    /// The number of the log.
    pub(super) log: i16,
    /// Rows may be there already: those of a state image.
    pub(super) may_be_there: bool,
    /// Events are kept in a table for each day.
    pub(super) is_by_day: bool,
}

const COLUMNS: &str = "log, log_offset, stream, key, epoch, position, ordinal, event_id, kind, \
    origin, effect, deleted, occurred_at, received_at, snapshot, payload, payload_bytes";

const TYPES: [Type; 17] = [
    Type::INT2,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::INT4,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::BOOL,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::INT8,
    Type::JSON,
    Type::BYTEA,
];

const PUBLISH_STATE: &str = "INSERT INTO state (stream, key, log, log_offset, epoch, position, \
        present, occurred_at, received_at, payload, payload_bytes) \
    SELECT DISTINCT ON (key) stream, key, log, log_offset, epoch, position, NOT deleted, \
        occurred_at, received_at, CASE WHEN NOT deleted THEN payload END, \
        CASE WHEN NOT deleted THEN payload_bytes END \
    FROM staged WHERE stream = $1 AND snapshot = $2 ORDER BY key, log_offset DESC";

const WRITE_STATE: &str = "INSERT INTO state (stream, key, log, log_offset, epoch, position, \
        present, occurred_at, received_at, payload, payload_bytes) \
    SELECT stream, key, $3, log_offset, epoch, position, present, occurred_at, received_at, \
        payload::json, payload_bytes \
    FROM unnest($1::text[], $2::text[], $4::int8[], $5::int8[], $6::int8[], $7::bool[], \
        $8::timestamptz[], $9::timestamptz[], $10::text[], $11::bytea[]) \
    AS it (stream, key, log_offset, epoch, position, present, occurred_at, received_at, payload, \
        payload_bytes)";

/// The later write wins, whichever comes first.
const LATER_WINS: &str = " ON CONFLICT (stream, key) DO UPDATE SET log = excluded.log, \
    log_offset = excluded.log_offset, epoch = excluded.epoch, position = excluded.position, \
    present = excluded.present, occurred_at = excluded.occurred_at, \
    received_at = excluded.received_at, payload = excluded.payload, \
    payload_bytes = excluded.payload_bytes, doubted_since = NULL \
    WHERE (state.log, state.log_offset) < (excluded.log, excluded.log_offset)";

impl Tables<'_> {
    pub(super) async fn write(&self, plan: &Plan<'_>) -> Result<(), Error> {
        for step in &plan.steps {
            self.step(step).await?;
        }
        if self.is_by_day {
            days::make_for(self.tx, &plan.events).await?;
        }
        self.copy("events", &plan.events).await?;
        self.copy("staged", &plan.staged).await?;
        self.ledger(&plan.ledger).await?;
        for (stream, gap) in &plan.gaps {
            self.gap(stream, gap).await?;
        }
        Ok(())
    }

    async fn step(&self, step: &Step<'_>) -> Result<(), Error> {
        for (stream, fate) in &step.brackets {
            if let (Fate::Published(snapshot), true) = (fate, self.is_by_day) {
                days::make_for_staged(self.tx, stream, *snapshot).await?;
            }
            let stream = (&stream.as_str() as &(dyn ToSql + Sync), Type::TEXT);
            if let Fate::Published(snapshot) = fate {
                let params = [stream.clone(), (&signed(snapshot.0), Type::INT8)];
                let publish = format!(
                    "INSERT INTO events ({COLUMNS}) SELECT {COLUMNS} FROM staged \
                     WHERE stream = $1 AND snapshot = $2 ON CONFLICT DO NOTHING"
                );
                self.tx.execute_typed(&publish, &params).await?;
                let state = format!("{PUBLISH_STATE}{LATER_WINS}");
                self.tx.execute_typed(&state, &params).await?;
            }
            self.tx.execute_typed("DELETE FROM staged WHERE stream = $1", &[stream]).await?;
        }
        if !step.forgotten.is_empty() {
            let forgotten = step.forgotten.iter();
            let (streams, keys): (Vec<&str>, Vec<&str>) =
                forgotten.map(|(_, stream, key)| (stream.as_str(), key.as_str())).unzip();
            let forget = "DELETE FROM state \
                USING unnest($1::text[], $2::text[]) AS it (stream, key) \
                WHERE state.stream = it.stream AND state.key = it.key";
            let params: [Param<'_>; 2] = [(&streams, Type::TEXT_ARRAY), (&keys, Type::TEXT_ARRAY)];
            self.tx.execute_typed(forget, &params).await?;
        }
        if step.writes.is_empty() { Ok(()) } else { self.state(step.writes.values()).await }
    }

    async fn state<'b>(
        &self,
        rows: impl Iterator<Item = &'b Row<'b>> + Clone,
    ) -> Result<(), Error> {
        let payloads: Vec<_> = rows
            .clone()
            .map(|row| match row.change.deleted {
                true => (None, None),
                false => payload(&row.change.payload),
            })
            .collect();
        let places: Vec<_> = rows.clone().map(|row| split(row.change.position)).collect();
        let streams: Vec<&str> = rows.clone().map(|row| row.stream.as_str()).collect();
        let keys: Vec<&str> = rows.clone().map(|row| row.change.key.as_str()).collect();
        let offsets: Vec<i64> = rows.clone().map(|row| signed(row.offset)).collect();
        let epochs: Vec<Option<i64>> = places.iter().map(|place| place.0).collect();
        let positions: Vec<Option<i64>> = places.iter().map(|place| place.1).collect();
        let present: Vec<bool> = rows.clone().map(|row| !row.change.deleted).collect();
        let occurred: Vec<_> = rows.clone().map(|row| row.change.occurred_at.map(Time)).collect();
        let received: Vec<_> = rows.clone().map(|row| Time(row.received_at)).collect();
        let texts: Vec<Option<&str>> = payloads.iter().map(|payload| payload.0).collect();
        let bytes: Vec<Option<&[u8]>> = payloads.iter().map(|payload| payload.1).collect();
        let params: [Param<'_>; 11] = [
            (&streams, Type::TEXT_ARRAY),
            (&keys, Type::TEXT_ARRAY),
            (&self.log, Type::INT2),
            (&offsets, Type::INT8_ARRAY),
            (&epochs, Type::INT8_ARRAY),
            (&positions, Type::INT8_ARRAY),
            (&present, Type::BOOL_ARRAY),
            (&occurred, Type::TIMESTAMPTZ_ARRAY),
            (&received, Type::TIMESTAMPTZ_ARRAY),
            (&texts, Type::TEXT_ARRAY),
            (&bytes, Type::BYTEA_ARRAY),
        ];
        let write = format!("{WRITE_STATE}{LATER_WINS}");
        self.tx.execute_typed(&write, &params).await.map(drop)
    }

    /// Into `events` or `staged`.
    async fn copy(&self, table: &str, rows: &[Row<'_>]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        if !self.may_be_there {
            return self.copy_into(table, rows).await;
        }
        let incoming = format!(
            "DROP TABLE IF EXISTS pg_temp.incoming; CREATE TEMPORARY TABLE incoming \
             ON COMMIT DROP AS SELECT {COLUMNS} FROM {table} WITH NO DATA"
        );
        self.tx.batch_execute(&incoming).await?;
        self.copy_into("pg_temp.incoming", rows).await?;
        let insert = format!(
            "INSERT INTO {table} ({COLUMNS}) SELECT {COLUMNS} FROM pg_temp.incoming \
             ON CONFLICT DO NOTHING"
        );
        self.tx.execute_typed(&insert, &[]).await.map(drop)
    }

    async fn copy_into(&self, table: &str, rows: &[Row<'_>]) -> Result<(), Error> {
        let copy = format!("COPY {table} ({COLUMNS}) FROM STDIN (FORMAT binary)");
        let sink = self.tx.copy_in(copy.as_str()).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
        for row in rows {
            let change = row.change;
            let ((epoch, position), (text, bytes)) =
                (split(change.position), payload(&change.payload));
            let values: [&(dyn ToSql + Sync); 17] = [
                &self.log,
                &signed(row.offset),
                &row.stream.as_str(),
                &change.key.as_str(),
                &epoch,
                &position,
                &i32::from(change.ordinal),
                &change.event_id.as_ref().map(Label::as_str),
                &change.kind.as_ref().map(Label::as_str),
                &words::origin(change.origin),
                &words::effect(change.effect),
                &change.deleted,
                &change.occurred_at.map(Time),
                &Time(row.received_at),
                &row.snapshot.map(|snapshot| signed(snapshot.0)),
                &text.map(Json),
                &bytes,
            ];
            writer.as_mut().write(&values).await?;
        }
        writer.finish().await.map(drop)
    }

    async fn ledger(&self, entries: &[(u64, &Record)]) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let offsets: Vec<i64> = entries.iter().map(|(offset, _)| signed(*offset)).collect();
        let streams: Vec<&str> = entries.iter().map(|(_, record)| record.stream.as_str()).collect();
        let kinds: Vec<&str> = entries.iter().map(|(_, record)| kind(&record.body)).collect();
        let received: Vec<_> = entries.iter().map(|(_, record)| Time(record.received_at)).collect();
        let data: Vec<String> =
            entries.iter().map(|(_, record)| fields_text(&record.body)).collect();
        let params: [Param<'_>; 6] = [
            (&self.log, Type::INT2),
            (&offsets, Type::INT8_ARRAY),
            (&streams, Type::TEXT_ARRAY),
            (&kinds, Type::TEXT_ARRAY),
            (&received, Type::TIMESTAMPTZ_ARRAY),
            (&data, Type::TEXT_ARRAY),
        ];
        let insert = "INSERT INTO ledger (log, log_offset, stream, record, received_at, data) \
            SELECT $1, log_offset, stream, record, received_at, data::json \
            FROM unnest($2::int8[], $3::text[], $4::text[], $5::timestamptz[], $6::text[]) \
            AS it (log_offset, stream, record, received_at, data) ON CONFLICT DO NOTHING";
        self.tx.execute_typed(insert, &params).await.map(drop)
    }

    async fn gap(&self, stream: &StreamId, line: &GapLine<'_>) -> Result<(), Error> {
        let gap = match line {
            GapLine::Opened(gap) => return self.open_gap(stream, gap).await,
            GapLine::Closed(gap) => *gap,
        };
        let ((after_epoch, after), (through_epoch, through)) =
            (split(gap.after), split(gap.through));
        let params: [Param<'_>; 12] = [
            (&self.log, Type::INT2),
            (&stream.as_str(), Type::TEXT),
            (&signed(gap.gap.0), Type::INT8),
            (&words::cause(gap.cause), Type::TEXT),
            (&words::outcome(gap.outcome), Type::TEXT),
            (&after_epoch, Type::INT8),
            (&after, Type::INT8),
            (&through_epoch, Type::INT8),
            (&through, Type::INT8),
            (&nearest(gap.wall_from), Type::TIMESTAMPTZ),
            (&nearest(gap.wall_to), Type::TIMESTAMPTZ),
            (&gap.reconciled, Type::BOOL),
        ];
        let close = "INSERT INTO gaps (log, stream, gap, cause, outcome, after_epoch, \
                after_position, through_epoch, through_position, wall_from, wall_to, reconciled) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
            ON CONFLICT (log, stream, gap) DO UPDATE SET cause = $4, outcome = $5, \
                after_epoch = $6, after_position = $7, through_epoch = $8, \
                through_position = $9, wall_from = $10, wall_to = $11, reconciled = $12";
        self.tx.execute_typed(close, &params).await.map(drop)
    }

    /// What is there already is of the log itself, and later.
    pub(super) async fn open_gap(&self, stream: &StreamId, gap: &GapOpened) -> Result<(), Error> {
        let (after_epoch, after) = split(gap.after);
        let params: [Param<'_>; 7] = [
            (&self.log, Type::INT2),
            (&stream.as_str(), Type::TEXT),
            (&signed(gap.gap.0), Type::INT8),
            (&words::cause(gap.cause), Type::TEXT),
            (&after_epoch, Type::INT8),
            (&after, Type::INT8),
            (&nearest(gap.wall_from), Type::TIMESTAMPTZ),
        ];
        let open = "INSERT INTO gaps (log, stream, gap, cause, after_epoch, after_position, \
            wall_from) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
        self.tx.execute_typed(open, &params).await.map(drop)
    }
}
